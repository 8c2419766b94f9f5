"""Steps: run a coroutine at once, and make a task of it only when it has to wait.

Notes:
    Most commands are answered from memory and never wait; a task for each of them would cost more
    than the command. The coroutine runs in the caller's turn of the loop until it first awaits
    something unfinished. Only then a task takes over, beginning with that very future. Until that
    moment there is no current task: a coroutine started here must not enter ``asyncio.timeout`` or
    a ``TaskGroup`` before it has waited for something. What nobody may cancel is an errand and
    never becomes a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    Done = Callable[[Any, BaseException | None], None]

_ENDED = object()


class Steward(Protocol):
    """Who hears of the end of a coroutine that had to wait."""

    def concluded(self, steps: Suspended | Errand, value: Any, error: BaseException | None) -> None:  # noqa: ANN401
        """It returned ``value`` or raised ``error``.

        Called in its last step; must not raise.
        """
        ...


class Suspended(Coroutine[Any, Any, None]):
    """A coroutine that has run up to its first wait, fit to become a task.

    Attributes:
        done: what to call in the end; for the steward.
    """

    __slots__ = ("_awaited", "_coroutine", "_is_fresh", "_steward", "done")

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        awaited: Any,  # noqa: ANN401  what a coroutine yields to its loop has no type
        steward: Steward,
        done: Done,
    ) -> None:
        self._coroutine = coroutine
        self._awaited = awaited
        self._is_fresh = True
        self._steward = steward
        self.done = done

    def send(self, value: Any) -> Any:  # noqa: ANN401
        """Go on; the first time hand the loop the future that is waited for already."""
        if self._is_fresh:
            # Its _asyncio_future_blocking is still set by its __await__: the task takes it as if it
            # came right now.
            self._is_fresh = False
            awaited, self._awaited = self._awaited, None
            return awaited
        return self._go(self._coroutine.send, value)

    def throw(
        self,
        kind: type[BaseException] | BaseException,
        value: BaseException | object = None,
        trace: TracebackType | None = None,
        /,
    ) -> Any:  # noqa: ANN401
        """Raise in the coroutine where it waits."""
        if self._is_fresh:
            # Cancelled before the task's first step: the task does not know the future yet, so it
            # is for us to cancel it.
            self._is_fresh = False
            awaited, self._awaited = self._awaited, None
            if awaited is not None:
                awaited.cancel()
        error = value if isinstance(value, BaseException) else kind
        if trace is not None and isinstance(error, BaseException):
            error = error.with_traceback(trace)
        return self._go(self._coroutine.throw, error)

    def close(self) -> None:
        """End it without a word."""
        self._coroutine.close()

    def __await__(self) -> Any:  # noqa: ANN401
        raise TypeError("only a task runs this")

    def _go(self, step: Callable[[Any], Any], argument: object) -> Any:  # noqa: ANN401
        try:
            return step(argument)
        except StopIteration as stop:
            self._steward.concluded(self, stop.value, None)
            raise StopIteration from None
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  whatever it is, the steward decides
            self._steward.concluded(self, None, error)
        # The error has been heard: to the task this is a quiet end.
        raise StopIteration


class Errand:
    """A coroutine that nobody will cancel, carried from wait to wait without a task.

    A task would cost more than most of what is done by errands: its registration, a turn of the
    loop before its first step, another one after its end. There is no current task, though: such a
    coroutine must never enter ``asyncio.timeout`` or a ``TaskGroup``.
    """

    __slots__ = ("_coroutine", "_steward", "done")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], steward: Steward, done: Done) -> None:
        self._coroutine = coroutine
        self._steward = steward
        self.done = done

    def wait(self, awaited: Any) -> None:  # noqa: ANN401  what a coroutine yields has no type
        """Go on when the future is done; None asks for the next turn of the loop."""
        if awaited is None:
            asyncio.get_running_loop().call_soon(self._go, None)
        else:
            awaited._asyncio_future_blocking = False  # noqa: SLF001  the contract between loop and future
            awaited.add_done_callback(self._go)

    def _go(self, _: object) -> None:
        try:
            awaited = self._coroutine.send(None)
        except StopIteration as stop:
            value = stop.value
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  whatever it is, the steward decides
            self._steward.concluded(self, None, error)
            return
        else:
            self.wait(awaited)
            return
        self._steward.concluded(self, value, None)


def start(coroutine: Coroutine[Any, Any, Any], steward: Steward, done: Done) -> Suspended | None:
    """Run ``coroutine`` until it ends or waits.

    Returns:
        None when it has ended (``done`` has been called), else what must be made a task at once.
    """
    awaited = _begin(coroutine, done)
    return None if awaited is _ENDED else Suspended(coroutine, awaited, steward, done)


def run_errand(coroutine: Coroutine[Any, Any, Any], steward: Steward, done: Done) -> None:
    """Run ``coroutine`` to its end, at once as far as it goes; nothing can cancel it."""
    awaited = _begin(coroutine, done)
    if awaited is not _ENDED:
        Errand(coroutine, steward, done).wait(awaited)


def _begin(coroutine: Coroutine[Any, Any, Any], done: Done) -> Any:  # noqa: ANN401
    """The first step: what it waits for, or _ENDED."""
    try:
        return coroutine.send(None)
    except StopIteration as stop:
        value = stop.value
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001  whatever it is, ``done`` decides
        done(None, error)
        return _ENDED
    done(value, None)
    return _ENDED
