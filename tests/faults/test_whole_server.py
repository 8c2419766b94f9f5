"""Kills, failing disks and half-open crowds against the running server.

Every round ends with the same question: is each acknowledged message there exactly once, and nothing else?
``POSTHOUSE_KILL_ROUNDS`` makes the storm longer (50 for a release).
"""

from __future__ import annotations

import errno
import mmap
import os
import poplib
import random
import re
import shutil
import signal
import smtplib
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.running import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.faults
KILL_ROUNDS = int(os.environ.get("POSTHOUSE_KILL_ROUNDS", "4"))
READY_S = 2.0
_NAMES = ("alice", "bob", "carol")
_TIDY = "dora"
"""Deletes her mail while the others' is kept."""
_SUBJECT = re.compile(rb"^Subject: (\S+)", re.MULTILINE)


def text(mark: str, size: int = 2000) -> bytes:
    head = f"From: <x@example.net>\r\nTo: <alice@example.org>\r\nSubject: {mark}\r\nMessage-ID: <{mark}@example.net>\r\n\r\n"
    return head.encode() + b"0123456789abcdef\r\n" * (size // 18)


def marks(server: Server, name: str) -> Counter[str]:
    client = poplib.POP3("127.0.0.1", server.ports["pop3"], timeout=20)
    client.user(f"{name}@example.org")
    client.pass_("wonderland")
    found: Counter[str] = Counter()
    for number in range(1, client.stat()[0] + 1):
        head = b"\n".join(client.top(number, 0)[1])
        match = _SUBJECT.search(head)
        assert match, head
        found[match[1].decode()] += 1
    client.quit()
    return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    one = Server(
        tmp_path / "data",
        people=(*_NAMES, _TIDY),
        settings="allow_plaintext_auth = true",
        workers=2,
        tables={"limits": 'space_floor = "1 MiB"'},
    )
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
                lines += [f"RCPT TO:<{n}@example.org>".encode() for n in (*_NAMES, _TIDY)] + [
                    b"DATA"
                ]
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
            client.user(f"{_TIDY}@example.org")
            client.pass_("wonderland")
            for line in client.uidl()[1][:5]:
                number, uidl = line.split()
                match = _SUBJECT.search(b"\n".join(client.retr(int(number))[1]))
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
    server.command("user", "set", f"{_TIDY}@example.org", "--pop-delete", "expunge")
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
    for name in _NAMES:
        found = marks(server, name)
        assert not acknowledged - set(found), "lost"
        assert not [m for m, n in found.items() if n != 1], "doubled"
        assert not set(found) - acknowledged
    left = marks(server, _TIDY)
    assert not acknowledged - set(left) - tidy.gone - tidy.unknown, "lost"
    assert not tidy.gone & set(left), "deleted mail is back"
    assert not [m for m, n in left.items() if n != 1], "doubled"
    assert not tidy.broken
    assert len(tidy.uidls) == len(set(tidy.uidls.values())), "the same message under two UIDLs"
    server.command("verify")
    assert server.stop() == 0
    whole = sorted(r for r in ready if r)
    assert whole[len(whole) // 2] < READY_S, "from the start to the ready line, imports included"


class Faults:
    """The control block of the shim."""

    FIELDS = struct.Struct("iiiiiii")

    def __init__(self, path: Path) -> None:
        path.write_bytes(self.FIELDS.pack(-1, 0, 0, 0, 0, 0, 0))
        self._file = path.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), self.FIELDS.size)

    def arm(
        self,
        nth: int,
        error: int,
        *,
        writes: bool = True,
        syncs: bool = True,
        sticky: bool = False,
        short: bool = False,
    ) -> None:
        kinds = (1 if writes else 0) | (2 if syncs else 0)
        self._map[:] = self.FIELDS.pack(nth, error, kinds, int(sticky), int(short), 0, 0)

    def disarm(self) -> int:
        """How many calls failed."""
        hits = self.FIELDS.unpack(self._map[:])[5]
        self._map[:] = self.FIELDS.pack(-1, 0, 0, 0, 0, 0, 0)
        return hits

    def close(self) -> None:
        self._map.close()
        self._file.close()


