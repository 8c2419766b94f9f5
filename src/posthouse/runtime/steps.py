"""Steps: run a coroutine at once, and make a task of it only when it has to wait.

Notes:
    Most commands are answered from memory and never wait; a task for each of them would cost more
    than the command. The coroutine runs in the caller's turn of the loop until it first awaits
    something unfinished. Only then a task takes over, beginning with that very future. Until that
    moment there is no current task: a coroutine started here must not enter ``asyncio.timeout`` or
    a ``TaskGroup`` before it has waited for something.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    Done = Callable[[Any, BaseException | None], None]


class Steward(Protocol):
    """Who hears of the end of a coroutine that had to wait."""

    def concluded(self, steps: Suspended, value: Any, error: BaseException | None) -> None:  # noqa: ANN401
        """It returned ``value`` or raised ``error``.

        Called in the task's last step; must not raise.
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


def start(coroutine: Coroutine[Any, Any, Any], steward: Steward, done: Done) -> Suspended | None:
    """Run ``coroutine`` until it ends or waits.

    Returns:
        None when it has ended (``done`` has been called), else what must be made a task at once.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration as stop:
        value = stop.value
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001  whatever it is, ``done`` decides
        done(None, error)
        return None
    else:
        return Suspended(coroutine, awaited, steward, done)
    done(value, None)
    return None
