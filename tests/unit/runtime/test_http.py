"""HTTP over our own connections: order, limits, keep-alive, bad input; over loopback."""

from __future__ import annotations

import asyncio
import random

import pytest

from posthouse.runtime.clock import SystemClock
from posthouse.runtime.http import Admission, Answer, HttpLimits, answer_text
from posthouse.runtime.http_answer import octets
from posthouse.runtime.http_session import HttpServices, http_session_factory


class Door:
    """Says what it heard."""

    def __init__(self):
        self.heard = []
        self.gate = asyncio.Event()
        self.body_bytes_max = 1_000_000

    async def admit(self, head):
        if head.path == "/denied":
            return answer_text(401, "who are you?", (("WWW-Authenticate", "Basic"),))
        if head.path == "/slow-admit":
            await self.gate.wait()
        return Admission(self.body_bytes_max, context=head.path)

    async def answer(self, head, admission, body):
        self.heard.append((head.method, head.path, head.query, body))
        if head.path == "/bug":
            raise KeyError("x")
        if head.path == "/wait":
            await self.gate.wait()
        return Answer(200, b"%d:" % len(body) + body[:20], "text/plain")


class Hall:
    """A listener with one door, and clients."""

    def __init__(self, bench, **limits):
        self.bench = bench
        self.door = Door()
        self.services = HttpServices(self.door, HttpLimits(**limits), SystemClock(), bench.log)
        bench.listen(factory=http_session_factory(self.services))

    async def dial(self):
        self.reader, self.writer = await self.bench.dial()
        return self

    def say(self, *pieces):
        for piece in pieces:
            self.writer.write(piece)

    async def hear(self):
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)
        lines = head.decode().split("\r\n")[:-2]
        headers = dict(line.split(": ", 1) for line in lines[1:])
        body = await self.reader.readexactly(int(headers.get("Content-Length", 0)))
        return int(lines[0].split()[1]), headers, body

    async def ended(self):
        return await asyncio.wait_for(self.reader.read(), 5) == b""


def post(path="/x", body=b"", *headers):
    lines = [f"POST {path} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


GET = b"GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n"


def test_requests_on_one_connection_in_order(play):
    async def scene(bench):
        hall = await Hall(bench).dial()
        hall.say(GET)
        status, headers, body = await hall.hear()
        assert (status, body) == (200, b"0:")
        assert headers["Content-Type"] == "text/plain"
        assert headers["Date"].endswith(" GMT")
        hall.say(post(body=b"hello") + GET + post("/y", b"z" * 30))
        assert [(await hall.hear())[2] for _ in range(3)] == [b"5:hello", b"0:", b"30:" + b"z" * 20]
        assert [(one[0], one[1], one[2]) for one in hall.door.heard] == [
            ("GET", "/a", "b=c"),
            ("POST", "/x", ""),
            ("GET", "/a", "b=c"),
            ("POST", "/y", ""),
        ]

    play(scene)


def test_any_split_reads_the_same(play):
    async def scene(bench):
        hall = await Hall(bench).dial()
        wire = post("/one", b"abc") + GET
        wire += b"PUT /two HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        dice = random.Random(1)
        for _ in range(10):
            at = 0
            while at < len(wire):
                step = dice.choice((1, 2, 7, 40))
                hall.say(wire[at : at + step])
                at += step
                await asyncio.sleep(0)
            assert [(await hall.hear())[2] for _ in range(3)] == [b"3:abc", b"0:", b"5:abcde"]

    play(scene)


def test_an_answer_that_takes_long_holds_back_the_next_and_not_other_connections(play):
    async def scene(bench):
        hall = Hall(bench)
        await hall.dial()
        hall.say(post("/wait") + GET)
        slow = hall.reader
        await asyncio.sleep(0.05)
        await hall.dial()
        hall.say(GET)
        assert (await hall.hear())[0] == 200
        hall.door.gate.set()
        hall.reader = slow
        assert [(await hall.hear())[0] for _ in range(2)] == [200, 200]

    play(scene)


def test_who_goes_away_ends_the_wait(play):
    async def scene(bench):
        hall = await Hall(bench).dial()
        hall.say(post("/wait"))
        await asyncio.sleep(0.05)
        hall.writer.transport.abort()
        await asyncio.sleep(0.05)
        assert bench.listeners[0].open_count, "it may listen still"
        bench.board.advance(70)
        await asyncio.sleep(0.05)
        assert not bench.listeners[0].open_count

    play(scene)


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n", 417),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 40_000, 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: a\r\n" * 101 + b"\r\n", 431),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ],
)
def test_what_is_no_request_gets_its_answer_and_the_end(play, wire, status):
    async def scene(bench):
        hall = await Hall(bench).dial()
        hall.say(wire)
        got, headers, _ = await hall.hear()
        assert got == status
        assert headers["Connection"] == "close"
        assert await hall.ended()
        assert not hall.door.heard

    play(scene)


def test_a_smuggled_request_is_not_obeyed(play):
    async def scene(bench):
        hall = await Hall(bench).dial()
        hidden = b"GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"
        hall.say(
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\nContent-Length: 4\r\n\r\nabcd"
            + hidden
        )
        assert (await hall.hear())[0] == 400
        assert await hall.ended()
        assert not hall.door.heard

    play(scene)