@pytest.fixture
def shimmed(tmp_path: Path, server: Server) -> Iterator[tuple[Server, Faults]]:
    gcc = shutil.which("gcc") or shutil.which("cc")
    if not gcc:
        pytest.skip("no C compiler for the shim")
    library = tmp_path / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(
        [gcc, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True
    )
    faults = Faults(tmp_path / "control")
    server.environment = {
        "LD_PRELOAD": str(library),
        "FAULT_CONTROL": str(tmp_path / "control"),
        "FAULT_BELOW": str(server.data / "store"),
    }
    server.workers = 1
    server.start()
    yield server, faults
    server.kill()
    faults.close()


def deliver(server: Server, mark: str) -> int:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as client:
        client.ehlo("x.example.net")
        client.mail("x@example.net")
        for name in _NAMES:
            client.rcpt(f"{name}@example.org")
        return client.data(text(mark))[0]


@pytest.mark.parametrize(
    ("error", "short"),
    [(errno.EIO, False), (errno.ENOSPC, False), (errno.ENOSPC, True)],
    ids=["eio", "full", "short"],
)
def test_the_nth_write_or_sync_of_a_delivery_fails(
    shimmed: tuple[Server, Faults], error: int, short: bool
) -> None:
    server, faults = shimmed
    assert deliver(server, "before") == 250
    expected = {"before"}
    for nth in range(1, 60):
        mark = f"n{nth}"
        faults.arm(nth, error, short=short)
        code = deliver(server, mark)
        hits = faults.disarm()
        assert code == 250 or 400 <= code < 500, code
        if code == 250:
            expected.add(mark)
        if not hits:
            break
        assert deliver(server, f"after-{mark}") == 250, "the server must go on without a restart"
        expected.add(f"after-{mark}")
    else:
        pytest.fail("a delivery takes more than 60 writes")
    assert nth > 2, "the shim must have met something"
    for name in _NAMES:
        assert marks(server, name) == Counter(expected)
    server.kill()
    server.environment = {}
    server.start()
    for name in _NAMES:
        assert marks(server, name) == Counter(expected), "after a restart"


def quit_with_deletes(server: Server, count: int) -> bool:
    client = poplib.POP3("127.0.0.1", server.ports["pop3"], timeout=20)
    client.user("alice@example.org")
    client.pass_("wonderland")
    for number in range(1, count + 1):
        client.dele(number)
    try:
        client.quit()
    except poplib.error_proto:
        client.close()
        return False
    return True


def test_the_nth_write_or_sync_of_a_quit_fails(shimmed: tuple[Server, Faults]) -> None:
    server, faults = shimmed
    for serial in range(3):
        assert deliver(server, f"q{serial}") == 250
    for nth in range(1, 60):
        before = marks(server, "alice")
        if not before:
            assert deliver(server, f"more{nth}") == 250
            before = marks(server, "alice")
        faults.arm(nth, errno.EIO)
        gone = quit_with_deletes(server, len(before))
        hits = faults.disarm()
        after = marks(server, "alice")
        assert after == (Counter() if gone else before), "all or nothing, and the answer says which"
        if not hits:
            break
    assert nth > 1
    assert len(marks(server, "bob")) >= 3, "nobody else notices"


def test_a_full_disk_takes_nothing_in_and_loses_nothing(shimmed: tuple[Server, Faults]) -> None:
    server, faults = shimmed
    assert deliver(server, "kept") == 250
    faults.arm(1, errno.ENOSPC, sticky=True, syncs=False)
    for serial in range(5):
        assert 400 <= deliver(server, f"refused{serial}") < 500
    assert marks(server, "alice") == Counter(["kept"]), "reading goes on"
    faults.disarm()
    assert deliver(server, "later") == 250
    assert marks(server, "alice") == Counter(["kept", "later"])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB; only root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(place)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> None:
    with (place / "ballast").open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "stopped"])
def test_it_starts_on_a_full_disk(small_disk: Path, is_killed: bool) -> None:
    server = Server(
        small_disk / "data",
        people=_NAMES,
        settings="allow_plaintext_auth = true",
        tables={"limits": 'space_floor = "64KiB"'},
    )
    try:
        server.start()
        assert deliver(server, "kept") == 250
        fill(small_disk)
        assert 400 <= deliver(server, "refused") < 500
        if is_killed:
            server.kill()
        else:
            assert server.stop() == 0
        fill(small_disk)
        server.start()
        assert marks(server, "alice") == Counter(["kept"])
        (small_disk / "ballast").unlink()
        deadline = time.monotonic() + 5
        while not server.is_healthy():
            assert time.monotonic() < deadline, "room again, but it does not see it"
            time.sleep(0.1)
        assert deliver(server, "later") == 250
        assert marks(server, "alice") == Counter(["kept", "later"])
    finally:
        server.kill()


def test_a_thousand_half_open_connections_do_not_delay_a_good_client(server: Server) -> None:
    server.start()
    crowd = []
    try:
        for i in range(1000):
            one = socket.create_connection(
                ("127.0.0.1", server.ports[("smtp", "pop3", "pop3s", "submissions")[i % 4]]),
                timeout=10,
            )
            crowd.append(one)
            if i % 2:
                one.sendall(b"\x16\x03\x01" if i % 4 >= 2 else b"EHL")
        begun = time.monotonic()
        assert deliver(server, "good") == 250
        assert "good" in marks(server, "alice")
        assert time.monotonic() - begun < 1.0
    finally:
        for one in crowd:
            one.close()


def test_a_dead_worker_is_replaced(server: Server) -> None:
    server.start()
    assert server.process
    children = subprocess.run(
        ["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(children) >= 3
    for child in children:
        os.kill(int(child), 9)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            if deliver(server, "after the funeral") == 250:
                break
        except (OSError, smtplib.SMTPException):
            time.sleep(0.1)
    else:
        pytest.fail("no worker came back")
    assert server.stop() == 0
