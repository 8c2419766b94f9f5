"""TLS on one connection, server's side: OpenSSL with as little Python around it as possible.

Spec: RFC 8446; RFC 5246.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    import socket
    import ssl


class TlsEngine(Protocol):
    """What ``channel`` and ``sending`` need of it, on a non-blocking socket.

    All but ``version`` and ``cipher`` raise what ``ssl`` raises: SSLWantReadError and
    SSLWantWriteError when the call is to be repeated, SSLEOFError when the peer closed without a
    word, other OSErrors when the connection is broken.
    """

    @property
    def session_reused(self) -> bool:
        """The client came with a ticket of ours."""
        ...

    def do_handshake(self) -> None:
        """As far as it goes."""
        ...

    def read(self, size: int, buffer: memoryview, /) -> int:
        """At most one record; 0: the peer has said goodbye."""
        ...

    def write(self, data: bytes | memoryview, /) -> int:
        """At most one record; returns how much of ``data`` was taken."""
        ...

    def shutdown(self) -> object:
        """Send close_notify."""
        ...

    def version(self) -> str | None:
        """``TLSv1.3`` or the like; None before the handshake."""
        ...

    def cipher(self) -> tuple[str, str, int] | None:
        """Name, version, bits; None before the handshake."""
        ...


def engine_on(sock: socket.socket, context: ssl.SSLContext) -> tuple[socket.socket, TlsEngine]:
    """Begin TLS on a non-blocking socket, as server.

    Returns:
        The socket to keep (and close) instead of ``sock``, usually itself, and its engine, which
        does not keep it alive.
    """
    # The name is CPython's own, the same since 3.7. An SSLSocket around this object would cost two
    # Python frames for each read and write, and five system calls and 0.3 kB for each connection.
    wrap = getattr(context, "_wrap_socket", None)
    if wrap is not None:
        return sock, cast("TlsEngine", wrap(sock, server_side=True))
    outer = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
    return outer, _Fallback(outer)


class _Fallback:
    """The same by public names, for a Python that has no ``_wrap_socket``."""

    __slots__ = ("_sock",)

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock

    @property
    def session_reused(self) -> bool:
        return bool(self._sock.session_reused)

    def do_handshake(self) -> None:
        self._sock.do_handshake()

    def read(self, size: int, buffer: memoryview, /) -> int:
        return self._sock.recv_into(buffer, min(size, len(buffer)))

    def write(self, data: bytes | memoryview, /) -> int:
        return self._sock.send(data)

    def shutdown(self) -> object:
        return self._sock.unwrap()

    def version(self) -> str | None:
        return self._sock.version()

    def cipher(self) -> tuple[str, str, int] | None:
        return self._sock.cipher()
