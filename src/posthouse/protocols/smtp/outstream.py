"""A connection to another host: bytes out with back-pressure, bytes in, TLS in between.

Spec: RFC 3207 §4.2 (nothing said before TLS counts).

Notes:
    asyncio's own streams keep bytes that came before the handshake and give them out after it. Here
    whatever is unread when TLS begins makes the switch fail.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from posthouse.model.errors import RemoteProtocolError

if TYPE_CHECKING:
    import ssl

_UNREAD_MAX = 256 << 10


class OutStream(asyncio.Protocol):
    """One outgoing connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._is_closed = False
        self._has_come = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()

    # --- called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection (or TLS on it) is up."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._unread += data
        self._has_come.set()
        if len(self._unread) > _UNREAD_MAX and self._transport is not None:
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """The host will say no more."""
        self._is_closed = True
        self._has_come.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """It is gone."""
        self._is_closed = True
        self._has_come.set()
        self._may_write.set()

    def pause_writing(self) -> None:
        """The kernel takes no more for now."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._may_write.set()

    # --- called by the client

    async def read(self) -> bytes:
        """What has come, at least one byte; b"" when the host has closed."""
        while not self._unread and not self._is_closed:
            self._has_come.clear()
            await self._has_come.wait()
        data = bytes(self._unread)
        self._unread.clear()
        if len(data) > _UNREAD_MAX and self._transport is not None:
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes | memoryview) -> None:
        """Send; returns when there is room for more. Raises ConnectionError when it is gone."""
        if self._is_closed or self._transport is None:
            raise ConnectionResetError("the connection is gone")
        self._transport.write(data)
        await self._may_write.wait()

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Begin TLS.

        Raises:
            RemoteProtocolError: something unread is there.
            OSError: the handshake failed (ssl.SSLError among them).
        """
        if self._unread or self._is_closed or self._transport is None:
            raise RemoteProtocolError("bytes before TLS that nobody asked for")
        loop = asyncio.get_running_loop()
        transport = await loop.start_tls(self._transport, self, context, server_hostname=host)
        if transport is None:
            raise ConnectionResetError("closed during the TLS handshake")
        self._transport = transport

    def close(self) -> None:
        """Let go of it, unsent bytes included."""
        self._is_closed = True
        if self._transport is not None:
            self._transport.abort()
