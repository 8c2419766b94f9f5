"""Engines for the contract suites."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contracts.records_house import House

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["memory", "sqlite"])
def records_house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Every records engine in turn; sound at the end of each test."""
    house = House(request.param, tmp_path / "store" / "mail.db")
    yield house
    house.close()
