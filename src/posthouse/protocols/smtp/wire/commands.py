"""Commands of SMTP and LMTP as values, and the pieces of a message between them.

Spec: RFC 5321 §4.1; RFC 2033 §4.1 (LHLO); RFC 3030 §2 (BDAT); RFC 3207 §4; RFC 3461 §4; RFC 4954
    §4.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.model.queue import Notify

if TYPE_CHECKING:
    from posthouse.model.address import Address


class Hello(Struct, frozen=True):
    """EHLO, HELO or LHLO.

    Attributes:
        verb: which of them, upper case.
        name: what the client calls itself: printable ASCII without spaces, at most 255 characters.
    """

    verb: str
    name: str


class Mail(Struct, frozen=True):
    """MAIL FROM.

    Attributes:
        sender: None is the null sender ``<>``.
        size_bytes: SIZE= as announced; 0 when not said.
        is_8bit: BODY=8BITMIME was said.
        needs_smtputf8: SMTPUTF8 was said.
        wants_headers_only: RET=HDRS was said.
        envelope_id: ENVID as given, still xtext; "" when not said.
    """

    sender: Address | None
    size_bytes: int = 0
    is_8bit: bool = False
    needs_smtputf8: bool = False
    wants_headers_only: bool = False
    envelope_id: str = ""


class Rcpt(Struct, frozen=True):
    """RCPT TO.

    Attributes:
        address: whom; the domain is "" for ``<Postmaster>``.
        text: the address as it was written.
        notify: NOTIFY.
        original: ORCPT as given, ``type;xtext``; "" when not said.
    """

    address: Address
    text: str
    notify: Notify = Notify.UNSAID
    original: str = ""


class Data(Struct, frozen=True):
    """DATA."""


class Bdat(Struct, frozen=True):
    """BDAT: so many octets follow, whatever we answer."""

    size_bytes: int
    is_last: bool


class Rset(Struct, frozen=True):
    """RSET."""


class Noop(Struct, frozen=True):
    """NOOP."""


class Quit(Struct, frozen=True):
    """QUIT."""


class Help(Struct, frozen=True):
    """HELP."""


class Vrfy(Struct, frozen=True):
    """VRFY; whom it asks for is of no interest."""


class Expn(Struct, frozen=True):
    """EXPN."""


class Starttls(Struct, frozen=True):
    """STARTTLS."""


class Auth(Struct, frozen=True):
    """AUTH.

    Attributes:
        mechanism: upper case.
        initial: the initial response in base64 ("=" is an empty one), None when there is none.
    """

    mechanism: str
    initial: str | None


class AuthLine(Struct, frozen=True):
    """The client's next line of an AUTH exchange: base64, or ``*`` to cancel."""

    text: str


Command = (
    Hello
    | Mail
    | Rcpt
    | Data
    | Bdat
    | Rset
    | Noop
    | Quit
    | Help
    | Vrfy
    | Expn
    | Starttls
    | Auth
    | AuthLine
)


class Fault(Enum):
    """What is wrong with a message's content."""

    NONE = "none"
    BARE_EOL = "bare CR or LF"
    TOO_LARGE = "too large"
    ENDLESS = "far too large; no end in sight"


class ContentEnd(Struct, frozen=True):
    """The content is whole.

    Attributes:
        size_bytes: of the plain content.
        has_dot_lines: some line began with a dot.
        lacks_final_eol: the plain content does not end in CRLF (BDAT only).
        fault: why the message must be refused.
    """

    size_bytes: int
    has_dot_lines: bool
    lacks_final_eol: bool = False
    fault: Fault = Fault.NONE


class Content(Struct, frozen=True):
    """Some of a message sent by DATA, in stored form.

    Attributes:
        data: dot-stuffed bytes, terminator included; b"" once the message is known to be faulty.
        end: set with the last piece.
    """

    data: bytes
    end: ContentEnd | None


class Chunk(Struct, frozen=True):
    """Some of the octets that follow a BDAT, as they came.

    Attributes:
        data: plain bytes.
        is_end: the octets of this BDAT are all here.
        is_last: and it was the message's last BDAT.
    """

    data: bytes
    is_end: bool
    is_last: bool


class NeedData(Enum):
    """Nothing more can be read from what has come so far."""

    NEED_DATA = "need data"


NEED_DATA = NeedData.NEED_DATA

Event = Command | Content | Chunk | NeedData
