"""Hints between processes: heard, bounded, never in the way."""

from __future__ import annotations

import asyncio
import os
import socket
import struct

import pytest

from posthouse.backends.localbus.datagrams import DatagramHints
from posthouse.model.changes import Hint
from posthouse.model.ids import ChangeNumber, FolderId, MailboxId
from posthouse.ports.hints import Hears


def hint(n: int) -> Hint:
    return Hint(MailboxId(n), FolderId(2), ChangeNumber(n))


class Peer:
    """Another process, as the bus sees it."""

    def __init__(self, run, number: int = 99_999) -> None:
        self.path = run / f"hints-{number}.sock"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        here = os.open(run, os.O_PATH)
        self.socket.bind(f"/proc/self/fd/{here}/{self.path.name}")
        os.close(here)

    def heard(self) -> list[bytes]:
        out = []
        while True:
            try:
                out.append(self.socket.recv(1 << 16))
            except BlockingIOError:
                return out


@pytest.fixture
def run_directory(tmp_path):
    run = tmp_path / ("a-long-name-" * 12) / "run"  # longer than a socket's address may be
    run.mkdir(parents=True)
    return run


async def turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_peers_hear_many_hints_in_one_datagram(run_directory):
    async def run():
        bus = DatagramHints(run_directory, asyncio.get_running_loop())
        peer = Peer(run_directory)
        for n in range(1, 11):
            bus.publish(hint(n))
        await turns()
        (datagram,) = peer.heard()
        assert [t[0] for t in struct.iter_unpack("<QQQ", datagram[1:])] == list(range(1, 11))
        late = Peer(run_directory, 88_888)
        bus.publish(hint(1))
        bus.publish_directory()
        await turns()
        assert [d[:1] for d in late.heard()] == [b"d", b"h"]
        peer.socket.close()
        late.socket.close()
        bus.close()

    asyncio.run(run())


def test_who_wants_no_mailboxes_hears_only_of_the_house(run_directory, monkeypatch):
    async def run():
        loop = asyncio.get_running_loop()
        one = DatagramHints(run_directory, loop)
        monkeypatch.setattr(os, "getpid", lambda: 66_666)
        jobs = DatagramHints(run_directory, loop, hears=Hears.HOUSE)
        heard = []
        jobs.subscribe(heard.append)
        one.publish(hint(1))
        one.publish(Hint(MailboxId(0), FolderId(0), ChangeNumber(0)))
        await turns()
        assert [h.mailbox_id for h in heard] == [0]
        one.close()
        jobs.close()

    asyncio.run(run())


def test_who_lets_others_gather_hears_of_each_folder_once_a_moment_later(
    run_directory, monkeypatch
):
    async def run():
        loop = asyncio.get_running_loop()
        one = DatagramHints(run_directory, loop)
        monkeypatch.setattr(os, "getpid", lambda: 66_666)
        jobs = DatagramHints(run_directory, loop, hears=Hears.GATHERED)
        heard = []
        is_heard = asyncio.Event()
        jobs.subscribe(lambda h: (heard.append(h), is_heard.set()))
        house = Hint(MailboxId(0), FolderId(0), ChangeNumber(0))
        one.publish(hint(1))
        one.publish(house)
        await turns()
        assert heard == [house]
        for n in (2, 3, 4):
            one.publish(Hint(MailboxId(1), FolderId(2), ChangeNumber(n)))
            await turns()
        is_heard.clear()
        await asyncio.wait_for(is_heard.wait(), 5)
        assert heard == [house, Hint(MailboxId(1), FolderId(2), ChangeNumber(4))]
        one.publish(hint(9))
        one.close()
        is_heard.clear()
        await asyncio.wait_for(is_heard.wait(), 5)
        assert heard[-1] == hint(9)
        jobs.close()

    asyncio.run(run())


def test_two_processes_hear_each_other(run_directory, monkeypatch):
    async def run():
        loop = asyncio.get_running_loop()
        one = DatagramHints(run_directory, loop)
        monkeypatch.setattr(os, "getpid", lambda: 77_777)
        two = DatagramHints(run_directory, loop)
        both = asyncio.Event()
        heard = []
        one.subscribe(lambda h: heard.append(("one", h)))
        two.subscribe(lambda h: heard.append(("two", h)))
        two.subscribe(lambda h: both.set() if h == hint(2) else None)
        one.subscribe_directory(both.set)
        one.publish(hint(1))
        one.publish(hint(2))
        await asyncio.wait_for(both.wait(), 5)
        assert sorted(heard, key=repr) == sorted(
            [(who, hint(n)) for who in ("one", "two") for n in (1, 2)], key=repr
        )
        both.clear()
        two.publish_directory()
        await asyncio.wait_for(both.wait(), 5)
        one.close()
        two.close()

    asyncio.run(run())


def test_what_a_peer_sends_is_heard_and_rubbish_is_not(run_directory):
    async def run():
        bus = DatagramHints(run_directory, asyncio.get_running_loop())
        heard, directory = [], []
        bus.subscribe(heard.append)
        is_heard = asyncio.Event()
        bus.subscribe_directory(lambda: (directory.append(1), is_heard.set()))
        peer = Peer(run_directory)
        name = f"hints-{os.getpid()}.sock"
        here = os.open(run_directory, os.O_PATH)
        for datagram in (b"", b"h", b"hxyz", b"?" + bytes(24), b"h" + struct.pack("<QQQ", 7, 2, 7)):
            peer.socket.sendto(datagram, f"/proc/self/fd/{here}/{name}")
        peer.socket.sendto(b"d", f"/proc/self/fd/{here}/{name}")
        os.close(here)
        await asyncio.wait_for(is_heard.wait(), 5)
        assert heard == [hint(7)]
        assert directory == [1]
        peer.socket.close()
        bus.close()

    asyncio.run(run())


def test_the_socket_of_a_dead_process_is_unlinked(run_directory):
    async def run():
        bus = DatagramHints(run_directory, asyncio.get_running_loop())
        peer = Peer(run_directory)
        peer.socket.close()
        assert peer.path.exists()
        bus.publish(hint(1))
        await turns()
        assert not peer.path.exists()
        bus.close()
        assert list(run_directory.iterdir()) == []

    asyncio.run(run())


def test_a_peer_that_does_not_read_loses_hints_and_delays_nobody(run_directory):
    async def run():
        bus = DatagramHints(run_directory, asyncio.get_running_loop())
        heard = []
        bus.subscribe(heard.append)
        peer = Peer(run_directory)
        for n in range(1, 2_001):
            bus.publish(hint(n))
            if n % 4 == 0:
                await asyncio.sleep(0)
        await turns()
        assert len(heard) == 2_000
        assert 0 < len(peer.heard()) < 500
        peer.socket.close()
        bus.close()

    asyncio.run(run())


def test_what_waits_is_sent_at_the_end(run_directory):
    """A command that ends at once still tells the server."""

    async def run():
        bus = DatagramHints(run_directory, asyncio.get_running_loop())
        peer = Peer(run_directory)
        bus.publish_directory()
        bus.publish(hint(3))
        bus.close()
        assert [d[:1] for d in peer.heard()] == [b"d", b"h"]
        peer.socket.close()

    asyncio.run(run())


def test_the_queue_is_bounded_while_the_loop_is_busy(run_directory):
    async def run():
        bus = DatagramHints(run_directory, asyncio.get_running_loop())
        heard = []
        bus.subscribe(heard.append)
        for n in range(1, 20_001):
            bus.publish(hint(n))
        await turns()
        assert len(heard) == 8_192
        assert heard[-1] == hint(20_000)
        bus.close()

    asyncio.run(run())
