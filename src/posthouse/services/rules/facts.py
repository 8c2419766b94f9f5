"""What rules ask about one message; nothing is worked out before it is asked for.

Spec: RFC 5322 §3.6, RFC 2156 §5.3.6 (Importance, Sensitivity, Autoforwarded), RFC 2369 and RFC 2919
    (List fields), RFC 3834 §5 (Auto-Submitted), RFC 6047 §2.4 (method of a text/calendar part).

Notes:
    Never raises on any bytes, and is bounded whatever the message: of the content the first
    ``BODY_OCTETS_MAX`` are looked at, half of that as text, and of its words as many as people
    read. What is looked for is bounded as well (``model.rule``): a worker must not stand still.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from posthouse.formats.html_text import readable_text
from posthouse.formats.mime.addresses import parse_addresses
from posthouse.formats.mime.charsets import text_from_bytes
from posthouse.formats.mime.headers import decode_text, fields
from posthouse.formats.mime.parameters import parse_parameterised
from posthouse.formats.mime.structure import PKCS7_TYPES, StructureLimits, scan
from posthouse.formats.mime.text import TextLimits, decoded_body, part_text
from posthouse.model.appointment import Importance, Sensitivity
from posthouse.model.rule import Trait
from posthouse.services.rules.automatic import keyword

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.formats.mime.headers import Field
    from posthouse.formats.mime.parameters import Parameterised
    from posthouse.formats.mime.structure import Part
    from posthouse.model.item import ItemColumns

BODY_OCTETS_MAX = 1 << 20
_ADDRESSES_MAX = 1_000
_FIELDS_MAX = 1_000
_VALUE_OCTETS_MAX = 16 << 10
_STRUCTURE = StructureLimits(depth_max=20, parts_max=200, delimiters_max=5_000)
_TEXT_OCTETS_MAX = 512 << 10
_WORDS_MAX = 256 << 10
_HEADER_MAX = 64 << 10
_SENSITIVITIES = {
    "personal": Sensitivity.PERSONAL,
    "private": Sensitivity.PRIVATE,
    "company-confidential": Sensitivity.CONFIDENTIAL,
}
_METHODS = {
    "request": Trait.MEETING_REQUEST,
    "reply": Trait.MEETING_RESPONSE,
    "counter": Trait.MEETING_RESPONSE,
    "cancel": Trait.MEETING_CANCELLATION,
}
_REPORTS = {
    "disposition-notification": Trait.READ_RECEIPT,
    "delivery-status": Trait.NON_DELIVERY,
}


class Facts:
    """One message as its recipient's rules see it.

    Args:
        head: its header block, as it came.
        columns: of it.
        size_bytes: of its content.
        received_at: ms.
        is_mine: whether an address is the mailbox owner's.
        beginning: the first ``BODY_OCTETS_MAX`` of its plain content, header block included.
    """

    def __init__(
        self,
        head: bytes,
        columns: ItemColumns,
        size_bytes: int,
        received_at: int,
        *,
        is_mine: Callable[[str], bool],
        beginning: Callable[[], bytes],
    ) -> None:
        self.columns = columns
        self.size_bytes = size_bytes
        self.received_at = received_at
        self._head = head
        self._is_mine = is_mine
        self._beginning = beginning

    # --- the header

    @cached_property
    def _fields(self) -> list[Field]:
        return fields(self._head)[:_FIELDS_MAX]

    def _raw(self, name: bytes) -> bytes:
        return next((field.value for field in self._fields if field.name == name), b"")

    def _text(self, name: bytes) -> str:
        return decode_text(self._raw(name)[:_VALUE_OCTETS_MAX])

    @cached_property
    def _header(self) -> str:
        """All fields, a line each, in folded case."""
        lines: list[str] = []
        left = _HEADER_MAX
        for field in self._fields:
            name = field.name.decode("ascii", "replace")
            line = f"{name}: {decode_text(field.value[:left])}"[:left]
            lines.append(line.casefold())
            left -= len(line)
            if left <= 0:
                break
        return "\n".join(lines)

    def header(self, name: str) -> str:
        """The values of all fields of a name, a line each, in folded case; of "" the names too."""
        if not name:
            return self._header
        lead = f"{name.casefold()}: "
        lines = self._header.split("\n")
        return "\n".join(line[len(lead) :] for line in lines if line.startswith(lead))

    @cached_property
    def subject(self) -> str:
        """In folded case."""
        return self._text(b"subject").casefold()

    def _people(self, name: bytes) -> list[tuple[str, str]]:
        """Names and addresses of all such fields, in folded case."""
        found: list[tuple[str, str]] = []
        for field in self._fields:
            if field.name == name:
                left = _ADDRESSES_MAX - len(found)
                entries = parse_addresses(field.value, addresses_max=left)
                found += [(e.name.casefold(), e.address.casefold()) for e in entries]
        return found

    @cached_property
    def senders(self) -> list[tuple[str, str]]:
        """Of From: (name, address) in folded case; "" where one is missing."""
        return self._people(b"from")

    @cached_property
    def to(self) -> list[tuple[str, str]]:
        """Of To, likewise."""
        return self._people(b"to")

    @cached_property
    def cc(self) -> list[tuple[str, str]]:
        """Of Cc, likewise."""
        return self._people(b"cc")

    @cached_property
    def sender_text(self) -> str:
        """Names and addresses of From, a line each."""
        return _lines(self.senders)

    @cached_property
    def recipients_text(self) -> str:
        """Names and addresses of To and Cc, a line each."""
        return _lines(self.to + self.cc)

    @cached_property
    def is_to_me(self) -> bool:
        """Whether To has an address of the owner."""
        return any(self._is_mine(address) for _, address in self.to)

    @cached_property
    def is_cc_me(self) -> bool:
        """Whether Cc has an address of the owner."""
        return any(self._is_mine(address) for _, address in self.cc)

    @property
    def is_only_to_me(self) -> bool:
        """Whether the owner is alone in To, and Cc is empty."""
        return self.is_to_me and len(self.to) == 1 and not self.cc

    @property
    def importance(self) -> Importance:
        """Of the header."""
        return Importance(self.columns.importance)

    @cached_property
    def sensitivity(self) -> Sensitivity:
        """Of the header."""
        return _SENSITIVITIES.get(self._text(b"sensitivity").lower(), Sensitivity.NORMAL)

    @cached_property
    def flagged_for(self) -> str:
        """What the sender wants done, in folded case; "" nothing."""
        return self._text(b"x-message-flag").casefold()

    @cached_property
    def categories(self) -> frozenset[str]:
        """Keywords, in folded case."""
        words = self._text(b"keywords").casefold().split(",")
        return frozenset(word.strip() for word in words if word.strip())

    @cached_property
    def list_id(self) -> str:
        """In folded case."""
        return self._text(b"list-id").casefold()

    # --- the content

    @cached_property
    def _plain(self) -> bytes:
        return self._beginning()[:BODY_OCTETS_MAX]

    @cached_property
    def _structure(self) -> Part:
        return scan(self._plain, _STRUCTURE)

    @cached_property
    def body(self) -> str:
        """The words of all texts but attached ones, in folded case, one space between them."""
        out: list[str] = []
        left = _WORDS_MAX
        raw_left = _TEXT_OCTETS_MAX
        for part in self._structure.walk():
            if part.disposition == "attachment" or not part.content_type.startswith("text/"):
                continue
            raw_left -= part.end - part.body_start
            text = _text_of(self._plain, part, raw_left)[:left]
            out += text.split()
            left -= len(text)
            if left <= 0 or raw_left <= 0:
                break
        return " ".join(out).casefold()

    # --- what it is

    @cached_property
    def traits(self) -> frozenset[Trait]:
        """All that it is, but for meetings inside of other parts."""
        kind = parse_parameterised(self._raw(b"content-type"))
        found = set(_traits_of_type(kind))
        submitted = keyword(self._raw(b"auto-submitted"))
        if submitted == "auto-replied":
            found.add(Trait.AUTOMATIC_REPLY)
        if submitted == "auto-forwarded" or keyword(self._raw(b"autoforwarded")) == "true":
            found.add(Trait.AUTOMATIC_FORWARD)
        if any(field.name.startswith(b"list-") for field in self._fields):
            found.add(Trait.MAILING_LIST)
        return frozenset(found)

    @cached_property
    def _meetings(self) -> frozenset[Trait]:
        """What it is by its parts."""
        found = (
            _METHODS.get(part.parameters.get("method", "").lower())
            for part in self._structure.walk()
            if part.content_type == "text/calendar"
        )
        return frozenset(trait for trait in found if trait is not None)

    def has(self, trait: Trait) -> bool:
        """Whether it is that."""
        if trait in self.traits:
            return True
        if trait not in _METHODS.values() or b"multipart" not in self._raw(b"content-type").lower():
            return False
        return trait in self._meetings


def _lines(people: list[tuple[str, str]]) -> str:
    return "\n".join(f"{name} <{address}>" for name, address in people)


def _text_of(plain: bytes, part: Part, raw_left: int) -> str:
    """The words of a text part; ``raw_left`` is what of its octets may be looked at, less all."""
    limits = TextLimits(max(part.end - part.body_start + min(raw_left, 0), 0), _WORDS_MAX)
    if part.content_type != "text/html":
        return part_text(plain, part, limits)
    charset = part.parameters.get("charset", "")
    return readable_text(text_from_bytes(decoded_body(plain, part, limits), charset), links=False)


def _traits_of_type(kind: Parameterised) -> list[Trait]:
    found: list[Trait | None] = []
    parameters = kind.parameters
    if kind.value == "text/calendar":
        found.append(_METHODS.get(parameters.get("method", "").lower()))
    elif kind.value == "multipart/report":
        found.append(_REPORTS.get(parameters.get("report-type", "").lower()))
    elif kind.value == "multipart/signed":
        found.append(Trait.SIGNED)
    elif kind.value == "multipart/encrypted":
        found.append(Trait.ENCRYPTED)
    elif kind.value in PKCS7_TYPES:
        is_signed = parameters.get("smime-type", "").lower() == "signed-data"
        found.append(Trait.SIGNED if is_signed else Trait.ENCRYPTED)
    return [trait for trait in found if trait is not None]
