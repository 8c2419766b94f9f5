"""The body of an item that a client sends.

Spec: [MS-ASAIRS] §2.2.2.9 (Body); [MS-ASCMD] §2.2.3.24 (Change).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posthouse.formats.html_text import readable_text
from posthouse.formats.vcard.values import clean
from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.body import TEXT_MAX, text_source
from posthouse.protocols.eas.wire.options import BodyKind

if TYPE_CHECKING:
    from posthouse.protocols.eas.wire.element import Element

_CONVERTED_MAX: Final = 1 << 20
_KINDS = {str(int(kind)): kind for kind in BodyKind}


class IncomingBody(Struct, frozen=True):
    """A body.

    Attributes:
        kind: which form it has.
        text: of PLAIN and HTML; lines end in LF, no control characters but that and tab.
        octets: of RTF (in base64) and MIME, as sent.
    """

    kind: BodyKind
    text: str = ""
    octets: bytes = b""


def body_from_data(data: Element) -> IncomingBody | None:
    """The body in an ApplicationData, Exception or other element that holds one.

    Returns:
        None: it stays as it is, since there is no Body, or no Data in it, or a part of it only.

    Raises:
        RemoteProtocolError: no such Type, or the text is not UTF-8 (hint ``content``).
    """
    body = data.child("AirSyncBase:Body")
    content = body.child("Data") if body is not None else None
    if body is None or content is None or body.text_of("Truncated") in ("1", "true"):
        return None
    kind = _KINDS.get(body.text_of("Type", "1"))
    if kind is None:
        raise RemoteProtocolError("a body of unknown Type", "content")
    if kind in (BodyKind.PLAIN, BodyKind.HTML):
        return IncomingBody(kind, text=clean(content.text))
    return IncomingBody(kind, octets=content.octets)


def texts_from_body(incoming: IncomingBody | None, body: str, html: str) -> tuple[str, str]:
    """The body and HTML of an item that has both.

    Args:
        incoming: what the client says; None: nothing.
        body: as it was.
        html: as it was; "" none. Both stay when what comes is what was shown, also where it was
            shown in the other form; else the one that did not come is made anew, or dropped.

    Raises:
        RemoteProtocolError: RTF or MIME, in which no body of such an item is ever shown
            (hint ``content``).
    """
    if incoming is None:
        return body, html
    kind, text = incoming.kind, incoming.text
    if kind not in (BodyKind.PLAIN, BodyKind.HTML):
        raise RemoteProtocolError(f"a body in {kind.name} here", "content")
    if text == clean(text_source(body, html).text(kind, TEXT_MAX).text):
        return body, html
    return (text, "") if kind is BodyKind.PLAIN else (readable_text(text[:_CONVERTED_MAX]), text)
