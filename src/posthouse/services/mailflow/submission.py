"""What a submission must be, and what the server adds to it or takes away.

Spec: RFC 6409 §6.1 (sender), §8.1 to 8.3 (Sender, Date, Message-ID), RFC 5322 §3.6.2 (Sender),
    §3.6.3 (Bcc).

Notes:
    The author fields are bound to the login: exactly one From, at most one Sender, and every
    address in them must be one that the login may send as. Who writes on somebody's behalf stands
    in Sender with an address of their own; where the client left that out, the server adds it.
    A line that no parser agrees on (white space before the
    colon, no colon at all) could be read as a second From by a client, so any line that looks like
    one counts as one. Bcc is taken out on the wire form: dot-stuffing cannot touch such a line or
    its continuations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from posthouse.formats.mime.addresses import parse_addresses
from posthouse.formats.mime.dates import date_text
from posthouse.formats.mime.headers import fields, header_block
from posthouse.formats.mime.trace import header_line
from posthouse.model.address import Address
from posthouse.model.blob import BlobForm
from posthouse.model.errors import AccessDenied, TooLarge
from posthouse.services.directory.addresses import SendRight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from posthouse.model.blob import StagedBlob
    from posthouse.model.item import ItemColumns
    from posthouse.ports.blobs import Blobs

HEAD_OCTETS_MAX = 1 << 20
_AUTHOR_FIELDS = (b"from", b"sender")
_HIDDEN_FIELDS = (b"bcc", b"resent-bcc")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Authorship:
    """Who wrote a submission.

    Attributes:
        others: authors that the login itself is not, in order.
        lacks_sender: some of them may only be written for with the login as Sender, and there is
            no such field yet.
    """

    others: tuple[Address, ...] = ()
    lacks_sender: bool = False


_OWN_WORK = Authorship()


def check_author(head: bytes, right_to: Callable[[Address], SendRight]) -> Authorship:
    """Refuse a message whose author fields the login may not use.

    Args:
        head: the message's beginning.
        right_to: how far the login may use an address.

    Raises:
        AccessDenied: no From, two of them, two Senders, no address, or someone else's.
    """
    block = head[: header_block(head)]
    found = {name: _values(block, name) for name in _AUTHOR_FIELDS}
    if len(found[b"from"]) != 1 or len(found[b"sender"]) > 1:
        raise AccessDenied("the message needs exactly one From field and at most one Sender")
    authors = _usable(b"from", found[b"from"][0], right_to)
    senders = _usable(b"sender", found[b"sender"][0], right_to) if found[b"sender"] else []
    if any(right is SendRight.ON_BEHALF for _, right in senders):
        raise AccessDenied("sender is not an address of the login")
    if all(right is SendRight.OWN for _, right in authors):
        return _OWN_WORK
    on_behalf = any(right is SendRight.ON_BEHALF for _, right in authors)
    if on_behalf and any(right is not SendRight.OWN for _, right in senders):
        raise AccessDenied("on behalf of somebody only with an own address as Sender")
    others = tuple(address for address, right in authors if right is not SendRight.OWN)
    return Authorship(others, lacks_sender=on_behalf and not senders)


def _values(block: bytes, name: bytes) -> list[bytes]:
    """Values of every line that any client might take for this field."""
    if _suspects(block, name) != sum(field.name == name for field in fields(block)):
        raise AccessDenied(f"a header line imitates {name.decode()}")
    return [field.value for field in fields(block) if field.name == name]


def _suspects(block: bytes, name: bytes) -> int:
    """Lines that begin with the name and, perhaps after white space or a NUL, a colon."""
    count = 0
    for line in block.lower().split(b"\n"):
        before, colon, _ = line.partition(b":")
        if colon and name in before and not before.startswith((b" ", b"\t")):
            count += before.translate(None, b" \t\r\0\x0b\x0c\xa0").strip() == name
    return count


def _usable(
    name: bytes, value: bytes, right_to: Callable[[Address], SendRight]
) -> list[tuple[Address, SendRight]]:
    """The addresses of a field with what the login may do with each; never NONE."""
    entries = parse_addresses(value, addresses_max=100)
    if not entries or len(entries) >= 100:
        raise AccessDenied(f"{name.decode()} names nobody, or too many")
    found: list[tuple[Address, SendRight]] = []
    for entry in entries:
        try:
            address = Address.parse(entry.address)
        except ValueError:
            raise AccessDenied(f"{name.decode()} holds something that is no address") from None
        right = right_to(address)
        if right is SendRight.NONE:
            raise AccessDenied(f"{name.decode()} is not an address of the login")
        found.append((address, right))
    return found


def missing_fields(
    head: bytes, columns: ItemColumns, hostname: str, token: str, now_ms: int, sender: str = ""
) -> tuple[bytes, ItemColumns]:
    """Header lines for what a client left out, and the columns as they are then.

    Args:
        head: the message's beginning.
        columns: read from it.
        hostname: right part of a new Message-ID.
        token: left part of it.
        now_ms: time for a Date.
        sender: address for a Sender field that ``check_author`` misses; "" it misses none.
    """
    added = b""
    if sender:
        added += header_line("Sender", f"<{sender}>")
    if not columns.message_id:
        columns = replace(columns, message_id=f"{token}@{hostname}")
        added += header_line("Message-ID", f"<{columns.message_id}>")
    if not columns.sent_at and not any(field.name == b"date" for field in fields(head)):
        columns = replace(columns, sent_at=now_ms // 1000 * 1000)
        added += header_line("Date", date_text(now_ms))
    return added, columns


def has_hidden_recipients(head: bytes) -> bool:
    """Whether there are Bcc lines.

    Raises:
        TooLarge: the header goes on beyond what was looked at, so they could not be found for sure.
    """
    end = header_block(head)
    if end == len(head) and len(head) >= HEAD_OCTETS_MAX:
        raise TooLarge("header block of a submission above 1 MiB")
    return b"bcc" in head[:end].lower()


def without_hidden_recipients(content: StagedBlob, blobs: Blobs) -> StagedBlob:
    """The same message without Bcc lines, staged anew; ``content`` itself without any."""
    wire = content.data if content.data is not None else _first_bytes(content)
    end = header_block(wire)
    kept = [line for line, is_hidden in _lines(wire[:end]) if not is_hidden]
    header = b"".join(kept)
    removed = end - len(header)
    if not removed:
        return content
    ref = content.ref
    lacks_final_eol = ref.lacks_final_eol and end < ref.stored_bytes - 3
    size_bytes = ref.stored_bytes - removed - 3 - _dot_lines(content) - 2 * lacks_final_eol
    staging = blobs.stage(BlobForm.WIRE)
    staging.write(header)
    for chunk in _rest(content, wire, end):
        staging.write(chunk)
    return staging.finish(
        size_bytes, has_dot_lines=ref.has_dot_lines, lacks_final_eol=lacks_final_eol
    )


def _dot_lines(content: StagedBlob) -> int:
    """How many dots stuffing added: what is between the stored and the plain size."""
    ref = content.ref
    return ref.stored_bytes - 3 - 2 * ref.lacks_final_eol - ref.size_bytes


def _first_bytes(content: StagedBlob) -> bytes:
    """Enough of a spooled message to hold its header, stuffed dots included."""
    if content.path is None:
        return b""
    with content.path.open("rb") as file:
        return file.read(2 * HEAD_OCTETS_MAX)


def _rest(content: StagedBlob, wire: bytes, start: int) -> Iterator[bytes | memoryview]:
    """The stored form from an offset on; a spooled message comes in pieces."""
    if content.path is None:
        yield memoryview(wire)[start:]
        return
    with content.path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(_CHUNK):
            yield chunk


def _lines(header: bytes) -> list[tuple[bytes, bool]]:
    """Physical lines, each with whether it belongs to a Bcc field."""
    out: list[tuple[bytes, bool]] = []
    is_hidden = False
    for line in header.splitlines(keepends=True):
        if not line.startswith((b" ", b"\t")):
            name = line.partition(b":")[0].rstrip(b" \t").lower()
            is_hidden = name in _HIDDEN_FIELDS
        out.append((line, is_hidden))
    return out
