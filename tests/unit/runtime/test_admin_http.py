"""The admin listener."""

from __future__ import annotations

import asyncio
import os

import pytest

from posthouse.runtime.admin_http import METRICS_TYPE, AdminHttp, Page
from posthouse.runtime.clock import SystemClock
from posthouse.runtime.logs import Log, LogWriter


async def _ask(port, request):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(-1), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def _health():
    return Page(b'{"ok": false}', status=503)


async def _metrics():
    return Page(b"a 1\n", METRICS_TYPE)


async def _bug():
    raise KeyError("bug")


@pytest.mark.parametrize(
    ("request_bytes", "status", "body"),
    [
        (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", b"503 Service Unavailable", b'{"ok": false}'),
        (b"GET /metrics?x=1 HTTP/1.0\r\n\r\n", b"200 OK", b"a 1\n"),
        (b"HEAD /metrics HTTP/1.0\r\n\r\n", b"200 OK", b""),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405 Method Not Allowed", b"Method Not Allowed\n"),
        (b"GET /../etc/passwd HTTP/1.1\r\n\r\n", b"404 Not Found", b"Not Found\n"),
        (b"GET /bug HTTP/1.1\r\n\r\n", b"500 Internal", b"Internal Server Error\n"),
        (b"\x16\x03\x01 nonsense\r\n\r\n", b"400 Bad Request", b"Bad Request\n"),
        (b"GET / HTTP/1.1\r\n" + b"x" * 70_000, b"431 Request", b"Fields Too Large\n"),
    ],
)
def test_answers(request_bytes, status, body):
    async def scene():
        sink = os.open(os.devnull, os.O_WRONLY)
        pages = {"/health": _health, "/metrics": _metrics, "/bug": _bug}
        admin = AdminHttp(pages, Log(LogWriter(sink), SystemClock()))
        port = await admin.open("127.0.0.1", 0)
        answer = await _ask(port, request_bytes)
        head, _, got = answer.partition(b"\r\n\r\n")
        assert status in head.split(b"\r\n")[0]
        assert got.endswith(body)
        assert b"Connection: close" in head
        await admin.close()
        os.close(sink)

    asyncio.run(scene())
