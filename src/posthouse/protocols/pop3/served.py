"""A message as RETR and TOP serve it.

Spec: RFC 1939 §3, §11 (sizes); RFC 6856 §2.1, §5.

Notes:
    - The stored bytes are sent as they are. Only a message kept raw is brought into wire form here,
      and one that the sender declared as internationalised (SMTPUTF8) is refused to a client that
      did not say UTF8, when its header really is: RFC 6856 forbids to send it as it is.
    - Departs: RFC 6856 §2.1, because 8-bit octets in the header of a message that was not declared
      so are an old fault of senders which every client has met; they are sent as they came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.formats.mime.dots import stuff
from posthouse.model.blob import BlobForm
from posthouse.model.errors import NotFound
from posthouse.protocols.pop3.errors import Refused
from posthouse.protocols.pop3.wire.codes import Code
from posthouse.protocols.pop3.wire.content import TERMINATOR, header_end
from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from posthouse.model.item import Content
    from posthouse.protocols.pop3.maildrop import Maildrop
    from posthouse.protocols.pop3.session import Pop3Session

_RAW = BlobForm.RAW
_SMTPUTF8_MARK = b" with UTF8"
"""RFC 6531 §4.3: how the Received line of a declared message begins to name its protocol."""


def served(
    session: Pop3Session, maildrop: Maildrop, msg_no: int, content: Content
) -> tuple[int, bytes, memoryview]:
    """Get the message.

    Returns:
        Its octets as RETR announces them (dots counted once, the terminator not at all), header
        lines that go before it, and the rest with its terminator.

    Raises:
        Refused: gone since it was read ahead, or not for this client.
        Unavailable: it could not be read now.
    """
    prefix = content.prefix
    if maildrop.is_tagged:
        prefix = maildrop.part_of(msg_no).tag + prefix
    ref = content.blob
    if ref is None:
        return len(prefix), prefix, memoryview(TERMINATOR)
    try:
        wire = session.services.store.blobs.read(ref)
    except NotFound as e:
        raise Refused(Text.MESSAGE_GONE, Code.SYS_TEMP, is_offence=False, msg_no=msg_no) from e
    octets = len(prefix) + ref.served_bytes
    if ref.form is _RAW:
        stuffed = stuff(bytes(wire))
        wire = memoryview(stuffed.wire)
        octets += 2 * stuffed.lacks_final_eol
    if _SMTPUTF8_MARK in prefix and not session.is_utf8:
        _refuse_international(prefix, wire)
    return octets, prefix, wire


def _refuse_international(prefix: bytes, wire: memoryview) -> None:
    if not (prefix.isascii() and bytes(wire[: header_end(wire)]).isascii()):
        raise Refused(Text.NEEDS_UTF8, Code.UTF8, is_offence=False)
