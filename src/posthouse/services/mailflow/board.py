"""The board: which receipts were settled a moment ago, visible to every worker at once.

Notes:
    The records learn of settled receipts with the next commit, milliseconds later; a client's next
    connection may be at another worker before that. The board is memory that the processes share:
    made before they fork, a table of slots, each with the beginning of one receipt. It forgets by
    being written over, and is never more than a hint: a receipt that is missing here is merely
    taken for standing.
"""

from __future__ import annotations

from mmap import mmap

_SLOTS = 8_192
_KEPT = 16
_EMPTY = bytes(_KEPT)


class SettledBoard:
    """One per installation; make it before the workers fork."""

    __slots__ = ("_memory",)

    def __init__(self) -> None:
        self._memory = mmap(-1, _SLOTS * _KEPT)

    def pin(self, receipt: bytes) -> None:
        """It is settled."""
        at = _slot(receipt)
        self._memory[at : at + _KEPT] = receipt[:_KEPT]

    def is_pinned(self, receipt: bytes) -> bool:
        """Whether it was settled a moment ago, by any process."""
        at = _slot(receipt)
        return self._memory[at : at + _KEPT] == receipt[:_KEPT]

    def unpin(self, receipt: bytes) -> None:
        """It is to stand again, for a new message."""
        if self.is_pinned(receipt):
            at = _slot(receipt)
            self._memory[at : at + _KEPT] = _EMPTY


def _slot(receipt: bytes) -> int:
    return int.from_bytes(receipt[-4:], "big") % _SLOTS * _KEPT
