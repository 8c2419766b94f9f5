"""A listener on loopback with a scriptable session, on uvloop and on asyncio's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket

import pytest
import uvloop

from posthouse.runtime import tls
from posthouse.runtime.budget import Budget
from posthouse.runtime.clock import SystemClock
from posthouse.runtime.listener import Listener
from posthouse.runtime.logs import Log, LogWriter
from posthouse.runtime.metrics import Metrics
from posthouse.runtime.switchboard import switchboard_of


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    tls.make_authority_and_certificate(directory, ["localhost", "127.0.0.1"], SystemClock())
    return directory


@pytest.fixture(scope="session")
def server_context(certificate):
    return tls.server_context(certificate / "server.pem", certificate / "server.key")


@pytest.fixture(scope="session")
def client_context(certificate):
    return tls.client_context(certificate / "ca.pem")


class Script:
    """A session that writes down what it hears; ``on`` holds what to do about it."""

    def __init__(self, bench):
        self.bench = bench
        self.heard = []
        self.lost = asyncio.Event()
        self.changed = asyncio.Event()
        bench.sessions.append(self)

    def note(self, *what):
        self.heard.append(what)
        self.changed.set()
        action = self.bench.on.get(what[0])
        if action:
            action(self, *what[1:])

    async def until(self, name, times=1):
        while sum(what[0] == name for what in self.heard) < times:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 10)
        return next(what for what in self.heard if what[0] == name)

    @property
    def data(self):
        return b"".join(what[1] for what in self.heard if what[0] == "data")

    def connected(self, connection):
        self.connection = connection
        self.note("connected")

    def data_received(self, data):
        self.note("data", data)

    def writable(self):
        self.note("writable")

    def tls_started(self):
        self.note("tls")

    def timed_out(self):
        self.note("timed_out")

    def eof_received(self):
        if "eof" not in self.bench.on:
            self.connection.close()
        self.note("eof")

    def connection_lost(self, *, was_clean):
        self.note("lost", was_clean)
        self.lost.set()

    def drain(self):
        self.note("drain")


class Bench:
    """One listener and what came of it."""

    def __init__(self, loop, context):
        self.loop = loop
        self.context = context
        self.sessions = []
        self.on = {}
        self.metrics = Metrics(1)
        self.log_read, log_write = os.pipe()
        self.log = Log(LogWriter(log_write), SystemClock())
        self._log_write = log_write
        self.listeners = []
        self.writers = []
        self.sockets = []

    def listen(self, *, implicit_tls=False, budget=None, refusal=b"", sndbuf=0, factory=None):
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        if sndbuf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
        sock.listen(1024)
        self.port = sock.getsockname()[1]
        self.sockets.append(sock)
        listener = Listener(
            self.loop,
            sock,
            "pop3",
            factory or (lambda: Script(self)),
            self.context,
            implicit_tls,
            budget or Budget(),
            self.log,
            self.metrics,
            refusal,
        )
        listener.open()
        self.listeners.append(listener)
        return listener

    @property
    def board(self):
        return switchboard_of(self.loop)

    async def dial(self, ssl_context=None, **more):
        if ssl_context:
            more["server_hostname"] = "localhost"
        pair = await asyncio.open_connection("127.0.0.1", self.port, ssl=ssl_context, **more)
        self.writers.append(pair[1])
        return pair

    async def session(self, index=0):
        for _ in range(2000):
            if len(self.sessions) > index:
                return self.sessions[index]
            await asyncio.sleep(0.002)
        raise AssertionError("no session")

    def logged(self):
        os.set_blocking(self.log_read, False)
        try:
            return os.read(self.log_read, 65536).decode()
        except BlockingIOError:
            return ""

    async def close(self):
        for listener in self.listeners:
            listener.close()
        for writer in self.writers:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        for sock in self.sockets:
            sock.close()
        # asyncio closes the sockets of failed handshakes a few turns later.
        await asyncio.sleep(0.01)
        self.board.close()
        os.close(self.log_read)
        os.close(self._log_write)


@pytest.fixture(params=["uvloop", "asyncio"])
def play(request, server_context):
    """``play(scene)`` runs ``async def scene(bench)``."""

    def run(scene):
        factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

        async def whole():
            bench = Bench(asyncio.get_running_loop(), server_context)
            try:
                await asyncio.wait_for(scene(bench), 30)
            finally:
                await bench.close()

        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(whole())

    return run
