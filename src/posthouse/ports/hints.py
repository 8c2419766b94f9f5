"""Hints: "this mailbox has advanced", within a process and across the workers of one machine.

Notes:
    A lost hint costs latency, never correctness: ``Store.wait`` looks at the mailbox before it
    sleeps, and a sweep repairs what got lost.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.model.changes import Hint


class Hears(Enum):
    """What of other processes one wants to hear.

    EVERYTHING: every hint, at once.
    GATHERED: what concerns the house at once; of each folder that moved the last hint, a moment
        later, many in one.
    HOUSE: only what concerns the house (mailbox 0, the directory).
    """

    EVERYTHING = "hints"
    GATHERED = "batch"
    HOUSE = "calls"


class Hints(Protocol):
    """The bus."""

    def publish(self, hint: Hint) -> None:
        """Tell everyone, this process included.

        Never blocks, never raises; callable from any thread.
        """
        ...

    def subscribe(self, listener: Callable[[Hint], None]) -> Callable[[], None]:
        """Hear every hint in the event loop's thread; the answer ends the subscription."""
        ...

    def publish_directory(self) -> None:
        """Tell everyone that the directory changed."""
        ...

    def subscribe_directory(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Hear of directory changes in the event loop's thread."""
        ...

    def close(self) -> None:
        """Leave the bus."""
        ...
