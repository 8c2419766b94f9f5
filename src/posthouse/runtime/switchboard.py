"""Switchboard: what all connections of one process share.

Notes:
    One epoll of our own hangs in the event loop as a single reader. A connection costs the loop
    nothing: no handle, no context, no poll object, only its place in a list indexed by descriptor.
    Measured with 2 000 descriptors on uvloop, ``loop.add_reader`` for each of them would cost
    0.6 kB and about 5 us more per connection.
    Events are hints: a handler finds out by its own system calls what is true, so an event meant
    for a closed descriptor whose number was given away again does no harm.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from posthouse.runtime.clock import SystemChance

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

_BATCH_MAX = 256
_BUFFER_BYTES = 262_144
_TICK_S = 1.0


class Handler(Protocol):
    """Somebody who owns a descriptor.

    Attributes:
        deadline: the tick at which ``expired`` is due; 0 never.
    """

    deadline: int

    def ready(self, events: int) -> None:
        """The descriptor may be readable, writable or broken."""
        ...

    def expired(self) -> None:
        """The deadline has passed; it is 0 again."""
        ...


class Switchboard:
    """Epoll, receive buffer, deadlines and identity numbers of the connections of one loop.

    Attributes:
        loop: the event loop.
        view: where everybody receives; what is in it is copied out before the next turn.
        prefix: begins the names of this loop's connections; no other process has the same.
        tick: seconds since the first descriptor was added, roughly; moves once a second.
    """

    __slots__ = (
        "_epoll",
        "_handlers",
        "_is_closed",
        "_serial",
        "_timer",
        "loop",
        "prefix",
        "tick",
        "view",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, prefix: str = "") -> None:
        self.loop = loop
        self.prefix = prefix or SystemChance().token_bytes(3).hex()
        self.view = memoryview(bytearray(_BUFFER_BYTES))
        self.tick = 1
        self._serial = 0
        self._handlers: list[Handler | None] = [None] * 64
        self._epoll = select.epoll()
        self._is_closed = False
        loop.add_reader(self._epoll.fileno(), self._dispatch)
        self._timer = loop.call_later(_TICK_S, self._on_tick)

    def next_serial(self) -> int:
        """A number that no other connection of this process has had."""
        self._serial += 1
        return self._serial

    def add(self, fd: int, handler: Handler, events: int) -> None:
        """Watch a descriptor; it is forgotten by ``remove`` and must then be closed."""
        handlers = self._handlers
        while fd >= len(handlers):
            handlers.extend([None] * len(handlers))
        self._epoll.register(fd, events)
        handlers[fd] = handler

    def change(self, fd: int, events: int) -> None:
        """Watch for other events."""
        self._epoll.modify(fd, events)

    def remove(self, fd: int) -> None:
        """Forget a descriptor that is about to be closed; closing it takes it out of the epoll."""
        self._handlers[fd] = None

    def unwatch(self, fd: int) -> None:
        """Forget a descriptor that stays open or is shared with another process."""
        self._handlers[fd] = None
        self._epoll.unregister(fd)

    def handlers(self) -> Iterator[Handler]:
        """All handlers; the list may change under way."""
        return (handler for handler in list(self._handlers) if handler is not None)

    def _dispatch(self) -> None:
        handlers = self._handlers
        for fd, events in self._epoll.poll(0, _BATCH_MAX):
            handler = handlers[fd]
            if handler is not None:
                handler.ready(events)

    def _on_tick(self) -> None:
        self._timer = self.loop.call_later(_TICK_S, self._on_tick)
        self.advance()

    def advance(self, ticks: int = 1) -> None:
        """Let ``ticks`` seconds pass for the deadlines."""
        self.tick += ticks
        tick = self.tick
        due = [one for one in self._handlers if one is not None and 0 < one.deadline <= tick]
        for handler in due:
            if handler.deadline:  # not closed or put off by an earlier one
                handler.deadline = 0
                handler.expired()

    def close(self) -> None:
        """Leave the loop. The connections have been closed before."""
        if not self._is_closed:
            self._is_closed = True
            self._timer.cancel()
            self.loop.remove_reader(self._epoll.fileno())
            self._epoll.close()


_switchboards: WeakKeyDictionary[asyncio.AbstractEventLoop, Switchboard] = WeakKeyDictionary()


def switchboard_of(loop: asyncio.AbstractEventLoop) -> Switchboard:
    """The switchboard of a loop, made at first asking."""
    found = _switchboards.get(loop)
    if found is None:
        found = _switchboards[loop] = Switchboard(loop)
    return found
