"""Failing and full disks, half-open crowds, dead workers: the running server goes on and tells the truth."""

from __future__ import annotations

import errno
import mmap
import os
import poplib
import shutil
import smtplib
import socket
import struct
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.faults.whole import NAMES, deliver, house_of, marks
from tests.running import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.faults


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    one = house_of(tmp_path)
    yield one
    one.kill()


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
    for name in NAMES:
        assert marks(server, name) == Counter(expected)
    server.kill()
    server.environment = {}
    server.start()
    for name in NAMES:
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
        people=NAMES,
        settings="allow_plaintext_auth = true",
        tables={"limits": 'space_floor = "64KiB"'},
    )
    try:
        server.start()
        assert deliver(server, "kept") == 250
        fill(small_disk)
        kept = Counter(["kept"])
        deadline = time.monotonic() + 5
        while (code := deliver(server, name := f"late{kept.total()}")) == 250:
            kept[name] += 1  # there was room in files that are there
            assert time.monotonic() < deadline
        assert 400 <= code < 500
        if is_killed:
            server.kill()
        else:
            assert server.stop() == 0
        fill(small_disk)
        server.start()
        assert marks(server, "alice") == kept
        (small_disk / "ballast").unlink()
        deadline = time.monotonic() + 5
        while not server.is_healthy():
            assert time.monotonic() < deadline, "room again, but it does not see it"
            time.sleep(0.1)
        assert deliver(server, "later") == 250
        assert marks(server, "alice") == kept + Counter(["later"])
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
