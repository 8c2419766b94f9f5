"""Plays every transcript of this folder against the POP3 door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.transcripts.player import play, read, transcripts
from tests.transcripts.stores import House, make_house

from posthouse.protocols.pop3.commands import COMMANDS
from posthouse.protocols.pop3.server import pop3_session_factory
from posthouse.protocols.pop3.settings import Pop3Services, Pop3Settings
from posthouse.protocols.pop3.wire.grammar import RULES
from posthouse.services.sharing.access import Access

HERE = Path(__file__).parent


def open_session(house: House, options: dict[str, str]) -> Any:
    services = house.doors.get("pop3")
    if services is None:
        settings = Pop3Settings(
            allow_plaintext_auth=options.get("plaintext") == "yes",
            login_delay_s=int(options.get("login_delay", "0")),
            version="1.0",
        )
        services = house.doors["pop3"] = Pop3Services(
            house.store,
            house.logins,
            settings,
            house.log,  # type: ignore[arg-type]
            house.metrics,
            house.chance,
            Access(house.store, house.directory),
        )
    return pop3_session_factory(services)()


@pytest.mark.parametrize("path", transcripts(HERE), ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    play(path, make_house, open_session)


def test_every_command_is_in_a_transcript() -> None:
    said = {
        step.text.split(" ")[0].upper().encode()
        for path in transcripts(HERE)
        for step in read(path).steps
        if step.verb == "C"
    }
    assert set(RULES) <= said
    assert len(COMMANDS) == len(RULES) + 2, "the two lines of SASL have no keyword"