def test_a_refusal_spares_the_body(play):
    async def scene(bench):
        hall = await Hall(bench).dial()
        hall.say(post("/denied", b"x" * 10))
        status, headers, _ = await hall.hear()
        assert (status, headers["WWW-Authenticate"]) == (401, "Basic")
        hall.say(GET)
        assert (await hall.hear())[0] == 200, "a body that came whole is stepped over"
        hall.say(b"POST /denied HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\nabc")
        status, headers, _ = await hall.hear()
        assert (status, headers["Connection"]) == (401, "close")
        assert await hall.ended()

    play(scene)


def test_a_peer_that_is_still_sending_hears_the_refusal(play):
    async def scene(bench):
        hall = await Hall(bench).dial()
        hall.say(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n")
        await asyncio.sleep(0.05)
        for _ in range(20):
            hall.say(b"x" * 100_000)
            await hall.writer.drain()
            await asyncio.sleep(0)
        assert (await hall.hear())[0] == 413
        hall.writer.write_eof()
        assert await hall.ended()

    play(scene)


def test_continue_is_said_once_the_request_is_admitted(play):
    async def scene(bench):
        hall = await Hall(bench).dial()
        hall.say(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n")
        assert (await hall.hear())[0] == 100
        hall.say(b"abc")
        assert (await hall.hear())[2] == b"3:abc"
        hall.say(post("/denied", b"", "Expect: 100-continue"))
        assert (await hall.hear())[0] == 401

    play(scene)


def test_a_chunked_body_above_the_limit_is_refused_while_it_comes(play):
    async def scene(bench):
        hall = await Hall(bench).dial()
        hall.say(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        hall.say(*[chunk] * 20)
        assert (await hall.hear())[0] == 413
        assert not hall.door.heard

    play(scene)


def test_nothing_is_read_before_the_door_has_admitted(play):
    async def scene(bench):
        hall = await Hall(bench).dial()
        hall.door.body_bytes_max = 50_000_000
        body = b"x" * 20_000_000
        hall.say(post("/slow-admit", body))
        await asyncio.sleep(0.2)
        assert hall.services.held_bytes == 0
        assert hall.writer.transport.get_write_buffer_size() > 5_000_000
        hall.door.gate.set()
        assert (await hall.hear())[2].startswith(b"20000000:")
        assert hall.services.held_bytes == 0

    play(scene)


def test_all_bodies_together_are_bounded(play):
    async def scene(bench):
        hall = await Hall(bench, bodies_bytes=100_000).dial()
        hall.say(post("/x", b"x" * 300_000))
        status, headers, _ = await hall.hear()
        assert (status, headers["Retry-After"]) == (503, "5")
        assert hall.services.held_bytes in (0, 300_000) or await hall.ended()

    play(scene)


def test_deadlines(play):
    async def scene(bench):
        hall = Hall(bench)
        await hall.dial()
        hall.say(b"GET / HT")
        await asyncio.sleep(0.05)
        bench.board.advance(40)
        assert (await hall.hear())[0] == 408
        await hall.dial()
        hall.say(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
        await asyncio.sleep(0.05)
        bench.board.advance(70)
        assert (await hall.hear())[0] == 408
        await hall.dial()
        hall.say(GET)
        await hall.hear()
        bench.board.advance(130)
        assert await hall.ended()
        await hall.dial()
        hall.say(post("/wait"))
        await asyncio.sleep(0.05)
        bench.board.advance(4_000)
        hall.door.gate.set()
        assert (await hall.hear())[0] == 200, "what waits on us is not the client's fault"

    play(scene)


def test_our_bug_is_a_passing_fault_and_the_connection_goes_on(play):
    async def scene(bench):
        hall = await Hall(bench).dial()
        hall.say(post("/bug") + GET)
        assert [(await hall.hear())[0] for _ in range(2)] == [503, 200]
        bench.log.close()
        assert "http.bug" in bench.logged()

    play(scene)


def test_another_protocol_is_not_taken_up(play):
    async def scene(bench):
        hall = await Hall(bench).dial()
        hall.say(b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + GET)
        status, headers, _ = await hall.hear()
        assert (status, headers["Connection"]) == (200, "close")
        assert await hall.ended()
        assert len(hall.door.heard) == 1

    play(scene)


def test_http_1_0_close_and_head(play):
    async def scene(bench):
        hall = Hall(bench)
        await hall.dial()
        hall.say(b"GET /a HTTP/1.0\r\n\r\n")
        status, headers, _ = await hall.hear()
        assert (status, headers["Connection"]) == (200, "close")
        assert await hall.ended()
        await hall.dial()
        hall.say(b"HEAD /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        head = await asyncio.wait_for(hall.reader.read(), 5)
        assert b"Content-Length: 2\r\n" in head
        assert head.endswith(b"\r\n\r\n")

    play(scene)


def test_draining_answers_what_is_under_way_and_closes(play):
    async def scene(bench):
        hall = await Hall(bench).dial()
        hall.say(post("/wait"))
        await asyncio.sleep(0.05)
        leaving = asyncio.ensure_future(bench.listeners[0].drain(5))
        await asyncio.sleep(0.05)
        hall.door.gate.set()
        status, headers, _ = await hall.hear()
        assert (status, headers["Connection"]) == (200, "close")
        assert await leaving

    play(scene)


def test_headers_of_ours_carry_no_line_ends():
    for bad in ("a\r\nb", "a\nb", "a\0"):
        with pytest.raises(ValueError, match="header"):
            octets(Answer(200, headers=(("X", bad),)), 0, is_head=False, is_last=False)
    (head,) = octets(Answer(204), 0, is_head=False, is_last=True)
    assert (
        head
        == b"HTTP/1.1 204 No Content\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: close\r\n\r\n"
    )
