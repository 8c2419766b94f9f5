"""The audit log: one chain, whoever writes; what was changed shows."""

import fcntl
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.model.errors import Unavailable
from posthouse.services.directory.audit import Audit, line_from_event, rotated_files
from posthouse.services.directory.audit_check import verify


class Clock:
    def now_ms(self):
        return 1_700_000_000_123

    def monotonic_s(self):
        return 0.0


class Timer:
    """Holds back what was to run later."""

    def __init__(self):
        self.waiting = []

    def __call__(self, seconds, work):
        self.waiting.append((seconds, work))
        return work

    def fire(self):
        waiting, self.waiting = self.waiting, []
        for _, work in waiting:
            work()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit.jsonl"


@pytest.fixture
def timer():
    return Timer()


def open_log(path, timer, **more):
    return Audit(path, Clock(), timer, **more)


def read(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_lines_are_chained_and_carry_what_was_said(path, timer):
    audit = open_log(path, timer)
    audit.record("user-added", address="alice@example.org", scope=("pop3",), is_new=True, count=3)
    audit.record("user-removed", address="alice@example.org")
    first, second = read(path)
    assert first["event"] == "user-added"
    assert first["at"] == "2023-11-14T22:13:20.123+00:00"
    assert (first["address"], first["scope"]) == ("alice@example.org", ["pop3"])
    assert (first["is_new"], first["count"]) == (True, 3)
    assert first["prev"] == "0" * 64 != second["prev"]
    assert verify(path) == []
    assert path.stat().st_mode & 0o777 == 0o600
    audit.close()


def test_notes_are_gathered_for_a_second(path, timer):
    audit = open_log(path, timer)
    for n in range(3):
        audit.note("login", n=n)
    assert not path.exists()
    assert [seconds for seconds, _ in timer.waiting] == [1.0]
    timer.fire()
    assert [line["n"] for line in read(path)] == [0, 1, 2]
    assert timer.waiting == []
    audit.note("login", n=3)
    audit.record("user-added")
    assert [line["event"] for line in read(path)][-2:] == ["login", "user-added"]
    timer.fire()
    assert len(read(path)) == 5
    audit.close()


def test_many_notes_do_not_wait_for_the_second(path, timer):
    audit = open_log(path, timer)
    for n in range(450):
        audit.note("login", n=n)
    assert len(read(path)) == 400
    audit.close()
    assert len(read(path)) == 450
    assert verify(path) == []


def test_several_processes_share_one_chain(path, timer):
    one, two = open_log(path, timer), open_log(path, timer)
    for n in range(4):
        one.record("a", n=n)
        two.note("b", n=n)
        two.note("c", n=n)
        timer.fire()
    assert len(read(path)) == 12
    assert verify(path) == []
    one.close()
    two.close()


def test_rotation_keeps_the_chain_for_all_writers(path, timer):
    one = open_log(path, timer, size_octets_max=500)
    two = open_log(path, timer, size_octets_max=500)
    for n in range(20):
        (one if n % 3 else two).record("act", n=n)
    files = [*rotated_files(path), path]
    assert len(files) > 3
    assert [line["n"] for file in files for line in read(file)] == list(range(20))
    assert verify(path) == []
    one.close()
    two.close()
    # A crash between rename and the new file's first line.
    path.rename(path.with_name(f"audit.jsonl.{len(files):06d}"))
    assert verify(path) == []
    three = open_log(path, timer)
    three.record("act", n=20)
    assert verify(path) == []
    # The oldest may be put away; a gap in the middle may not.
    files[0].unlink()
    assert verify(path) == []
    files[2].unlink()
    assert len(verify(path)) == 2
    three.close()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda raw: raw.replace(b'"n":1', b'"n":7'), 3),
        (lambda raw: b"\n".join(raw.split(b"\n")[:1] + raw.split(b"\n")[2:]), 2),
        (lambda raw: raw.split(b"\n")[0] + b"\n" + raw, 2),
        (lambda raw: raw.replace(b'"n":1', b'"n":1,,'), 2),
        (lambda raw: raw.partition(b"\n")[2], 1),
        (lambda raw: raw[:-1], 4),
    ],
)
def test_what_was_changed_shows(path, timer, change, line):
    audit = open_log(path, timer)
    for n in range(4):
        audit.record("act", n=n)
    audit.close()
    path.write_bytes(change(path.read_bytes()))
    assert verify(path)[0].startswith(f"audit.jsonl, line {line}: ")


