"""Fixtures that start the real thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.running import PEOPLE, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a session that do not break it: alice, bob, carol; two workers."""
    server = Server(tmp_path_factory.mktemp("house") / "data", people=PEOPLE, workers=2)
    server.start()
    yield server
    bugs = server.bugs()
    assert server.stop() == 0
    assert not bugs


@pytest.fixture
def own_house(tmp_path: Path) -> Iterator[Server]:
    """A server of one test's own, not started."""
    server = Server(tmp_path / "data", people=PEOPLE)
    yield server
    server.kill()
