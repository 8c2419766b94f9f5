"""TLS without SSLSocket, and with it where CPython's own name is missing: the same to the session."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest

from posthouse.runtime import channel, metrics_table
from posthouse.runtime.tls_engine import engine_on


class Public:
    """A context of which only public names are known."""

    def __init__(self, context):
        self.wrap_socket = context.wrap_socket


@pytest.fixture(params=["direct", "public names"])
def engines(request, monkeypatch):
    if request.param != "direct":
        monkeypatch.setattr(channel, "engine_on", lambda s, c: engine_on(s, Public(c)))


class Client:
    """A TLS client whose packets can be counted and cut."""

    def __init__(self, bench, context, session=None):
        self.sock = socket.create_connection(("127.0.0.1", bench.port))
        self.sock.setblocking(False)
        self.loop = bench.loop
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.incoming, self.outgoing, server_hostname="localhost", session=session
        )

    async def receive(self):
        data = await asyncio.wait_for(self.loop.sock_recv(self.sock, 65_536), 10)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()

    async def send(self):
        await self.loop.sock_sendall(self.sock, self.outgoing.read())

    async def shake(self):
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self.send()
                await self.receive()
            else:
                await self.send()
                return

    async def read(self):
        while True:
            try:
                return self.tls.read(65_536)
            except ssl.SSLWantReadError:
                await self.receive()


async def _becomes(statement):
    for _ in range(2000):
        if statement():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not come about")


def test_the_name_behind_it_is_there(server_context):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0)
        kept, engine = engine_on(ours, server_context)
        assert kept is ours, "without _wrap_socket all goes on, but dearer: see engine_on"
        for name in ("do_handshake", "read", "write", "shutdown", "version", "cipher"):
            assert callable(getattr(engine, name))
        assert engine.session_reused is False
        assert engine.version() is None
        with pytest.raises(ssl.SSLWantReadError):
            engine.do_handshake()


@pytest.mark.usefixtures("engines")
def test_words_both_ways_and_a_clean_end(play, client_context):
    def answer(session, data):
        session.connection.write(memoryview(data), b"." * 100_000)
        session.connection.close()

    async def scene(bench):
        bench.on["connected"] = lambda s: s.connection.write(b"+OK\r\n")
        bench.on["data"] = answer
        bench.listen(implicit_tls=True)
        reader, writer = await bench.dial(client_context)
        assert await reader.readline() == b"+OK\r\n"
        session = await bench.session()
        assert session.connection.tls_version == "TLSv1.3"
        assert session.connection.tls_cipher.startswith("TLS_")
        writer.write(b"LIST\r\n")
        assert await reader.read(-1) == b"LIST\r\n" + b"." * 100_000  # raises without close_notify
        assert await session.until("lost") == ("lost", True)
        assert session.connection.tls_version == session.connection.tls_cipher == ""

    play(scene)


@pytest.mark.usefixtures("engines")
def test_an_end_without_close_notify_is_an_end(play, client_context):
    async def scene(bench):
        bench.listen(implicit_tls=True)
        client = Client(bench, client_context)
        await client.shake()
        client.tls.write(b"QUIT\r\n")
        await client.send()
        session = await bench.session()
        await session.until("data")
        client.sock.shutdown(socket.SHUT_WR)
        assert await session.until("lost") == ("lost", True)
        assert [what[0] for what in session.heard] == ["connected", "data", "eof", "lost"]
        client.sock.close()

    play(scene)


@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize("rounds", [0, 1])
def test_who_leaves_in_the_middle_of_the_handshake_is_counted(play, client_context, rounds):
    async def scene(bench):
        bench.listen(implicit_tls=True)
        client = Client(bench, client_context)
        with pytest.raises(ssl.SSLWantReadError):
            client.tls.do_handshake()
        hello = client.outgoing.read()
        await bench.loop.sock_sendall(client.sock, hello if rounds else hello[:50])
        if rounds:
            await client.receive()
        client.sock.close()
        slot = metrics_table.TLS_FAILURES.slot("pop3")
        await _becomes(lambda: bench.metrics.total(slot) == 1)
        assert bench.listeners[0].open_count == 0
        assert not bench.sessions

    play(scene)


def test_one_ticket_is_enough_to_come_again(play, client_context):
    async def scene(bench):
        bench.on["connected"] = lambda s: s.connection.write(b"+OK\r\n")
        bench.listen(implicit_tls=True)
        client = Client(bench, client_context)
        await client.shake()
        assert await client.read() == b"+OK\r\n"
        assert client.tls.session.has_ticket
        again = Client(bench, client_context, client.tls.session)
        await again.shake()
        assert await again.read() == b"+OK\r\n"
        assert again.tls.session_reused
        assert bench.metrics.total(metrics_table.TLS_RESUMPTIONS.slot("pop3")) == 1
        client.sock.close()
        again.sock.close()

    play(scene)


def test_records_that_fill_the_buffer_are_all_read(play, client_context):
    async def scene(bench):
        bench.listen(implicit_tls=True)
        client = Client(bench, client_context)
        await client.shake()
        sent = bytes(range(256)) * 4096
        for start in range(0, len(sent), 10_000):
            client.tls.write(sent[start : start + 10_000])
        await client.send()
        session = await bench.session()
        await _becomes(lambda: len(session.data) >= len(sent))
        assert session.data == sent
        client.sock.close()

    play(scene)
