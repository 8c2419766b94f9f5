"""Threads and parsers: a bad payload costs its own call and no other."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest
import uvloop

from posthouse.model.errors import ParserFailed
from posthouse.runtime.clock import SystemClock
from posthouse.runtime.logs import Log, LogWriter
from posthouse.runtime.metrics import Metrics
from posthouse.runtime.metrics_table import PARSE_CALLS, PARSE_DEATHS
from posthouse.runtime.offload import Offload, ParseLimits, ParsePool

_NAMES = ("upper", "complain", "eat", "spin", "sleep", "die", "write", "pid")


@pytest.fixture
def pool_play(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    sink = os.open(os.devnull, os.O_WRONLY)

    def run(scene, **more):
        async def whole():
            metrics = Metrics(1)
            table = {name: f"parse_samples:{name}" for name in _NAMES}
            log = Log(LogWriter(sink), SystemClock())
            pool = ParsePool(table, log, metrics, **more)
            try:
                await asyncio.wait_for(scene(pool, metrics), 30)
            finally:
                pool.close()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(whole())

    yield run
    os.close(sink)


def test_one_parser_serves_many_calls(pool_play):
    async def scene(pool, metrics):
        large = b"x" * 3_000_000
        assert await pool.call("upper", large, 10) == large.upper()
        pids = {await pool.call("pid", b"", 10) for _ in range(3)}
        assert len(pids) == 1
        assert pids != {str(os.getpid()).encode()}
        assert await pool.call("upper", b"", 10) == b""
        assert metrics.total(PARSE_CALLS) == 5
        with pytest.raises(KeyError):
            await pool.call("os.system", b"", 10)

    pool_play(scene)


@pytest.mark.parametrize(
    ("name", "timeout_s", "deaths"),
    [("complain", 10, 0), ("eat", 10, 0), ("die", 10, 1), ("sleep", 0.5, 1), ("spin", 10, 1)],
)
def test_a_bad_payload_costs_one_call(pool_play, name, timeout_s, deaths):
    async def scene(pool, metrics):
        with pytest.raises(ParserFailed):
            await pool.call(name, b"bad", timeout_s)
        assert metrics.total(PARSE_DEATHS) == deaths
        assert await pool.call("upper", b"next", 10) == b"NEXT"

    pool_play(scene, limits=ParseLimits(cpu_s=0))


def test_parsers_cannot_write_files(pool_play, tmp_path):
    async def scene(pool, metrics):
        path = tmp_path / "out"
        with pytest.raises(ParserFailed):
            await pool.call("write", str(path).encode(), 10)
        assert not path.exists() or path.stat().st_size == 0

    pool_play(scene)


def test_a_cancelled_call_does_not_leave_its_answer_to_the_next(pool_play):
    async def scene(pool, metrics):
        assert await pool.call("upper", b"warm", 10) == b"WARM"
        call = asyncio.ensure_future(pool.call("sleep", b"", 10))
        await asyncio.sleep(0.05)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await pool.call("upper", b"mine", 10) == b"MINE"

    pool_play(scene)


def test_threads():
    async def scene():
        offload = Offload(asyncio.get_running_loop(), 2)
        assert await offload.in_thread(threading.get_ident) != threading.get_ident()
        assert await offload.in_thread(lambda a, *, b: a + b, 1, b=2) == 3
        with pytest.raises(ZeroDivisionError):
            await offload.in_thread(lambda: 1 // 0)
        offload.close()

    asyncio.run(scene())
