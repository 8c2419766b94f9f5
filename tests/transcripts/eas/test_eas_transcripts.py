"""Plays every transcript of this folder against the ActiveSync door."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.transcripts.eas.eas_player import play, read

from posthouse.protocols.eas.commands import COMMANDS

HERE = Path(__file__).parent
PATHS = sorted(HERE.glob("*.txt"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    play(path)


def test_every_command_is_in_a_transcript() -> None:
    said = {
        step.text.split(" ")[0]
        for path in PATHS
        for step in read(path)[1]
        if step.verb in ("C", "LATER")
    }
    assert set(COMMANDS) <= said
