"""What tests of Search, Find, ResolveRecipients, Settings and ValidateCert have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.unit.protocols.eas.eas_items import check

from posthouse.backends.memory.fulltext import MemoryFullText
from posthouse.formats.mime.card import digests
from posthouse.model.errors import PosthouseError
from posthouse.protocols.eas.commands import COMMANDS
from posthouse.protocols.eas.errors import refusal
from posthouse.protocols.eas.wire.as_text import element_from_text
from posthouse.protocols.eas.wire.wbxml import decode, encode
from posthouse.services.search.indexer import Indexer
from posthouse.services.search.search import Search

if TYPE_CHECKING:
    from tests.unit.protocols.eas.house import EasHouse

    from posthouse.protocols.eas.wire.element import Element

_SPACES = ("AirSync", "AirSyncBase", "Email")


async def _at_once(work):
    return work()


async def _words(contents):
    return digests(contents)


def index(house: EasHouse) -> None:
    """From now on the house's search knows words."""
    fulltext = MemoryFullText()
    indexer = Indexer(house.store, fulltext, _words, _at_once)
    house.services = replace(house.services, search=Search(fulltext, indexer, house.clock))


async def ask(house: EasHouse, command: str, inner: str | list[Element], name: str = "alice"):
    """What the door says to a request, which the schema takes."""
    spaces = " ".join(f'xmlns:{space}="{space}"' for space in _SPACES)
    request = element_from_text(
        f'<{command} xmlns="{command}" {spaces}>{inner if isinstance(inner, str) else ""}'
        f"</{command}>"
    )
    if not isinstance(inner, str):
        request.content = inner
    call = house.eas_call(command, name)
    try:
        answer = await COMMANDS[command](call, request)
    except PosthouseError as error:
        answer = refusal(command, error)
    assert decode(encode(answer)) == answer
    check(answer)
    return answer
