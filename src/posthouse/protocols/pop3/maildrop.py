"""The maildrop: what one session sees, fixed at login.

Spec: RFC 1939 §4 (the maildrop), §5 (message numbers).

Notes:
    A Maildrop never changes and is shared by all sessions that see the same; a session adds only
    the set of numbers it has marked. It is made of parts, one for each chunk of the store's
    listing. A part keeps the text of its UIDL and LIST lines once somebody asked; where nothing is
    left out the part lives on the chunk itself, so that an append to a large folder renders the
    last chunk anew and nothing else.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from posthouse.model.ids import ItemId
from posthouse.protocols.pop3.wire.uidl import list_lines, uidl_lines, uidl_of, without_lines

if TYPE_CHECKING:
    from array import array
    from collections.abc import Collection, Mapping, Sequence

    from posthouse.model.ids import FolderId, MailboxId
    from posthouse.protocols.pop3.policy import DeletePolicy


TEXTS_MAX = 4
"""Texts that a run of messages keeps."""


class Rows(NamedTuple):
    """What a part is made of.

    Attributes:
        item_ids: the items.
        sizes: beside them.
        texts: where lines are kept that were rendered.
        earlier_texts: lines of the first messages, if they were rendered before others were added.
        earlier_count: how many these are.
    """

    item_ids: array[int]
    sizes: array[int]
    texts: dict[str, bytes]
    earlier_texts: dict[str, bytes]
    earlier_count: int


class Message(NamedTuple):
    """One message of the maildrop.

    Attributes:
        folder_id: where it lay at login.
        item_id: which.
        octets: as LIST tells.
        tag: header line that is sent before it (b"" in the inbox).
    """

    folder_id: FolderId
    item_id: ItemId
    octets: int
    tag: bytes


class Part:
    """A run of messages from one folder.

    Attributes:
        folder_id: the folder.
        first_no: number of its first message.
        tag: header line sent before each.
        item_ids: the items, in order.
        sizes: their sizes, tag not included.
    """

    __slots__ = (
        "_earlier",
        "_earlier_count",
        "_imported",
        "_texts",
        "first_no",
        "folder_id",
        "item_ids",
        "sizes",
        "tag",
    )

    def __init__(
        self,
        folder_id: FolderId,
        first_no: int,
        tag: bytes,
        rows: Rows,
        imported: Mapping[int, str],
    ) -> None:
        self.folder_id = folder_id
        self.first_no = first_no
        self.tag = tag
        self.item_ids = rows.item_ids
        self.sizes = rows.sizes
        self._texts = rows.texts
        self._earlier = rows.earlier_texts
        self._earlier_count = rows.earlier_count
        self._imported = imported

    def __len__(self) -> int:
        return len(self.item_ids)

    @property
    def octets(self) -> int:
        """Octets of all messages, as sent."""
        return sum(self.sizes) + len(self.tag) * len(self.sizes)

    @property
    def is_uidl_ready(self) -> bool:
        """Whether the lines of UIDL need not be made first."""
        return self._uidl_key in self._texts

    @property
    def is_list_ready(self) -> bool:
        """Whether the lines of LIST need not be made first."""
        return self._list_key in self._texts

    @property
    def _uidl_key(self) -> str:
        return f"pop3.uidl.{self.first_no}"

    @property
    def _list_key(self) -> str:
        return f"pop3.list.{self.first_no}.{len(self.tag)}"

    def uidl_text(self) -> bytes:
        """The lines of UIDL."""
        key = self._uidl_key
        text = self._texts.get(key)
        if text is None:
            earlier = self._earlier.get(key, b"")
            skip = self._earlier_count if earlier else 0
            item_ids = self.item_ids[skip:] if skip else self.item_ids
            text = earlier + uidl_lines(self.first_no + skip, item_ids, self._imported)
            self._keep(key, text)
        return text

    def list_text(self) -> bytes:
        """The lines of LIST."""
        key = self._list_key
        text = self._texts.get(key)
        if text is None:
            earlier = self._earlier.get(key, b"")
            skip = self._earlier_count if earlier else 0
            sizes = self.sizes[skip:] if skip else self.sizes
            text = earlier + list_lines(self.first_no + skip, sizes, len(self.tag))
            self._keep(key, text)
        return text

    def _keep(self, key: str, text: bytes) -> None:
        """Remember a text; only a few with other numbers, since each arrival moves those behind."""
        ours = [other for other in self._texts if other.startswith("pop3.")]
        if len(ours) >= TEXTS_MAX:
            for other in ours:
                del self._texts[other]
        self._texts[key] = text

    def uidl(self, index: int) -> str:
        """The unique id of one message."""
        return uidl_of(self.item_ids[index], self._imported)


class Maildrop:
    """All messages of one view.

    Attributes:
        mailbox_id: whose.
        parts: in order; none is empty.
        count: messages.
        octets: of all of them.
        is_tagged: some are sent with a tag.
        delete: what QUIT does with those marked.
        hides: whether the policy ``hide`` remembers what was marked (a ``recent:`` login remembers
            nothing).
    """

    __slots__ = (
        "_starts",
        "count",
        "delete",
        "hides",
        "is_tagged",
        "mailbox_id",
        "octets",
        "parts",
    )

    def __init__(
        self,
        mailbox_id: MailboxId,
        parts: Sequence[Part],
        octets: int,
        delete: DeletePolicy,
        *,
        hides: bool,
    ) -> None:
        self.mailbox_id = mailbox_id
        self.parts = tuple(parts)
        self.delete = delete
        self.hides = hides
        self.count = sum(map(len, self.parts))
        self.octets = octets
        self.is_tagged = any(part.tag for part in self.parts)
        self._starts = tuple(part.first_no for part in self.parts)

    def part_of(self, msg_no: int) -> Part:
        """The part that holds a number from 1 to ``count``."""
        return self.parts[bisect_right(self._starts, msg_no) - 1]

    def message(self, msg_no: int) -> Message:
        """One message; the number is from 1 to ``count``."""
        part = self.part_of(msg_no)
        index = msg_no - part.first_no
        return Message(
            part.folder_id,
            ItemId(part.item_ids[index]),
            part.sizes[index] + len(part.tag),
            part.tag,
        )

    def uidl(self, msg_no: int) -> str:
        """The unique id of one message."""
        part = self.part_of(msg_no)
        return part.uidl(msg_no - part.first_no)

    def octets_of(self, marked: Collection[int]) -> int:
        """Octets of the messages with these numbers."""
        return sum([self.message(msg_no).octets for msg_no in marked])

    def uidl_texts(self, marked: Collection[int]) -> list[bytes]:
        """The lines of UIDL without the marked ones, in pieces."""
        if not marked:
            return [part.uidl_text() for part in self.parts]
        return [self._unmarked(part, part.uidl_text(), marked) for part in self.parts]

    def list_texts(self, marked: Collection[int]) -> list[bytes]:
        """The lines of LIST without the marked ones, in pieces."""
        if not marked:
            return [part.list_text() for part in self.parts]
        return [self._unmarked(part, part.list_text(), marked) for part in self.parts]

    @staticmethod
    def _unmarked(part: Part, text: bytes, marked: Collection[int]) -> bytes:
        numbers = range(part.first_no, part.first_no + len(part))
        left_out = [msg_no for msg_no in marked if msg_no in numbers]
        return without_lines(text, part.first_no, left_out) if left_out else text

    def marked_items(self, marked: Collection[int]) -> dict[FolderId, list[ItemId]]:
        """The items of these numbers, by folder, in order of number."""
        found: dict[FolderId, list[ItemId]] = {}
        for msg_no in sorted(marked):
            message = self.message(msg_no)
            found.setdefault(message.folder_id, []).append(message.item_id)
        return found
