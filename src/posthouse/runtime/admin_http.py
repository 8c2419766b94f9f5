"""The admin listener: answers GET for health and metrics, on loopback, and nothing else.

Spec: RFC 9112, as little of it as a probe needs: one request a connection.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from posthouse.runtime.logs import Log

_HEAD_MAX_BYTES = 8_192
_REQUEST_MAX_S = 5.0
_CONNECTIONS_MAX = 32

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Page:
    """An answer.

    Attributes:
        body: as sent.
        content_type: of the body.
        status: HTTP status code; a failing health check answers 503.
    """

    body: bytes
    content_type: str = JSON_TYPE
    status: int = 200


class AdminHttp:
    """Serves a few paths. Each is a coroutine function without arguments."""

    __slots__ = ("_log", "_open_count", "_pages", "_server")

    def __init__(self, pages: Mapping[str, Callable[[], Awaitable[Page]]], log: Log) -> None:
        self._pages = dict(pages)
        self._log = log
        self._server: asyncio.Server | None = None
        self._open_count = 0

    async def open(self, host: str, port: int) -> int:
        """Begin to listen; answers the port (``port`` may be 0).

        Raises OSError when it is taken.
        """
        self._server = await asyncio.start_server(self._serve, host, port, limit=_HEAD_MAX_BYTES)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open_count += 1
        try:
            if self._open_count <= _CONNECTIONS_MAX:
                page, is_head = await asyncio.wait_for(self._answer(reader), _REQUEST_MAX_S)
                writer.write(_head(page))
                if not is_head:
                    writer.write(page.body)
                await asyncio.wait_for(writer.drain(), _REQUEST_MAX_S)
        except (OSError, EOFError, TimeoutError):
            pass
        finally:
            self._open_count -= 1
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[Page, bool]:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE), False
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return _plain(HTTPStatus.BAD_REQUEST), False
        if words[0] not in (b"GET", b"HEAD"):
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED), False
        path = words[1].split(b"?", 1)[0].decode("latin-1")
        make = self._pages.get(path)
        if make is None:
            return _plain(HTTPStatus.NOT_FOUND), words[0] == b"HEAD"
        try:
            return await make(), words[0] == b"HEAD"
        except Exception as error:  # noqa: BLE001  the top of this session: a probe must hear that we are ill
            self._log.failure("admin_page_failed", error, path=path)
            return _plain(HTTPStatus.INTERNAL_SERVER_ERROR), words[0] == b"HEAD"


def _plain(status: HTTPStatus) -> Page:
    return Page(f"{status.phrase}\n".encode(), "text/plain", status)


def _head(page: Page) -> bytes:
    allow = "Allow: GET, HEAD\r\n" if page.status == HTTPStatus.METHOD_NOT_ALLOWED else ""
    return (
        f"HTTP/1.1 {page.status} {HTTPStatus(page.status).phrase}\r\n"
        f"Content-Type: {page.content_type}\r\nContent-Length: {len(page.body)}\r\n{allow}"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    ).encode()
