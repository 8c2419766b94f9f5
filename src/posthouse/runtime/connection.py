"""What a door and the runtime owe each other: the session a door gives, the connection it gets.

Notes:
    ``socket_connection`` is the implementation. Doors and their tests need only this file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Connection(Protocol):
    """One connection, as a session sees it. To be used in the loop's thread only.

    Everything written while a method of the session (or a ``done``) runs leaves in one go when it
    returns, or at 64 KiB.
    """

    peer_host: str
    """The peer's IP address."""

    peer_port: int
    """The peer's port."""

    is_tls: bool
    """What is said now is encrypted."""

    @property
    def listener(self) -> str:
        """Name of the listener it came by."""
        ...

    @property
    def session_id(self) -> str:
        """Names the connection in logs and trace lines; unique on this machine."""
        ...

    @property
    def tls_version(self) -> str:
        """``TLSv1.3`` or the like; "" without TLS and after the end."""
        ...

    @property
    def tls_cipher(self) -> str:
        """The cipher suite; "" without TLS and after the end."""
        ...

    @property
    def can_start_tls(self) -> bool:
        """Whether ``start_tls`` is possible: there is a certificate and no TLS yet."""
        ...

    @property
    def is_congested(self) -> bool:
        """The kernel does not take our output: write no more until ``writable``.

        Nothing is read meanwhile.
        """
        ...

    @property
    def is_closing(self) -> bool:
        """Closing or closed: what is written now is lost."""
        ...

    def write(self, *buffers: bytes | memoryview) -> None:
        """Send the buffers in order.

        Views (of bytes, format B) are not copied: they must stay as they are.
        """
        ...

    def start_tls(self) -> None:
        """Send what is queued, then shake hands as server; then comes ``tls_started`` or the end.

        The session must have refused whatever was pipelined behind the command: nothing read before
        survives here. The deadline is replaced by one for the handshake, and 30 s after it: set
        your own in ``tls_started``.

        Raises:
            ValueError: ``can_start_tls`` is False.
        """
        ...

    def pause_reading(self) -> None:
        """Take nothing from the peer until ``resume_reading``.

        Cheap: costs a system call only if the peer sends.
        """
        ...

    def resume_reading(self) -> None:
        """Take input again."""
        ...

    def set_deadline(self, seconds: float | None) -> None:
        """Ask for ``timed_out`` in ``seconds`` (up to 1 s later), or never; replaces the last one.

        A new connection begins with 30 s.
        """
        ...

    def logged_in(self) -> None:
        """The peer has proved who it is: the limits for strangers do not count it any more."""
        ...

    def close(self) -> None:
        """Send what is queued, say goodbye, close.

        Nothing is read any more; ``connection_lost`` follows.
        """
        ...

    def abort(self) -> None:
        """Close at once; what is queued is lost."""
        ...

    def run(
        self,
        coroutine: Coroutine[Any, Any, Any],
        done: Callable[[Any, BaseException | None], None],
    ) -> None:
        """Run ``coroutine``, at once as far as it goes; ``done(value, error)`` is called just once.

        When it need not wait, ``done`` is called before ``run`` returns. It is cancelled when the
        connection is lost; ``done`` then gets the CancelledError, after ``connection_lost``. See
        ``steps`` for what it must not do.
        """
        ...

    def run_shielded(
        self,
        coroutine: Coroutine[Any, Any, Any],
        done: Callable[[Any, BaseException | None], None],
    ) -> None:
        """The same, but it runs to its end even if the connection is lost, as a commit must.

        It never becomes a task: see ``steps.Errand`` for what that forbids.
        """
        ...


class Session(Protocol):
    """What a door gives for each connection.

    Methods are called in the loop's thread, never one within another (``done`` of ``run`` apart).

    An exception that leaves one of them is logged, and the connection is closed without a word.
    """

    def connected(self, connection: Connection) -> None:
        """It begins; with implicit TLS after the handshake."""
        ...

    def data_received(self, data: bytes) -> None:
        """The peer said this: 1 byte to 256 KiB, cut anywhere."""
        ...

    def writable(self) -> None:
        """The kernel has taken all output after a congestion."""
        ...

    def tls_started(self) -> None:
        """``start_tls`` has succeeded: forget what was said before."""
        ...

    def timed_out(self) -> None:
        """The deadline passed: say goodbye and close.

        Not closing, it is called again when the next deadline passes (30 s).
        """
        ...

    def eof_received(self) -> None:
        """The peer will say no more; it may still listen. Usually: ``connection.close()``."""
        ...

    def connection_lost(self, *, was_clean: bool) -> None:
        """The end, exactly once after ``connected``.

        Args:
            was_clean: the peer closed with nothing of ours unacknowledged, or we closed and all
                output was handed over.
        """
        ...

    def drain(self) -> None:
        """The server is stopping: say goodbye at the next command boundary."""
        ...


class NoSession:
    """Stands in before the session is made and after it has ended; does nothing."""

    __slots__ = ()

    def connected(self, connection: Connection) -> None:
        """Nothing."""

    def data_received(self, data: bytes) -> None:
        """Nothing."""

    def writable(self) -> None:
        """Nothing."""

    def tls_started(self) -> None:
        """Nothing."""

    def timed_out(self) -> None:
        """Nothing."""

    def eof_received(self) -> None:
        """Nothing."""

    def connection_lost(self, *, was_clean: bool) -> None:
        """Nothing."""

    def drain(self) -> None:
        """Nothing."""


NO_SESSION = NoSession()
