"""Connections: reading, writing, back-pressure, TLS, deadlines and endings, over loopback."""

from __future__ import annotations

import asyncio
import mmap
import os
import shutil
import socket
import ssl
import struct

import pytest

from posthouse.runtime import metrics_table, sending


def test_what_is_said_arrives_and_the_end_is_clean(play):
    async def scene(bench):
        bench.on["connected"] = lambda s: s.connection.write(b"+OK ", b"hello\r\n")
        bench.on["data"] = lambda s, data: s.connection.write(data.upper())
        bench.listen()
        reader, writer = await bench.dial()
        assert await reader.readline() == b"+OK hello\r\n"
        writer.write(b"noop\r\n")
        assert await reader.readline() == b"NOOP\r\n"
        session = await bench.session()
        assert session.connection.peer_host == "127.0.0.1"
        assert session.connection.peer_port == writer.get_extra_info("sockname")[1]
        assert session.connection.listener == "pop3"
        assert not session.connection.is_tls
        assert session.connection.tls_version == ""
        writer.close()
        assert await session.until("lost") == ("lost", True)
        assert [what[0] for what in session.heard] == ["connected", "data", "eof", "lost"]
        slot = metrics_table.CONNECTIONS_OPEN.slot("pop3")
        assert bench.metrics.total(slot) == 0

    play(scene)


def test_a_reset_is_not_clean(play):
    async def scene(bench):
        bench.listen()
        _, writer = await bench.dial()
        session = await bench.session()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        assert await session.until("lost") == ("lost", False)
        assert bench.metrics.total(metrics_table.CONNECTIONS_RESET.slot("pop3")) == 1

    play(scene)


def test_pipelined_answers_leave_together(play, monkeypatch):
    calls = []
    real = sending.send_plain
    monkeypatch.setattr(sending, "send_plain", lambda s, q: calls.append(len(q)) or real(s, q))

    async def scene(bench):
        def answer(session, data):
            for _ in range(data.count(b"\n")):
                session.connection.write(b"+OK\r\n")
                assert not session.connection.is_congested

        bench.on["data"] = answer
        bench.listen()
        reader, writer = await bench.dial()
        writer.write(b"NOOP\n" * 100)
        assert await reader.readexactly(500) == b"+OK\r\n" * 100
        assert calls == [100]

    play(scene)


