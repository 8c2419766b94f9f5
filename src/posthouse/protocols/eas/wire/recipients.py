"""Recipients: what ResolveRecipients asks for, and how somebody is described to it.

Spec: [MS-ASCMD] §2.2.1.15, §2.2.3.16 (Availability), §2.2.3.177.11 (Status).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.body import xml_text
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.gal import picture_element
from posthouse.protocols.eas.wire.search import picture_wish
from posthouse.protocols.eas.wire.times import ms_from_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.protocols.eas.wire.gal import PictureWish

NAMES_MAX: Final = 1_000
"""To elements in one request."""
AVAILABLE_MAX: Final = 100
"""More recipients are not told of their time in one request."""
CANDIDATES_MAX: Final = 100
_CANDIDATES_DEFAULT: Final = 20
_NAME_CHARS_MAX: Final = 256
_WINDOW_DEFAULT_MS: Final = 7 * 86_400_000
_WINDOW_MAX_MS: Final = 62 * 86_400_000
_NO_CERTIFICATES: Final = 1
_NO_VALID_CERTIFICATE: Final = "7"

TYPE_BOOK: Final = "1"
TYPE_CONTACT: Final = "2"


class RecipientsAsked(Struct, frozen=True):
    """A request.

    Attributes:
        names: names or addresses, as typed.
        candidates_max: of each name that is not clear.
        wants_certificates: for S/MIME.
        window: begin and end, ms, for which times are wanted; None: they are not.
        wish: which pictures are wanted; None: none.
    """

    names: tuple[str, ...]
    candidates_max: int = _CANDIDATES_DEFAULT
    wants_certificates: bool = False
    window: tuple[int, int] | None = None
    wish: PictureWish | None = None


class Times(Struct, frozen=True):
    """When somebody has time.

    Attributes:
        status: 1, or why it is not told.
        digits: one for each half hour; "" not told.
    """

    status: int
    digits: str = ""


class Recipient(Struct, frozen=True):
    """Somebody who may be meant.

    Attributes:
        kind: TYPE_BOOK or TYPE_CONTACT.
        name: as shown.
        address: to write to.
        count: how many people get what is sent there.
        photo: None: there is none.
        times: None: not asked for.
    """

    kind: str
    name: str
    address: str
    count: int = 1
    photo: bytes | None = None
    times: Times | None = None


def recipients_asked(request: Element) -> RecipientsAsked:
    """Read a request. Raises RemoteProtocolError (hint ``content``)."""
    names = tuple(one.text.strip() for one in request.each("To"))
    if not names or len(names) > NAMES_MAX:
        raise RemoteProtocolError("no To, or too many", "content")
    if any(len(name) > _NAME_CHARS_MAX for name in names):
        raise RemoteProtocolError("a To is too long", "content")
    options = request.child("Options")
    if options is None:
        return RecipientsAsked(names)
    candidates = options.number_of("MaxAmbiguousRecipients", _CANDIDATES_DEFAULT)
    return RecipientsAsked(
        names,
        min(candidates, CANDIDATES_MAX),
        options.number_of("CertificateRetrieval", _NO_CERTIFICATES) != _NO_CERTIFICATES,
        _window(options.child("Availability")),
        picture_wish(options),
    )


def _window(availability: Element | None) -> tuple[int, int] | None:
    if availability is None:
        return None
    from_at = ms_from_text(availability.text_of("StartTime"))
    end = availability.text_of("EndTime")
    to_at = ms_from_text(end) if end else from_at + _WINDOW_DEFAULT_MS
    if not from_at < to_at <= from_at + _WINDOW_MAX_MS:
        raise RemoteProtocolError("no such time", "content")
    return from_at, to_at


def response_element(
    name: str, status: int, people: Sequence[Recipient], asked: RecipientsAsked
) -> Element:
    """What is said to one name.

    Args:
        name: as asked for.
        status: 1 clear, 2 one of these, 3 one of these and others, 4 nobody.
        people: who may be meant.
        asked: the request.
    """
    said = [_of("To", name), _of("Status", str(status)), _of("RecipientCount", str(len(people)))]
    pictures = 0
    for one in people:
        children = [
            _of("Type", one.kind),
            _of("DisplayName", xml_text(one.name)),
            _of("EmailAddress", xml_text(one.address)),
        ]
        if one.times is not None:
            children.append(_availability(one.times))
        if asked.wants_certificates:
            children.append(_certificates(one.count))
        if asked.wish is not None:
            picture = picture_element("ResolveRecipients", one.photo, asked.wish, pictures)
            pictures += picture.child("Data") is not None
            children.append(picture)
        said.append(_of("Recipient", children))
    return _of("Response", said)


def _availability(times: Times) -> Element:
    children = [_of("Status", str(times.status))]
    if times.digits:
        children.append(_of("MergedFreeBusy", times.digits))
    return _of("Availability", children)


def _certificates(count: int) -> Element:
    """Nobody's certificates are kept here."""
    return _of(
        "Certificates",
        [
            _of("Status", _NO_VALID_CERTIFICATE),
            _of("CertificateCount", "0"),
            _of("RecipientCount", str(count)),
        ],
    )


def _of(tag: str, content: str | list[Element] = "") -> Element:
    return Element("ResolveRecipients", tag, content)