def test_a_missing_log_is_a_problem(path):
    assert verify(path) == ["audit.jsonl: there is no such file"]


def test_a_torn_line_is_told_but_the_chain_goes_on(path, timer):
    audit = open_log(path, timer)
    audit.record("act", n=1)
    audit.close()
    with path.open("ab") as file:
        file.write(b'{"prev":"half')
    audit = open_log(path, timer)
    audit.record("act", n=2)
    audit.record("act", n=3)
    audit.close()
    problems = verify(path)
    assert [problem.partition(":")[0] for problem in problems] == ["audit.jsonl, line 2"]


def test_a_lock_held_elsewhere_does_not_stop_the_loop(path, timer):
    audit = open_log(path, timer)
    audit.record("act")
    with path.with_name("audit.jsonl.lock").open("rb+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        audit.note("login", n=1)
        timer.fire()
        assert [seconds for seconds, _ in timer.waiting] == [0.05]
        timer.fire()
        assert [seconds for seconds, _ in timer.waiting] == [1.0]
        assert len(read(path)) == 1
    timer.fire()
    assert len(read(path)) == 2
    assert timer.waiting == []
    audit.close()


def test_a_full_disk_keeps_lines_waiting_and_leaves_no_half_ones(path, timer, monkeypatch):
    audit = open_log(path, timer)
    audit.record("act", n=0)
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda fd, raw: real_write(fd, raw[: len(raw) // 2]))
    audit.note("login", n=1)
    timer.fire()
    with pytest.raises(Unavailable, match="done, but"):
        audit.record("act", n=2)
    assert len(read(path)) == 1
    monkeypatch.setattr(os, "write", real_write)
    audit.note("login", n=3)
    audit.close()
    assert [line["n"] for line in read(path)] == [0, 1, 2, 3]
    assert verify(path) == []


def test_what_waits_is_bounded_and_the_loss_is_told(path, timer, monkeypatch):
    monkeypatch.setattr("posthouse.services.directory.audit.WAITING_LINES_MAX", 5)
    audit = open_log(path, timer)
    for n in range(8):
        audit.note("login", n=n)
    timer.fire()
    lines = read(path)
    assert (lines[0]["event"], lines[0]["count"]) == ("audit-lines-lost", 3)
    assert [line["n"] for line in lines[1:]] == [3, 4, 5, 6, 7]
    audit.close()


def test_without_a_loop_notes_wait_for_the_next_act(path):
    audit = Audit(path, Clock())
    audit.note("login", n=1)
    audit.note("login", n=2)
    assert not path.exists()
    audit.close()
    assert len(read(path)) == 2


@settings(max_examples=150)
@given(st.text(max_size=60))
def test_nothing_said_breaks_out_of_its_line(text):
    line = line_from_event("0" * 64, 0, "login", {"login": text})
    decoded = line.decode()
    assert decoded.isprintable()
    assert json.loads(line)["event"] == "login"
    if text.isprintable():
        assert json.loads(line)["login"] == text


def test_a_long_text_is_cut():
    line = line_from_event("0" * 64, 0, "login", {"login": "\u202e" * 5000})
    assert len(line) < 8000
    wide = {f"field{n}": "x" * 1024 for n in range(100)}
    assert json.loads(line_from_event("0" * 64, 0, "login", wide))["too_long"]
