"""Kills at any moment: is each acknowledged message there exactly once, and nothing else?

``POSTHOUSE_KILL_ROUNDS`` makes the storm longer (50 for a release, with ``--timeout 600``).
"""

from __future__ import annotations

import os
import poplib
import random
import signal
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from tests.faults.whole import NAMES, SUBJECT, TIDY, house_of, marks, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.running import Server

pytestmark = pytest.mark.faults
KILL_ROUNDS = int(os.environ.get("POSTHOUSE_KILL_ROUNDS", "3"))
READY_S = 2.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    one = house_of(tmp_path)
    yield one
    one.kill()


class Sender(threading.Thread):
    """Sends messages one after the other to all three; repeats what was not acknowledged, as an MTA does."""

    def __init__(
        self, server: Server, prefix: str, acknowledged: set[str], stop: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self.server, self.prefix, self.acknowledged, self.stop = server, prefix, acknowledged, stop
        self.repeats = 0

    def run(self) -> None:
        serial = 0
        while not self.stop.is_set():
            mark = f"{self.prefix}-{serial}"
            if self._try(mark):
                self.acknowledged.add(mark)
                serial += 1
            else:
                self.repeats += 1
                time.sleep(0.02)
        while not self._try(f"{self.prefix}-{serial}"):  # the last one, begun before the stop
            time.sleep(0.05)
        self.acknowledged.add(f"{self.prefix}-{serial}")

    def _try(self, mark: str) -> bool:
        try:
            with socket.create_connection(
                ("127.0.0.1", self.server.ports["smtp"]), timeout=10
            ) as s:
                f = s.makefile("rb")
                lines = [b"EHLO x.example.net", b"MAIL FROM:<x@example.net>"]
                lines += [f"RCPT TO:<{n}@example.org>".encode() for n in (*NAMES, TIDY)] + [b"DATA"]
                assert f.readline().startswith(b"220")
                for line in lines:
                    s.sendall(line + b"\r\n")
                    reply = f.readline()
                    while reply[3:4] == b"-":
                        reply = f.readline()
                    if reply[:1] not in (b"2", b"3"):
                        return False
                s.sendall(text(mark) + b".\r\n")
                heard = f.readline().startswith(b"250")
                if heard:
                    s.sendall(b"QUIT\r\n")
                return heard
        except (OSError, AssertionError):
            return False


class Tidy(threading.Thread):
    """Reads and deletes, a few messages a session; remembers what QUIT confirmed, and all UIDLs."""

    def __init__(self, server: Server, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.server, self.stop = server, stop
        self.gone: set[str] = set()
        self.unknown: set[str] = set()
        self.uidls: dict[bytes, str] = {}
        self.broken: list[str] = []

    def run(self) -> None:
        while not self.stop.is_set():
            begun: set[str] = set()
            try:
                self._session(begun)
            except (OSError, poplib.error_proto, EOFError):
                self.unknown |= begun
                time.sleep(0.02)
            else:
                self.gone |= begun

    def _session(self, begun: set[str]) -> None:
        client = poplib.POP3("127.0.0.1", self.server.ports["pop3"], timeout=10)
        try:
            client.user(f"{TIDY}@example.org")
            client.pass_("wonderland")
            for line in client.uidl()[1][:5]:
                number, uidl = line.split()
                match = SUBJECT.search(b"\n".join(client.retr(int(number))[1]))
                assert match
                mark = match[1].decode()
                if self.uidls.setdefault(uidl, mark) != mark:
                    self.broken.append(f"{uidl!r} was {self.uidls[uidl]} and is {mark}")
                client.dele(int(number))
                begun.add(mark)
            client.quit()
        finally:
            client.close()


def strike(server: Server, dice: random.Random) -> float:
    """Kill everything, or one child only; the seconds until it was ready again (0: it never was not)."""
    if dice.random() < 0.3:
        with suppress(ProcessLookupError):
            os.kill(dice.choice(server.children()), signal.SIGKILL)
        return 0.0
    server.kill()
    return server.start()


# poplib and smtplib forget their socket when the greeting does not come.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_kill_storm_loses_nothing_and_doubles_nothing(
    server: Server, record_property: Callable[[str, object], None]
) -> None:
    server.command("user", "set", f"{TIDY}@example.org", "--pop-delete", "expunge")
    acknowledged: set[str] = set()
    stop = threading.Event()
    server.start()
    senders = [Sender(server, f"s{i}", acknowledged, stop) for i in range(4)]
    tidy = Tidy(server, stop)
    for thread in (*senders, tidy):
        thread.start()
    dice = random.Random(1)
    ready = []
    for _ in range(KILL_ROUNDS):
        time.sleep(dice.uniform(0.2, 0.8))
        ready.append(strike(server, dice))
    time.sleep(0.5)
    stop.set()
    for thread in (*senders, tidy):
        thread.join(30)
        assert not thread.is_alive()
    figures = {
        "rounds": KILL_ROUNDS,
        "acknowledged": len(acknowledged),
        "repeated": sum(s.repeats for s in senders),
        "deleted": len(tidy.gone),
        "deletions without an answer": len(tidy.unknown),
        "ready_max_s": round(max(ready), 2),
        "ready_median_s": round(sorted(r for r in ready if r)[sum(r > 0 for r in ready) // 2], 2),
    }
    record_property("figures", figures)
    print(figures)
    assert len(acknowledged) > 20
    for name in NAMES:
        found = marks(server, name)
        assert not acknowledged - set(found), "lost"
        assert not [m for m, n in found.items() if n != 1], "doubled"
        assert not set(found) - acknowledged
    left = marks(server, TIDY)
    assert not acknowledged - set(left) - tidy.gone - tidy.unknown, "lost"
    assert not tidy.gone & set(left), "deleted mail is back"
    assert not [m for m, n in left.items() if n != 1], "doubled"
    assert not tidy.broken
    assert len(tidy.uidls) == len(set(tidy.uidls.values())), "the same message under two UIDLs"
    server.command("verify")
    assert server.stop() == 0
    whole = sorted(r for r in ready if r)
    assert whole[len(whole) // 2] < READY_S, "from the start to the ready line, imports included"
