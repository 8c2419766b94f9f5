"""Listeners: bursts, budgets, full descriptor tables, draining."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import socket
import time

import pytest

from posthouse.runtime import metrics_table
from posthouse.runtime.budget import Budget, Limits


def test_a_thousand_half_open_connections_do_not_delay_a_good_one(play, client_context):
    async def scene(bench):
        bench.on["connected"] = lambda s: s.connection.write(b"+OK\r\n")
        bench.listen(implicit_tls=True)
        silent = []
        for _ in range(1000):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", bench.port))
            silent.append(sock)
        begun = time.monotonic()
        reader, _ = await bench.dial(client_context)
        assert await reader.readline() == b"+OK\r\n"
        assert time.monotonic() - begun < 1.0
        for _ in range(200):
            if bench.listeners[0].open_count == 1001:
                break
            await asyncio.sleep(0.005)
        assert bench.listeners[0].open_count == 1001
        for sock in silent:
            sock.close()

    play(scene)


def test_over_budget_means_one_line_and_the_end(play):
    async def scene(bench):
        limits = Limits(strangers_per_address=2, all_per_address=4, unlimited_networks=())
        listener = bench.listen(budget=Budget(limits), refusal=b"-ERR [SYS/TEMP] too many\r\n")
        for _ in range(2):
            await bench.dial()
        await bench.session(1)
        reader, _ = await bench.dial()
        assert await reader.read(-1) == b"-ERR [SYS/TEMP] too many\r\n"
        assert bench.metrics.total(metrics_table.CONNECTIONS_REFUSED.slot("pop3")) == 1
        bench.sessions[0].connection.logged_in()
        bench.sessions[0].connection.logged_in()
        await bench.dial()
        third = await bench.session(2)
        third.connection.abort()
        assert listener.open_count == 2
        await bench.dial()
        await bench.session(3)

    play(scene)


def test_a_full_descriptor_table_is_survived(play, monkeypatch):
    async def scene(bench):
        listener = bench.listen()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        waiting = socket.socket()
        last = waiting.fileno()
        hold = []
        waiting.connect(("127.0.0.1", bench.port))
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (last + 1, hard))
            _take_all_descriptors(hold)
            # The one that waits is answered with a close, thanks to the spare descriptor.
            waiting.setblocking(False)
            assert await asyncio.wait_for(bench.loop.sock_recv(waiting, 10), 5) == b""
            assert bench.metrics.total(metrics_table.ACCEPT_FAILURES) == 1
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for sock in hold:
                sock.close()
            waiting.close()
        assert not bench.sessions
        bench.board.advance(2)
        assert listener.deadline == 0
        await bench.dial()
        await bench.session()
        assert "accept_failed" in bench.logged()

    play(scene)


def _take_all_descriptors(hold):
    with contextlib.suppress(OSError):
        while True:
            hold.append(socket.socket())


def test_no_memory_pauses_accepting(play, monkeypatch):
    async def scene(bench):
        listener = bench.listen()
        listener._on_failure(OSError(errno.ENOBUFS, "no buffers"))
        await bench.dial()
        await asyncio.sleep(0.05)
        assert not bench.sessions
        bench.board.advance(2)
        await bench.session()

    play(scene)


def test_draining_waits_for_sessions_and_aborts_the_stubborn(play, client_context):
    async def scene(bench):
        polite = []

        def drain(session):
            if session is polite[0]:
                session.connection.write(b"421 bye\r\n")
                session.connection.close()

        bench.on["drain"] = drain
        listener = bench.listen()
        reader, _ = await bench.dial()
        polite.append(await bench.session(0))
        await bench.dial()
        stubborn = await bench.session(1)
        assert await listener.drain(0.05) is False
        assert await reader.read(-1) == b"421 bye\r\n"
        assert polite[0].heard[-1] == ("lost", True)
        assert stubborn.heard[-2:] == [("drain",), ("lost", False)]
        with pytest.raises(ConnectionError):
            await bench.dial()

    play(scene)


def test_draining_what_is_empty_is_over_at_once(play):
    async def scene(bench):
        listener = bench.listen()
        assert await listener.drain(5) is True

    play(scene)


def test_implicit_tls_needs_a_context(play):
    async def scene(bench):
        bench.context = None
        with pytest.raises(ValueError, match="context"):
            bench.listen(implicit_tls=True)
        listener = bench.listen()
        await bench.dial()
        session = await bench.session()
        assert not session.connection.can_start_tls
        with pytest.raises(ValueError, match="TLS"):
            session.connection.start_tls()
        listener.close()

    play(scene)
