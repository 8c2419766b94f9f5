"""Log lines: whole, safe, never a secret, never in the way."""

from __future__ import annotations

import asyncio
import json
import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.runtime.logs import Log, LogWriter
from posthouse.runtime.metrics import Metrics
from posthouse.runtime.metrics_table import LOG_LINES_DROPPED


class FixedClock:
    def __init__(self):
        self.ms = 1_763_930_329_042

    def now_ms(self):
        return self.ms

    def monotonic_s(self):
        return self.ms / 1000


@pytest.fixture
def pipe():
    read, write = os.pipe()
    os.set_blocking(read, False)
    yield read, write
    os.close(read)
    os.close(write)


@pytest.fixture
def file_log(tmp_path):
    fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    yield Log(LogWriter(fd), FixedClock()), tmp_path / "log"
    os.close(fd)


def test_one_object_a_line(file_log):
    log, path = file_log
    child = log.child(session_id="ab12", listener="pop3")
    child.info("session_ended", login="alice@example.org", sent_bytes=12, ok=True, took_s=0.25)
    lines = path.read_text().splitlines()
    assert json.loads(lines[0]) == {
        "ts": "2025-11-23T20:38:49.042Z",
        "level": "info",
        "event": "session_ended",
        "session_id": "ab12",
        "listener": "pop3",
        "login": "alice@example.org",
        "sent_bytes": 12,
        "ok": True,
        "took_s": 0.25,
    }


@pytest.mark.parametrize("name", ["password", "new_password", "client_secret", "authorization"])
def test_secrets_are_refused_by_name(file_log, name):
    log, path = file_log
    with pytest.raises(ValueError, match=name):
        log.info("login", **{name: "hunter2"})
    assert path.read_text() == ""


@settings(max_examples=100)
@given(
    st.one_of(
        st.text(max_size=3000),
        st.binary(max_size=3000),
        st.lists(st.text(max_size=30), max_size=200),
        st.text(alphabet=st.characters(min_codepoint=0, max_codepoint=0xA0), max_size=50),
        st.integers(),
    )
)
def test_whatever_is_logged_is_one_harmless_line(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("log") / "log"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    Log(LogWriter(fd), FixedClock()).info("event", said=value)
    os.close(fd)
    raw = path.read_bytes()
    assert raw.count(b"\n") == 1
    assert len(raw) <= 8_000
    assert "said" in json.loads(raw)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", raw.decode())


def test_exceptions_show_where_but_not_what(file_log):
    log, path = file_log
    try:
        local = "a secret value"
        raise KeyError(len(local))
    except KeyError as error:
        log.failure("broken", error, session_id="x1")
    line = json.loads(path.read_text())
    assert line["kind"] == "KeyError"
    assert "test_logs.py" in line["trail"]
    assert "a secret value" not in path.read_text()


def test_lines_wait_for_the_timer_and_warnings_do_not(pipe):
    read, write = pipe
    log = Log(LogWriter(write), FixedClock())

    async def scene():
        log.attach(asyncio.get_running_loop())
        log.info("one")
        with pytest.raises(BlockingIOError):
            os.read(read, 100)
        log.warning("two")
        assert os.read(read, 1000).count(b"\n") == 2
        log.info("three")
        await asyncio.sleep(0.3)
        assert b"three" in os.read(read, 1000)
        log.info("four")
        log.close()
        assert b"four" in os.read(read, 1000)
        log.attach(None)

    asyncio.run(scene())


def test_a_log_that_nobody_reads_blocks_nothing_and_loses_no_whole_line(pipe):
    read, write = pipe
    metrics = Metrics(1)
    writer = LogWriter(write, metrics)
    log = Log(writer, FixedClock())
    for number in range(20_000):
        log.info("flood", number=number)
    assert metrics.total(LOG_LINES_DROPPED) > 0
    got = b""
    while True:
        try:
            got += os.read(read, 65536)
        except BlockingIOError:
            writer.flush()
            try:
                got += os.read(read, 65536)
            except BlockingIOError:
                break
    numbers = [json.loads(line)["number"] for line in got.splitlines()]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 5_000
