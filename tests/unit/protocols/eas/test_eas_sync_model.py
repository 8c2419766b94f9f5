"""Sync against a model: whatever happens on either side and on the way, both agree in the end."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.protocols.eas.eas_phone import Phone, contact, deliver, meet
from tests.unit.protocols.eas.house import play

from posthouse.model.batch import (
    Batch,
    ChangeFlags,
    ChangeProperties,
    Commit,
    ExpungeItems,
    MoveItems,
)
from posthouse.model.folder import FolderRole
from posthouse.model.item import Flags
from posthouse.protocols.eas.session import EasLimits

DAY = 86_400_000
_DAYS = {0: 0, 1: 1, 2: 3, 3: 7, 4: 14}


class Play:
    """Alice's mailbox and her phone, moved by a random number generator."""

    def __init__(self, house, chance, role):
        self.house = house
        self.chance = chance
        self.is_mail = role is FolderRole.INBOX
        self.role = role
        self.numbers = itertools.count(1)
        self.away = []
        self.filter = 0
        self.made = set()

    async def begin(self):
        store = self.house.store
        self.mailbox_id = self.house.people["alice"].mailbox_id
        self.folder = (await store.role_folder(self.mailbox_id, self.role)).folder_id
        self.other = (await store.role_folder(self.mailbox_id, FolderRole.DELETED)).folder_id
        self.phone = Phone(self.house, "alice", str(self.folder))
        for _ in range(self.chance.randrange(9)):
            await self.arrive()
        return self

    async def items(self):
        return list(await self.house.items("alice", self.role))

    async def some(self):
        found = [item.item_id for item in await self.items()]
        count = min(len(found), self.chance.randint(1, 4))
        return tuple(self.chance.sample(found, count))

    async def apply(self, *operations):
        await self.house.store.apply(Commit((Batch(self.mailbox_id, operations),)))

    # --- what happens here

    async def arrive(self):
        number = next(self.numbers)
        if self.is_mail:
            ago = self.chance.choice([0, 0, 0, 1, 2, 5, 6, 10, 30]) * DAY
            now = self.house.clock.now_ms()
            await deliver(self.house, self.folder, number, now - ago - self.chance.randrange(3))
        else:
            await meet(self.house, self.folder, f"Name{number}")

    async def flag(self):
        add = self.chance.choice([Flags.SEEN, Flags.FLAGGED, Flags.ANSWERED])
        if self.chance.random() < 0.4:
            await self.apply(ChangeFlags(self.folder, await self.some(), Flags.NONE, Flags.SEEN))
        else:
            await self.apply(ChangeFlags(self.folder, await self.some(), add, Flags.NONE))

    async def categorise(self):
        bag = b'{"categories":["C%d"]}' % next(self.numbers)
        for item_id in await self.some():
            await self.apply(ChangeProperties(item_id, bag=bag))

    async def move_out(self):
        ids = await self.some()
        self.away += ids
        await self.apply(MoveItems(self.folder, ids, self.other))

    async def move_in(self):
        there = [one.item_id for one in await self.house.items("alice", FolderRole.DELETED)]
        await self.apply(MoveItems(self.other, tuple(there[-3:]), self.folder))

    async def expunge(self):
        await self.apply(ExpungeItems(self.folder, (await self.some())[:2], 1))

    async def rewrite(self):
        if self.is_mail:
            return
        for item_id in await self.some():
            name = f"Name{next(self.numbers)}"
            await self.house.entries.change(
                self.mailbox_id, item_id, lambda known, n=name: replace(known, last=n)
            )

    async def wait(self):
        self.house.clock.now += self.chance.choice([1, 1000, DAY, 2 * DAY])

    # --- what the device does

    async def sync(self):
        commands = ""
        if self.phone.key != "0" and self.chance.random() < 0.4:
            commands = self.commands()
        more = "<GetChanges>0</GetChanges>" if self.chance.random() < 0.15 else ""
        window = self.chance.randint(1, 7)
        phone = self.phone
        answer = await phone.ask(commands, window, more)
        for _ in range(self.chance.choice([0, 0, 0, 1, 1, 2, 3])):
            # The device did not see the answer.
            if self.chance.random() < 0.5:
                await self.something()
            answer = await phone.ask(commands, window, more)
            if self.chance.random() < 0.3:
                await self.something()
        phone.take(answer)

    def commands(self):
        out = []
        for name in self.chance.sample(sorted(self.phone.items), min(len(self.phone.items), 2)):
            if self.chance.random() < 0.4:
                out.append(f"<Delete><ServerId>{name}</ServerId></Delete>")
                del self.phone.items[name]
            elif self.is_mail:
                read = self.chance.random() < 0.5
                out.append(
                    f"<Change><ServerId>{name}</ServerId><ApplicationData>"
                    f"<Email:Read>{int(read)}</Email:Read></ApplicationData></Change>"
                )
                self.phone.items[name] = (self.phone.items[name][0], read)
            else:
                new = f"Name{next(self.numbers)}"
                data = contact(new)
                out.append(f"<Change><ServerId>{name}</ServerId>{data}</Change>")
                self.phone.items[name] = new
        if not self.is_mail and self.chance.random() < 0.6:
            for _ in range(self.chance.randint(1, 3)):
                name = f"Name{next(self.numbers)}"
                out.append(f"<Add><ClientId>c{name}</ClientId>{contact(name)}</Add>")
                self.phone.pending[f"c{name}"] = name
                self.made.add(name)
        return "".join(out)

    async def refilter(self):
        if self.is_mail:
            self.filter = self.chance.choice([0, 1, 2, 3, 4])
            self.phone.options = f"<FilterType>{self.filter}</FilterType>"

    async def something(self):
        here = [self.arrive, self.arrive, self.flag, self.flag, self.categorise, self.move_out]
        await self.chance.choice([*here, self.move_in, self.expunge, self.rewrite])()

    async def step(self):
        every = [self.something, self.something, self.sync, self.sync, self.sync]
        await self.chance.choice([*every, self.wait, self.refilter])()

    async def agree(self):
        phone = self.phone
        total = len(await self.items()) + len(phone.items)
        window = self.chance.randint(1, 7)
        await phone.drain(window, most=3 * total + 20)
        cutoff = 0
        if self.filter:
            cutoff = (self.house.clock.now_ms() // DAY - _DAYS[self.filter]) * DAY
        places = {p.item_id: p for p in await self.house.places("alice", self.role)}
        expected = {}
        for item in await self.items():
            if self.is_mail and item.received_at < cutoff:
                continue
            seen = bool(places[item.item_id].flags & Flags.SEEN)
            value = (item.columns.subject, seen)
            if not self.is_mail:
                entry = await self.house.entries.read(self.mailbox_id, item.item_id)
                value = entry.value.last
            expected[f"{self.folder}:{item.item_id}"] = value
        assert phone.items == expected
        assert phone.faults == []
        names = list(expected.values())
        assert self.is_mail or len(names) == len(set(names)), "added twice"


def run(seed, role, steps, answer_bytes):
    async def scene(house):
        one = await Play(house, random.Random(seed), role).begin()
        await one.phone.begin()
        for count in range(steps):
            await one.step()
            if count % 12 == 11:
                await one.agree()
        await one.agree()

    play(scene, EasLimits(answer_bytes=answer_bytes))


@pytest.mark.parametrize("role", [FolderRole.INBOX, FolderRole.CONTACTS])
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 1 << 32),
    steps=st.integers(1, 40),
    answer_bytes=st.sampled_from([1, 1_500, 4 << 20]),
)
def test_both_sides_agree(role, seed, steps, answer_bytes):
    run(seed, role, steps, answer_bytes)
