"""The assistants as the jobs process runs them: real engines, an invitation, a calendar."""

from __future__ import annotations

import asyncio
import os
import time

from tests.unit.services.mailflow.conftest import until
from tests.unit.services.meetings.conftest import NOW, mail_of, meeting

from posthouse.app.assisting import follower
from posthouse.app.commands.init import initialise
from posthouse.app.wiring import open_house
from posthouse.formats.ical.itip import request
from posthouse.formats.mime.dots import stuff
from posthouse.model.address import Address
from posthouse.model.blob import BlobForm
from posthouse.model.folder import FolderRole
from posthouse.model.people import PrincipalKind
from posthouse.runtime.logs import Log, LogWriter
from posthouse.runtime.tasks import Tasks
from posthouse.services.mailflow.board import SettledBoard
from posthouse.services.mailflow.envelope import Origin, Received, Recipient, count_nothing


def test_an_invitation_is_in_the_calendar_soon(tmp_path):
    data = tmp_path / "data"
    initialise(data, "example.org", "mail.example.org", "loopback")
    with open_house(data) as house:
        bob = house.run(house.people.add(PrincipalKind.USER, "bob@example.org", "Bob"))
        writer = LogWriter(os.open(os.devnull, os.O_WRONLY))
        try:
            took = house.run(_invite(house, bob.mailbox_id, Log(writer, house.clock)))
        finally:
            writer.close()
    assert took < 1


async def _invite(house, mailbox_id, log):
    assistants = follower(house, log, count_nothing)
    await assistants.run_once()
    tasks = Tasks(house.loop)
    running = tasks.start(assistants.run())
    await asyncio.sleep(0)
    stuffed = stuff(mail_of("REQUEST", request(meeting(), NOW)))
    staged = house.store.blobs.stage_bytes(
        stuffed.wire,
        BlobForm.WIRE,
        has_dot_lines=stuffed.has_dot_lines,
        lacks_final_eol=stuffed.lacks_final_eol,
    )
    mailflow = house.mailflow(log, count_nothing, SettledBoard())
    to = Address.parse("bob@example.org")
    origin = Origin("192.0.2.1", 25, "client.example", "ESMTP", None, "s1")
    sender = Address.parse("alice@example.net")
    await mailflow.accept(Received(sender, (Recipient(to, str(to)),), staged, origin))
    begun = time.monotonic()
    calendar = await house.store.role_folder(mailbox_id, FolderRole.CALENDAR)
    await until(lambda: house.records.places(mailbox_id, calendar.folder_id, 0, 10))
    took = time.monotonic() - begun
    assistants.stop()
    await asyncio.wait([running], timeout=5)
    assert running.done()
    await tasks.cancel()
    return took
