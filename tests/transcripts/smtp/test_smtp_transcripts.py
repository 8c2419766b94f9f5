"""Plays every transcript of this folder, and of ``lmtp`` beside it, against the receiving door."""

from __future__ import annotations

from pathlib import Path

import pytest
from smtp_world import make_world, open_session
from tests.transcripts.player import play, read, transcripts

from posthouse.protocols.smtp.wire.capabilities import CAPABILITIES
from posthouse.protocols.smtp.wire.grammar import _READERS

HERE = Path(__file__).parent
PATHS = [*transcripts(HERE), *transcripts(HERE.parent / "lmtp")]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_transcript(path: Path) -> None:
    play(path, make_world, open_session)


def test_every_command_and_capability_is_in_a_transcript() -> None:
    steps = [step for path in PATHS for step in read(path).steps]
    said = {step.text.split(" ")[0].upper() for step in steps if step.verb == "C"}
    assert set(_READERS) <= said
    titles = " ".join(read(path).title for path in PATHS)
    for row in CAPABILITIES:
        assert row.spec in titles
