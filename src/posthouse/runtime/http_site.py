"""A site: several HTTP doors behind one listener, told apart by path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.runtime.http import NOT_FOUND, Admission, Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from posthouse.runtime.http import Head, HttpDoor


class HttpSite:
    """Implements ``HttpDoor`` by others. The longest prefix wins; letter case does not count."""

    __slots__ = ("_doors",)

    def __init__(self, doors: Mapping[str, HttpDoor]) -> None:
        """``doors``: path in lower case, no slash at its end -> who answers there and below."""
        self._doors = dict(doors)

    async def admit(self, head: Head) -> Admission | Answer:
        """See HttpDoor."""
        door = self._door(head.path)
        return NOT_FOUND if door is None else await door.admit(head)

    async def answer(self, head: Head, admission: Admission, body: bytes) -> Answer:
        """See HttpDoor."""
        door = self._door(head.path)
        return NOT_FOUND if door is None else await door.answer(head, admission, body)

    def _door(self, path: str) -> HttpDoor | None:
        at = path.lower()
        while True:
            door = self._doors.get(at)
            if door is not None:
                return door
            at, slash, _ = at.rpartition("/")
            if not slash:
                return None
