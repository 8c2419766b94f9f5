"""The search index as the jobs process feeds it: real engines, words from the parse pool."""

from __future__ import annotations

import asyncio
import os

from posthouse.app import config as configuration
from posthouse.app.commands.init import initialise
from posthouse.app.searching import Searching
from posthouse.app.wiring import open_house
from posthouse.formats.mime.card import read_card
from posthouse.formats.mime.columns import columns_from_head
from posthouse.formats.mime.dots import stuff
from posthouse.model.batch import AddItem, Batch, Commit
from posthouse.model.blob import BlobForm
from posthouse.model.folder import FolderRole
from posthouse.model.item import ItemKind, NewItem
from posthouse.model.people import PrincipalKind
from posthouse.runtime.logs import Log, LogWriter
from posthouse.runtime.metrics import Metrics
from posthouse.runtime.tasks import Tasks
from posthouse.services.search.feeding import Pace

MESSAGE = (
    b"From: Ann <ann@example.net>\r\nSubject: Weather\r\nMessage-ID: <w@example.net>\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>Heavy thunderstorms expected</p>\r\n"
)


def test_what_was_delivered_is_found_by_its_words(tmp_path):
    data = tmp_path / "data"
    initialise(data, "example.org", "mail.example.org", "loopback")
    assert configuration.load(data).hostname == "mail.example.org"
    with open_house(data) as house:
        person = house.run(house.people.add(PrincipalKind.USER, "alice@example.org", "Alice"))
        writer = LogWriter(os.open(os.devnull, os.O_WRONLY))
        searching = Searching(house, Log(writer, house.clock), Metrics())
        try:
            found = house.run(_deliver_and_find(house, person.mailbox_id, searching))
        finally:
            searching.close()
            writer.close()
    assert found == [1, 0, 1]


def test_what_was_delivered_is_indexed_and_gets_its_card_by_itself(tmp_path):
    data = tmp_path / "data"
    initialise(data, "example.org", "mail.example.org", "loopback")
    with open_house(data) as house:
        person = house.run(house.people.add(PrincipalKind.USER, "alice@example.org", "Alice"))
        writer = LogWriter(os.open(os.devnull, os.O_WRONLY))
        pace = Pace(quiet_s=0.01)
        searching = Searching(house, Log(writer, house.clock), Metrics(), pace)
        try:
            card = house.run(_deliver_and_follow(house, person.mailbox_id, searching))
        finally:
            searching.close()
            writer.close()
    assert card.envelope.subject == "Weather"
    assert card.preview == "Heavy thunderstorms expected"


async def _deliver_and_follow(house, mailbox_id, searching):
    tasks = Tasks(house.loop)
    tasks.start(searching.feed())
    await asyncio.sleep(0)
    await _deliver(house, mailbox_id)
    try:
        async with asyncio.timeout(20):
            while True:
                (item,) = await house.records.items(mailbox_id, [1])
                if item.card:
                    return read_card(item.card)
                await asyncio.sleep(0.01)
    finally:
        await tasks.cancel()


async def _deliver_and_find(house, mailbox_id, searching):
    await _deliver(house, mailbox_id)
    asked = ("thunderstorms", "sunshine", "subject:weather")
    return [len(await searching.find(mailbox_id, words)) for words in asked]


async def _deliver(house, mailbox_id):
    inbox = await house.store.role_folder(mailbox_id, FolderRole.INBOX)
    stuffed = stuff(MESSAGE)
    staged = house.store.blobs.stage_bytes(stuffed.wire, BlobForm.WIRE)
    item = NewItem(ItemKind.MESSAGE, staged.ref, 1, columns=columns_from_head(MESSAGE))
    batch = Batch(mailbox_id, (AddItem(inbox.folder_id, item),))
    await house.store.apply(Commit((batch,), blobs=(staged,)))