@pytest.mark.parametrize("is_tls", [False, True])
def test_a_slow_reader_costs_no_memory_and_nothing_is_read_meanwhile(
    play, is_tls, tmp_path, client_context
):
    size = 50_000_000
    path = tmp_path / "large"
    with open(path, "wb") as file:
        block = os.urandom(1_000_000)
        for _ in range(size // len(block)):
            file.write(block)

    async def scene(bench):
        mapped = _mapped(path)
        view = memoryview(mapped)

        def answer(session, data):
            if data == b"RETR\r\n":
                session.connection.write(b"+OK\r\n", view, b".\r\n")
                assert session.connection.is_congested

        bench.on["data"] = answer
        bench.listen(implicit_tls=is_tls, sndbuf=65536)
        reader, writer = await bench.dial(client_context if is_tls else None, limit=65536)
        writer.write(b"RETR\r\n")
        session = await bench.session()
        before = _anonymous_kb()
        await session.until("data")
        writer.write(b"NEXT\r\n")
        await asyncio.sleep(0.05)
        assert session.data == b"RETR\r\n"
        assert _anonymous_kb() - before < 8_000
        assert not any(what[0] == "writable" for what in session.heard)
        got = 0
        assert await reader.readexactly(5) == b"+OK\r\n"
        while got < size:
            part = await reader.read(262_144)
            assert part == view[got : got + len(part)] or got + len(part) > size
            got += len(part)
        await session.until("writable")
        await session.until("data", 2)
        assert session.data == b"RETR\r\nNEXT\r\n"
        assert not session.connection.is_congested
        writer.close()
        await session.until("lost")
        session.heard.clear()
        view.release()
        mapped.close()

    play(scene)


def _mapped(path):
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _anonymous_kb():
    with open("/proc/self/smaps_rollup") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Anonymous:"))


def test_closing_sends_what_is_queued_first(play):
    async def scene(bench):
        def answer(session, data):
            session.connection.write(b"x" * 5_000_000)
            session.connection.close()
            session.connection.write(b"too late")

        bench.on["data"] = answer
        bench.listen(sndbuf=65536)
        reader, writer = await bench.dial()
        writer.write(b"QUIT\r\n")
        session = await bench.session()
        await session.until("data")
        assert session.connection.is_closing
        assert await reader.read(-1) == b"x" * 5_000_000
        assert await session.until("lost") == ("lost", True)

    play(scene)


def test_closing_on_unread_input_does_not_reset(play):
    async def scene(bench):
        def answer(session, data):
            session.connection.write(b"421 enough\r\n")
            session.connection.close()

        bench.on["data"] = answer
        bench.listen()
        sock = socket.create_connection(("127.0.0.1", bench.port))
        sock.sendall(b"x" * 1_000_000)
        session = await bench.session()
        assert await session.until("lost") == ("lost", True)
        sock.sendall(b"y" * 100_000)
        loop = asyncio.get_running_loop()
        sock.setblocking(False)
        assert await loop.sock_recv(sock, 100) == b"421 enough\r\n"
        assert await loop.sock_recv(sock, 100) == b""
        sock.close()
        for _ in range(500):
            if not bench.listeners[0].open_count:
                break
            await asyncio.sleep(0.005)
        assert not bench.listeners[0].open_count

    play(scene)


def test_reading_pauses_and_resumes(play):
    async def scene(bench):
        bench.on["connected"] = lambda s: s.connection.pause_reading()
        bench.listen()
        _, writer = await bench.dial()
        session = await bench.session()
        writer.write(b"one")
        await asyncio.sleep(0.05)
        assert session.data == b""
        session.connection.resume_reading()
        await session.until("data")
        assert session.data == b"one"
        session.connection.pause_reading()
        writer.write(b"two")
        writer.close()
        await asyncio.sleep(0.05)
        assert session.data == b"one"
        session.connection.resume_reading()
        await session.until("lost")
        assert session.data == b"onetwo"

    play(scene)


def test_half_closed_peers_still_hear_the_answer(play):
    async def scene(bench):
        bench.on["data"] = lambda s, data: s.connection.write(b"+OK\r\n")
        bench.on["eof"] = lambda s: (s.connection.write(b"bye\r\n"), s.connection.close())
        bench.listen()
        reader, writer = await bench.dial()
        writer.write(b"QUIT\r\n")
        writer.write_eof()
        assert await reader.read(-1) == b"+OK\r\nbye\r\n"
        await (await bench.session()).until("lost")

    play(scene)


def test_deadlines_pass_once_and_the_deaf_are_cut_off(play):
    async def scene(bench):
        bench.on["connected"] = lambda s: s.connection.set_deadline(10)
        bench.on["timed_out"] = lambda s: s.connection.close()
        bench.listen(sndbuf=4096)
        await bench.dial()
        session = await bench.session()
        bench.board.advance(9)
        assert not any(what[0] == "timed_out" for what in session.heard)
        session.connection.set_deadline(5)
        bench.board.advance(4)
        session.connection.set_deadline(None)
        bench.board.advance(1000)
        assert not any(what[0] == "timed_out" for what in session.heard)
        session.connection.write(b"x" * 3_000_000)
        assert session.connection.is_congested
        session.connection.set_deadline(5)
        bench.board.advance(6)
        assert session.heard[-1] == ("timed_out",)
        bench.board.advance(31)
        assert session.heard[-1] == ("lost", False)

    play(scene)


def test_implicit_tls_shakes_hands_before_the_session_begins(play, client_context):
    async def scene(bench):
        bench.on["connected"] = lambda s: s.connection.write(b"+OK\r\n")
        bench.on["data"] = lambda s, data: s.connection.close()
        bench.listen(implicit_tls=True)
        idle = socket.create_connection(("127.0.0.1", bench.port))
        reader, writer = await bench.dial(client_context)
        assert await reader.readline() == b"+OK\r\n"
        session = await bench.session()
        assert session.connection.is_tls
        assert session.connection.tls_version == "TLSv1.3"
        assert session.connection.tls_cipher.startswith("TLS_")
        assert not session.connection.can_start_tls
        assert len(bench.sessions) == 1
        writer.write(b"QUIT\r\n")
        assert await reader.read(-1) == b""  # raises on an end without close_notify
        assert await session.until("lost") == ("lost", True)
        bench.board.advance(20)  # the silent one is past the handshake's deadline
        assert bench.listeners[0].open_count == 0
        idle.close()

    play(scene)


def test_start_tls_and_nothing_said_before_survives(play, client_context):
    async def scene(bench):
        def answer(session, data):
            if data == b"STLS\r\n":
                session.connection.write(b"+OK begin\r\n")
                session.connection.start_tls()
            else:
                session.connection.write(data)

        bench.on["data"] = answer
        bench.listen()
        reader, writer = await bench.dial()
        writer.write(b"STLS\r\n")
        assert await reader.readline() == b"+OK begin\r\n"
        await _started(writer, reader, client_context)
        session = await bench.session()
        await session.until("tls")
        assert session.connection.is_tls
        writer.write(b"echo" * 10_000)
        assert await reader.readexactly(40_000) == b"echo" * 10_000
        writer.close()
        assert await session.until("lost") == ("lost", True)

    play(scene)


async def _started(writer, reader, context):
    loop = asyncio.get_running_loop()
    protocol = writer.transport.get_protocol()
    transport = await loop.start_tls(
        writer.transport, protocol, context, server_hostname="localhost"
    )
    reader._transport = transport
    writer._transport = transport
    protocol._replace_writer(writer) if hasattr(protocol, "_replace_writer") else None


def test_plain_text_smuggled_behind_starttls_breaks_the_handshake(play):
    async def scene(bench):
        def answer(session, data):
            if data.startswith(b"STLS"):
                session.connection.start_tls()

        bench.on["data"] = answer
        bench.listen()
        _, writer = await bench.dial()
        writer.write(b"STLS\r\n")
        session = await bench.session()
        await session.until("data")
        writer.write(b"DELE 1\r\nQUIT\r\n" * 10)
        assert await session.until("lost") == ("lost", False)
        assert session.data == b"STLS\r\n"
        assert bench.metrics.total(metrics_table.TLS_FAILURES.slot("pop3")) == 1
        writer.close()

    play(scene)


def test_large_tls_transfers_in_both_directions_at_once(play, client_context):
    async def scene(bench):
        payload = os.urandom(3_000_000)

        def answer(session, data):
            session.connection.write(data)

        bench.on["data"] = answer
        bench.listen(implicit_tls=True)
        reader, writer = await bench.dial(client_context)

        async def talk():
            for at in range(0, len(payload), 50_000):
                writer.write(payload[at : at + 50_000])
                await writer.drain()

        talking = asyncio.ensure_future(talk())
        assert await reader.readexactly(len(payload)) == payload
        await talking
        writer.close()
        await (await bench.session()).until("lost")

    play(scene)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_12_is_spoken_and_nothing_older(play):
    async def scene(bench):
        bench.on["data"] = lambda s, data: s.connection.write(data)
        bench.listen(implicit_tls=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        reader, writer = await bench.dial(context)
        writer.write(b"twelve")
        assert await reader.readexactly(6) == b"twelve"
        assert (await bench.session()).connection.tls_version == "TLSv1.2"
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(OSError, match=r"(?i)version|protocol|reset|alert|cipher"):
            await bench.dial(context)

    play(scene)


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl command")
def test_key_updates_are_survived(play):
    async def scene(bench):
        bench.on["data"] = lambda s, data: s.connection.write(data.upper())
        bench.listen(implicit_tls=True)
        client = await asyncio.create_subprocess_exec(
            *("openssl", "s_client", "-connect", f"127.0.0.1:{bench.port}", "-tls1_3"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        # A line "K" asks both sides for new keys; it is not sent as data.
        await bench.session()
        while await client.stdout.readline() != b"Early data was not sent\n":
            pass
        for _ in range(3):
            client.stdin.write(b"K\n")
            while await client.stdout.readline() != b"KEYUPDATE\n":
                pass
            client.stdin.write(b"hello\n")
            while await client.stdout.readline() != b"HELLO\n":
                pass
        assert (await bench.session()).data == b"hello\n" * 3
        client.stdin.close()
        await client.communicate()
        await (await bench.session()).until("lost")

    play(scene)


def test_a_session_that_raises_ends_its_connection_only(play):
    async def scene(bench):
        def answer(session, data):
            raise ZeroDivisionError("a bug")

        bench.on["data"] = answer
        bench.listen()
        reader, writer = await bench.dial()
        writer.write(b"x")
        assert await reader.read(-1) == b""
        assert (await bench.session()).heard[-1] == ("lost", False)
        logged = bench.logged()
        assert '"event":"session_failed"' in logged
        assert "ZeroDivisionError" in logged
        assert (await bench.session()).connection.session_id in logged
        await bench.dial()
        await bench.session(1)

    play(scene)


def test_abort_within_a_method_is_told_after_it(play):
    async def scene(bench):
        def answer(session, data):
            session.connection.abort()
            session.note("still here")

        bench.on["data"] = answer
        bench.listen()
        _, writer = await bench.dial()
        writer.write(b"x")
        session = await bench.session()
        await session.until("lost")
        assert [what[0] for what in session.heard][-2:] == ["still here", "lost"]

    play(scene)


def test_unacknowledged_output_makes_the_end_unclean(play):
    async def scene(bench):
        bench.on["data"] = lambda s, data: s.connection.write(b"y" * 2_000_000)
        bench.listen()
        sock = socket.create_connection(("127.0.0.1", bench.port))
        sock.sendall(b"x")
        session = await bench.session()
        await session.until("data")
        await asyncio.sleep(0.02)
        sock.close()
        assert await session.until("lost") == ("lost", False)

    play(scene)
