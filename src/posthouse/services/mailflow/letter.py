"""A message on its way into one mailbox, as rules and what follows from them see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.formats.mime.dots import unstuff
from posthouse.model.queue import Notify

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.model.blob import BlobRef, StagedBlob
    from posthouse.model.item import ItemColumns


class Letter(Struct, frozen=True, kw_only=True):
    """The message.

    Attributes:
        sender: envelope sender as text, "" the null sender.
        head: its header block, with the trace of the queue before it, or more of it.
        columns: of it.
        content: as it lies in the store, or will.
        trace: header lines that go along when it is handed on.
        at_ms: now.
        plain: reads the content.
        beginning: reads so many bytes of it, or a few more.
        notify: of the recipient.
        original: ORCPT of the recipient.
        envelope_id: ENVID.
        wants_headers_only: RET=HDRS.
        needs_smtputf8: see ``NewQueued``.
        is_8bit: see ``NewQueued``.
    """

    sender: str
    head: bytes
    columns: ItemColumns
    content: BlobRef
    trace: bytes
    at_ms: int
    plain: Callable[[], bytes]
    beginning: Callable[[int], bytes]
    notify: Notify = Notify.UNSAID
    original: str = ""
    envelope_id: str = ""
    wants_headers_only: bool = False
    needs_smtputf8: bool = False
    is_8bit: bool = False


def beginning_of_staged(staged: StagedBlob, bytes_max: int) -> bytes:
    """The first plain bytes of something staged."""
    if staged.ref.size_bytes <= len(staged.head) or bytes_max <= len(staged.head):
        return staged.head
    if staged.data is not None:
        wire: bytes = staged.data[:bytes_max]
    elif staged.path is not None:
        with staged.path.open("rb") as file:
            wire = file.read(bytes_max)
    else:
        wire = b""
    return unstuff(wire + b"\r\n.\r\n") if len(wire) < staged.ref.stored_bytes else unstuff(wire)
