"""Whatever the kernel takes of it, the bytes arrive in order and once."""

from __future__ import annotations

import functools
import socket
import ssl
from select import EPOLLIN, EPOLLOUT

from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.runtime import sending

_BUFFERS = st.lists(st.binary(max_size=200).map(lambda raw: raw * 97), max_size=30)


class Stingy:
    """A socket that takes as many bytes as it is told to, then refuses."""

    def __init__(self, appetites, refusal):
        self.appetites = appetites
        self.refusal = refusal
        self.got = bytearray()
        self.failed = b""

    def send(self, data):
        data = bytes(data)
        assert data.startswith(self.failed)
        assert len(data) >= len(self.failed)
        count = self.appetites.pop() if self.appetites else len(data)
        if not count:
            if self.refusal is not BlockingIOError:
                self.failed = data[:16384]  # OpenSSL insists on these bytes
            raise self.refusal()
        self.failed = b""
        self.got += data[:count]
        return min(count, len(data))

    def sendmsg(self, buffers):
        return self.send(b"".join(buffers))

    write = send


class Cork:
    """The socket below TLS: only whether the kernel holds packets back."""

    def __init__(self):
        self.holds = []

    def setsockopt(self, level, option, value):
        assert (level, option) == (socket.IPPROTO_TCP, socket.TCP_CORK)
        self.holds.append(bool(value))


@settings(max_examples=80)
@given(_BUFFERS, st.lists(st.integers(0, 40_000), max_size=20), st.booleans())
def test_plain_and_tls(buffers, appetites, is_tls):
    refusal = ssl.SSLWantWriteError if is_tls else BlockingIOError
    sock = Stingy(appetites, refusal)
    cork = Cork()
    send = functools.partial(sending.send_tls, cork) if is_tls else sending.send_plain
    queue = [memoryview(one) if len(one) % 2 else one for one in buffers]
    for _ in range(100):
        wants = send(sock, queue)
        assert wants == (EPOLLOUT if queue else 0)
        if not wants:
            break
    assert sock.got == b"".join(buffers)
    assert cork.holds == [True, False] * (len(cork.holds) // 2)


def test_small_buffers_fill_one_record():
    records = []

    class Whole:
        def write(self, data):
            records.append(len(data))
            return min(len(data), 16384)

    queue = [b"+OK\r\n", memoryview(b"x" * 40_000), b".\r\n"]
    cork = Cork()
    assert sending.send_tls(cork, Whole(), queue) == 0
    assert cork.holds == [True, False]
    assert records == [16384, 23621, 7237 + 3] or records == [16384, 23621, 7240]


def test_a_tls_write_that_wants_to_read_says_so():
    class Wanting:
        def write(self, data):
            raise ssl.SSLWantReadError

    queue = [b"x"]
    cork = Cork()
    assert sending.send_tls(cork, Wanting(), queue) == EPOLLIN
    assert cork.holds == []  # a single record needs no holding back
    assert queue == [b"x"]
