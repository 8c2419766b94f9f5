"""The world behind the SMTP and LMTP doors: the house of ``stores.py`` with a real mailflow.

Options of a transcript: ``role: mx|submission|lmtp``, ``plaintext: yes``, ``size: OCTETS``, ``rate: PER HOUR``.

STORE lines beside those of ``stores.py``:
    the queue has 1                         messages waiting to leave
    the queue goes to x@foreign.example     recipients of the last one
    bob/Inbox begins Return-Path: <a@b>     first line of the newest message there, as served
    bob/Inbox holds X-Thing: yes            a line of the newest message there, as served
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.transcripts.stores import MIB, House, make_house

from posthouse.model.ids import QueueId, Uid
from posthouse.protocols.smtp.server import smtp_session_factory
from posthouse.protocols.smtp.session import SmtpServices
from posthouse.protocols.smtp.settings import SmtpLimits, SmtpRole, SmtpSettings
from posthouse.protocols.smtp.wire.limits import WireLimits
from posthouse.services.directory.addresses import Addresses
from posthouse.services.mailflow.accept import Mailflow
from posthouse.services.mailflow.envelope import Policy


class MailWorld:
    """A house whose mail really flows. Implements the player's World."""

    def __init__(self, house: House, options: dict[str, str]) -> None:
        self.house = house
        self.mailflow = Mailflow(
            house.store,
            Addresses(house.directory),
            Policy("mail.example.org", space_floor_bytes=MIB),
            house.clock,
            house.chance,
            journal=house.log,
        )
        limits = SmtpLimits(
            wire=replace(WireLimits(), message_bytes=int(options.get("size", "100000"))),
            rate_per_hour=int(options.get("rate", "100")),
        )
        settings = SmtpSettings(
            "mail.example.org",
            SmtpRole(options.get("role", "mx")),
            limits,
            allow_plaintext_auth=options.get("plaintext") == "yes",
            domain="example.org",
        )
        self.open_session = smtp_session_factory(
            SmtpServices(
                self.mailflow,
                house.logins,
                house.blobs,
                settings,
                house.log,  # type: ignore[arg-type]
                house.metrics,
                house.clock,
                house.chance,
            )
        )

    def advance(self, seconds: float) -> None:
        self.house.advance(seconds)

    async def act(self, deed: str) -> None:
        verb, _, rest = deed.partition(" ")
        if verb == "alias":
            alias, name = rest.split(" ")
            self.house.directory.add_alias(alias, self.house.people[name].principal_id)
        else:
            await self.house.act(deed)

    async def look(self, question: str) -> None:
        queue = await self.house.records.queued(QueueId(0), 100)
        if question.startswith("the queue has "):
            assert len(queue) == int(question.split(" ")[3]), f"the queue has {len(queue)}"
        elif question.startswith("the queue goes to "):
            to = [recipient.address for recipient in queue[-1].message.recipients]
            assert to == question.split(" ")[4:], f"the queue goes to {to}"
        elif " begins " in question:
            path, _, line = question.partition(" begins ")
            served = await self._newest(path)
            assert served.startswith(line.encode() + b"\r\n"), f"it begins {served[:80]!r}"
        elif " holds " in question:
            path, _, line = question.partition(" holds ")
            served = await self._newest(path)
            assert line.encode() in served.split(b"\r\n"), f"it is {served!r}"
        else:
            await self.house.look(question)

    async def _newest(self, path: str) -> bytes:
        house = self.house
        mailbox_id, folder_id = await house.folder(path)
        places = await house.records.places(mailbox_id, folder_id, Uid(0), 2000)
        (item,) = await house.records.items(mailbox_id, [places[-1].item_id])
        return item.prefix + house.blobs.read_plain(item.blob)


async def make_world(name: str, options: dict[str, str]) -> MailWorld:
    return MailWorld(await make_house(name, options), options)


def open_session(world: MailWorld, _options: dict[str, str]) -> Any:
    return world.open_session()
