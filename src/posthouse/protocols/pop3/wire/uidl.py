"""Unique ids and the lines of UIDL and LIST.

Spec: RFC 1939 §5 (LIST), §7 (UIDL).

Notes:
    Our own id is ``p`` and the item's number in hexadecimal. The item's number is never used again
    and stays the same when the item moves or comes back from a backup, so the id does too. An id
    brought along from another server is kept, where it is grammatical and nobody older has it.
    Since that server may have been a Posthouse, such an id may look like one of ours: the item with
    the lower number, which was here first, keeps the text, and the other one shows its own id,
    marked ``~`` when that is what was taken. Items and imports only ever get higher numbers, so
    what was decided once stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from posthouse.model.ids import ItemId

UIDL_OCTETS_MAX = 70


def own_uidl(item_id: int) -> str:
    """The id an item has when it brought none."""
    return f"p{item_id:x}"


class ImportedUidls:
    """The ids of a mailbox that differ from ``own_uidl``; fed in order of item, grows only.

    Attributes:
        by_item: item number to id.
        last_item_id: the highest item heard of; the next feed begins behind it.
        generation: grows with every feed that brought something.
    """

    __slots__ = ("_taken", "by_item", "generation", "last_item_id")

    def __init__(self) -> None:
        self.by_item: dict[int, str] = {}
        self.last_item_id = 0
        self.generation = 0
        self._taken: set[str] = set()

    def add(self, imported: Iterable[tuple[ItemId, str]]) -> None:
        """Hear of more items, in order of item number."""
        before = self.last_item_id
        for item_id, text in imported:
            self.last_item_id = item_id
            if is_uidl(text) and text not in self._taken and not self._is_anothers(item_id, text):
                self.by_item[item_id] = text
                self._taken.add(text)
        self.generation += self.last_item_id != before

    def _is_anothers(self, item_id: int, text: str) -> bool:
        """Whether an older item owns the text; a younger one that would has to give way."""
        owner = item_id_from_own(text)
        if owner is None or owner == item_id:
            return False
        if owner < item_id:
            return owner not in self.by_item
        marked = text + "~"
        while marked in self._taken:
            marked += "~"
        self.by_item[owner] = marked
        self._taken.add(marked)
        return False


def is_uidl(text: str) -> bool:
    """Whether a text is 1 to 70 characters in 0x21..0x7E (RFC 1939 §7)."""
    return 0 < len(text) <= UIDL_OCTETS_MAX and all("\x21" <= c <= "\x7e" for c in text)


def item_id_from_own(text: str) -> int | None:
    """The item whose own id this text is, if it is one."""
    if not text.startswith("p") or not 1 < len(text) <= 1 + 13:
        return None
    try:
        item_id = int(text[1:], 16)
    except ValueError:
        return None
    return item_id if item_id > 0 and own_uidl(item_id) == text else None


def uidl_of(item_id: int, imported: Mapping[int, str]) -> str:
    """The id of an item."""
    return imported.get(item_id) or own_uidl(item_id)


def uidl_lines(first_no: int, item_ids: Sequence[int], imported: Mapping[int, str]) -> bytes:
    """One line for each item, numbered from ``first_no``."""
    numbered = enumerate(item_ids, first_no)
    if imported:
        get = imported.get
        return "".join([f"{n} {get(i) or f'p{i:x}'}\r\n" for n, i in numbered]).encode()
    return "".join([f"{n} p{i:x}\r\n" for n, i in numbered]).encode()


def list_lines(first_no: int, sizes: Sequence[int], extra: int) -> bytes:
    """One line for each item, numbered from ``first_no``; ``extra`` octets are sent before each."""
    numbered = enumerate(sizes, first_no)
    return "".join([f"{n} {size + extra}\r\n" for n, size in numbered]).encode()


def without_lines(text: bytes, first_no: int, left_out: Iterable[int]) -> bytes:
    """The lines of ``text`` less those of the given message numbers."""
    lines = text.splitlines(keepends=True)
    for msg_no in left_out:
        lines[msg_no - first_no] = b""
    return b"".join(lines)
