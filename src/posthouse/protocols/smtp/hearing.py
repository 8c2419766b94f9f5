"""Which 250s the client is known to have heard.

Notes:
    A client that speaks again after our 250 has heard it. One that had sent more before it could
    have seen the 250 proves nothing by that, neither then nor later; only a clean end of the
    connection settles its receipts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posthouse.services.mailflow.accept import Mailflow

_UNHEARD_MAX = 1_000
"""Beyond that receipts are left to expire."""


class Hearing:
    """Keeps the receipts of one connection until they may be settled."""

    __slots__ = ("_is_doubtful", "_mailflow", "_unheard")

    def __init__(self, mailflow: Mailflow) -> None:
        self._mailflow = mailflow
        self._unheard: list[bytes] = []
        self._is_doubtful = False

    def said(self, receipt: bytes, *, is_waited_for: bool) -> None:
        """A 250 goes out.

        Args:
            receipt: what it acknowledged; b"" when it has none.
            is_waited_for: the client has sent nothing behind its message.
        """
        if not is_waited_for:
            self._is_doubtful = True
        if receipt and len(self._unheard) < _UNHEARD_MAX:
            self._unheard.append(receipt)

    def spoke(self) -> None:
        """The client said something."""
        if self._unheard and not self._is_doubtful:
            self.settle()

    def settle(self) -> None:
        """All was heard."""
        for receipt in self._unheard:
            self._mailflow.settle(receipt)
        self._unheard.clear()
