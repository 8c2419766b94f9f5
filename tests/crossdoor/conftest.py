"""One server with many people, so that each test has some of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.running import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = tuple(
    name
    for line in (
        "anna ben cleo dan eva finn gina hugo ida jan karl lena",
        "max nora otto paul rosa sven tina uwe vera xena yann zoe",
    )
    for name in line.split()
)


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers, a smarthost that nobody answers for, everyone in ``NAMES``."""
    server = Server(
        tmp_path_factory.mktemp("town") / "data",
        people=NAMES,
        workers=2,
        tables={"queue": 'smarthost = "127.0.0.1:9"\nsmarthost_tls = "none"'},
    )
    server.start()
    yield server
    bugs = server.bugs()
    assert server.stop() == 0
    assert not bugs
