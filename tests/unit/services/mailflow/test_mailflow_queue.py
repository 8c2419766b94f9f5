"""The queue runner with a courier that never leaves the house."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.unit.services.mailflow.conftest import MESSAGE, deferred, refused, until

from posthouse.model.folder import FolderRole
from posthouse.model.queue import Notify, RecipientState
from posthouse.ports.courier import Fate, TlsNeed, Unreachable, Verdict
from posthouse.ports.resolver import Outcome
from posthouse.services.mailflow.queue import QueueRules
from posthouse.services.mailflow.route import Smarthost

HOUR = 3_600_000
DOWN = Unreachable(Verdict(Fate.DEFERRED, "4.4.1", "b1.x did not answer in time", is_remote=False))


def content(number=1, author=b"alice@example.org"):
    return MESSAGE.replace(b"someone@example.net", author).replace(b"m1@", b"m%d@" % number)


async def send(house, *to, number=1, **fields):
    fields = {"sender": "alice@example.org", "login": "alice", "content": content(number)} | fields
    return await house.accept(*to, **fields)


def hosts(house, *domains):
    for n, domain in enumerate(domains):
        house.resolver.table |= {
            domain: {"MX": (f"10 a{n}.x", f"20 b{n}.x")},
            f"a{n}.x": {"A": (f"192.0.2.{n + 1}",)},
            f"b{n}.x": {"A": (f"192.0.2.{n + 101}",)},
        }


async def reports(house, name="alice"):
    return [house.whole(item) for item in await house.items(name)]


def test_a_message_goes_to_the_first_host_and_leaves_the_queue(house):
    async def run():
        await house.open()
        hosts(house, "one.example")
        await send(house, "x@one.example", "y@one.example")
        assert await house.runner().run_once() == 1
        ((stop, parcel),) = house.courier.parcels
        assert (stop.host, stop.addresses) == ("a0.x", ("192.0.2.1",))
        assert parcel.sender == "alice@example.org"
        assert [r.address for r in parcel.recipients] == ["x@one.example", "y@one.example"]
        assert bytes(parcel.wire).endswith(b"\r\n..A dot.\r\n.\r\n")
        assert parcel.prefix.startswith(b"Received: from client.example.net\r\n")
        assert parcel.size_bytes == len(parcel.prefix) + len(content())
        assert not await house.queue()
        assert not await house.items("alice")
        assert house.counts["queue_attempts.delivered"] == 2

    asyncio.run(run())


def test_destinations_are_served_apart_and_booked_at_once(house):
    async def run():
        await house.open()
        hosts(house, "one.example", "two.example")
        slow = house.courier.wait_for["a1.x"] = asyncio.Event()
        await send(house, "x@one.example", "y@two.example")
        task = asyncio.ensure_future(house.runner().run_once())

        async def is_booked():
            (entry,) = await house.queue()
            states = [r.state for r in entry.message.recipients]
            return states == [RecipientState.DELIVERED, RecipientState.WAITING]

        await until(is_booked)
        (entry,) = await house.queue()
        # Kept for whoever comes after a runner that dies now: due when the lease would have ended.
        assert entry.next_at == house.clock.now + QueueRules().lease_ms
        slow.set()
        await task
        assert not await house.queue()

    asyncio.run(run())


def test_a_refusal_is_reported_in_plain_words(house):
    async def run():
        await house.open()
        hosts(house, "one.example")
        house.courier.says["x@one.example"] = refused()
        await send(house, "x@one.example", "y@one.example", envelope_id="a+b")
        await house.runner().run_once()
        assert not await house.queue()
        (report,) = await reports(house)
        assert report.startswith(b"Return-Path: <>\r\nDelivered-To: alice@example.org\r\n")
        assert b"Final-Recipient: rfc822;x@one.example\r\nAction: failed\r\nStatus: 5.1.1" in report
        assert b"Remote-MTA: dns; a0.x" in report
        assert b"Diagnostic-Code: smtp; 550 5.1.1 no such user" in report
        assert b"there is nobody of this name" in report
        assert b"Original-Envelope-Id: a+b\r\n" in report
        assert b"y@one.example\r\nAction" not in report
        assert b"Text.\r\n.A dot.\r\n" in report
        assert house.counts["queue_reports.failure"] == 1

    asyncio.run(run())


def test_deferral_is_retried_told_after_four_hours_and_given_up_after_five_days(house):
    async def run():
        await house.open()
        hosts(house, "one.example")
        house.courier.says["x@one.example"] = deferred()
        await send(house, "x@one.example")
        began, runner, attempts = house.clock.now, house.runner(), []
        while queue := await house.queue():
            house.clock.now = max(queue[0].next_at, house.clock.now)
            attempts.append(house.clock.now - began)
            assert await runner.run_once() == 1
            told = len(await house.items("alice"))
            assert told == (house.clock.now - began >= 4 * HOUR) + (
                house.clock.now - began >= 120 * HOUR
            )
        assert attempts[0] == 0
        assert 5 * 60_000 <= attempts[1] <= 6 * 60_000
        assert 4 * HOUR in attempts
        assert attempts[-1] == 120 * HOUR
        assert 20 < len(attempts) < 50
        late, failed = await reports(house)
        assert b"Action: delayed\r\nStatus: 4.7.1" in late
        assert b"Will-Retry-Until: " in late
        assert b"Text.\r\n" not in late
        assert b"Action: failed\r\nStatus: 4.4.7" in failed

    asyncio.run(run())


def test_the_last_reply_explains_itself(house):
    async def run():
        await house.open()
        hosts(house, "one.example")
        house.courier.says["x@one.example"] = deferred("452 4.2.2 over quota " + "z" * 600, "4.2.2")
        await send(house, "x@one.example")
        await house.runner().run_once()
        (entry,) = await house.queue()
        (recipient,) = entry.message.recipients
        assert recipient.attempts == 1
        assert recipient.last_reply.endswith("z (the recipient's mailbox is full)")
        assert len(recipient.last_reply) == 512

    asyncio.run(run())


@pytest.mark.parametrize(
    ("notify", "told"),
    [(Notify.NEVER, 0), (Notify.SUCCESS, 0), (Notify.FAILURE, 1), (Notify.UNSAID, 1)],
)
def test_notify_decides_who_hears_of_failure(house, notify, told):
    async def run():
        await house.open()
        hosts(house, "one.example")
        house.courier.says["x@one.example"] = refused()
        await send(house, "x@one.example", notify=notify)
        await house.runner().run_once()
        assert len(await reports(house)) == told
        assert not await house.queue()

    asyncio.run(run())


@pytest.mark.parametrize(("passes", "told"), [(False, 1), (True, 0)])
def test_success_is_reported_as_relayed_where_the_next_host_cannot(house, passes, told):
    async def run():
        await house.open()
        hosts(house, "one.example")
        if passes:
            house.courier.dsn_hosts.add("a0.x")
        await send(house, "x@one.example", notify=Notify.SUCCESS)
        await house.runner().run_once()
        found = await reports(house)
        assert len(found) == told
        assert all(b"Action: relayed" in report for report in found)

    asyncio.run(run())


def test_a_report_to_a_foreign_sender_goes_out_with_the_null_sender_and_ends_there(house):
    async def run():
        await house.open()
        hosts(house, "away.example", "example.net")
        house.directory.change_principal(
            replace(house.people["bob"], forward_to=("bob@away.example",))
        )
        house.courier.says["bob@away.example"] = refused()
        house.courier.says["someone@example.net"] = refused()
        await house.accept("bob@example.org")
        runner = house.runner()
        assert await runner.run_once() == 1
        (entry,) = await house.queue()
        assert entry.message.sender == ""
        assert await runner.run_once() == 1
        assert not await house.queue()
        assert len(house.journal.events("queue.double_bounce")) == 1
        assert len(await house.items("bob")) == 1

    asyncio.run(run())


def test_a_host_that_is_down_gives_way_to_the_next(house):
    async def run():
        await house.open()
        hosts(house, "one.example")
        house.courier.says["a0.x"] = DOWN
        await send(house, "x@one.example")
        await house.runner().run_once()
        assert [(stop.host, up) for stop, up in house.courier.visits] == [
            ("a0.x", False),
            ("b0.x", True),
        ]
        assert not await house.queue()

    asyncio.run(run())


def test_a_dead_host_is_left_alone_without_counting_attempts(house):
    async def run():
        await house.open()
        hosts(house, "one.example")
        house.courier.says["a0.x"] = house.courier.says["b0.x"] = DOWN
        for number in range(6):
            await send(house, f"x{number}@one.example", number=number)
        await house.runner(QueueRules(per_destination=1)).run_once()
        assert len(house.courier.visits) == 2
        attempts = [e.message.recipients[0].attempts for e in await house.queue()]
        assert sorted(attempts) == [0, 0, 0, 0, 0, 1]
        waits = {e.next_at - house.clock.now for e in await house.queue()}
        assert 15_000 in waits

    asyncio.run(run())


def test_a_connection_lost_before_any_verdict_tries_the_next_host(house):
    async def run():
        await house.open()
        hosts(house, "one.example")
        house.courier.says["a0.x"] = "lost"
        await send(house, "x@one.example")
        await house.runner().run_once()
        assert [stop.host for stop, _ in house.courier.parcels] == ["a0.x", "b0.x"]
        assert not await house.queue()

    asyncio.run(run())


def test_one_connection_carries_several_messages(house):
    async def run():
        await house.open()
        hosts(house, "one.example")
        for number in range(7):
            await send(house, "x@one.example", number=number)
        await house.runner(QueueRules(per_destination=1, per_connection=5)).run_once()
        assert len(house.courier.parcels) == 7
        assert len(house.courier.visits) == 2

    asyncio.run(run())


def test_no_more_than_four_connections_to_one_destination(house):
    async def run():
        await house.open()
        hosts(house, "one.example")
        gate = house.courier.wait_for["a0.x"] = asyncio.Event()
        for number in range(9):
            await send(house, "x@one.example", number=number)
        task = asyncio.ensure_future(house.runner().run_once())
        await until(lambda: house.courier.out == 4)
        for _ in range(50):
            await asyncio.sleep(0)
        gate.set()
        await task
        assert house.courier.out_max == 4
        assert len(house.courier.parcels) == 9

    asyncio.run(run())


def test_many_recipients_go_in_several_parcels(house):
    async def run():
        await house.open()
        hosts(house, "one.example")
        house.courier.recipients_max = 100
        await send(house, *(f"x{n}@one.example" for n in range(250)))
        await house.runner().run_once()
        assert [len(p.recipients) for _, p in house.courier.parcels] == [100, 100, 50]
        assert not await house.queue()

    asyncio.run(run())


def test_the_smarthost_takes_all_domains_over_one_connection(house):
    async def run():
        await house.open()
        house.resolver.table["relay.x"] = {"A": ("192.0.2.8",)}
        await send(house, "x@one.example", "y@two.example")
        smarthost = Smarthost("relay.x", 2525, TlsNeed.NEVER)
        await house.runner(QueueRules(per_destination=1), smarthost=smarthost).run_once()
        assert len(house.courier.visits) == 1
        assert len(house.courier.parcels) == 2
        assert not await house.queue()

    asyncio.run(run())


def test_no_answer_from_dns_defers_and_no_such_domain_fails(house):
    async def run():
        await house.open()
        house.resolver.table["dim.example"] = {"MX": Outcome.TEMPORARY}
        await send(house, "x@dim.example", "y@nowhere.example")
        await house.runner().run_once()
        (entry,) = await house.queue()
        assert [r.state for r in entry.message.recipients] == [
            RecipientState.WAITING,
            RecipientState.FAILED,
        ]
        (report,) = await reports(house)
        assert b"Status: 5.1.2" in report
        assert b"x@dim.example\r\nAction" not in report

    asyncio.run(run())


def test_a_domain_that_became_ours_is_delivered_here(house):
    async def run():
        await house.open()
        await send(house, "alice@new.example", "x@new.example")
        house.directory.add_domain("new.example")
        house.directory.add_alias("alice@new.example", house.people["alice"].principal_id)
        await house.runner().run_once()
        assert not house.courier.parcels
        assert not await house.queue()
        arrived = await reports(house)
        assert len(arrived) == 2
        assert arrived[0].startswith(
            b"Return-Path: <alice@example.org>\r\nDelivered-To: alice@example.org\r\nReceived: "
        )
        assert b"x@new.example\r\nAction: failed\r\nStatus: 5.1.1" in arrived[1]

    asyncio.run(run())


def test_a_full_mailbox_here_waits_and_a_report_without_room_is_dropped(house):
    async def run():
        await house.open()
        hosts(house, "one.example")
        await house.add_person("full", quota_bytes=300)
        await send(house, "full@new.example")
        house.directory.add_domain("new.example")
        house.directory.add_alias("full@new.example", house.people["full"].principal_id)
        runner = house.runner()
        await runner.run_once()
        (entry,) = await house.queue()
        assert "full" in entry.message.recipients[0].last_reply
        await house.records.drop_queued(entry.queue_id)
        # Its own submission fits, the report about it does not.
        small = b"From: full@example.org\r\nMessage-ID: <s@x>\r\n\r\n."
        house.courier.says["x@one.example"] = refused()
        await send(house, "x@one.example", sender="full@example.org", login="full", content=small)
        await runner.run_once()
        assert not await house.queue()
        assert len(house.journal.events("report.dropped")) == 1
        assert len(await house.items("full", FolderRole.SENT)) == 1

    asyncio.run(run())


def test_run_wakes_for_new_mail_and_stops(house):
    async def run():
        await house.open()
        hosts(house, "one.example")
        runner = house.runner(QueueRules(poll_s=60.0))
        task = asyncio.ensure_future(runner.run())
        await asyncio.sleep(0)
        for number in range(3):
            await send(house, "x@one.example", number=number)
            await until(lambda: len(house.courier.parcels) > number)  # noqa: B023
        runner.stop()
        await task
        assert not await house.queue()

    asyncio.run(run())


def test_stopping_gives_back_what_was_not_begun(house):
    async def run():
        await house.open()
        hosts(house, "one.example")
        gate = house.courier.wait_for["a0.x"] = asyncio.Event()
        for number in range(3):
            await send(house, "x@one.example", number=number)
        runner = house.runner(QueueRules(per_destination=1))
        task = asyncio.ensure_future(runner.run())
        await until(lambda: house.courier.out)
        runner.stop()

        async def are_back():
            return len([e for e in await house.queue() if not e.leased_until]) == 2

        await until(are_back)
        gate.set()
        await task
        assert len(house.courier.parcels) == 1
        left = await house.queue()
        assert [e.next_at <= house.clock.now for e in left] == [True, True]

    asyncio.run(run())
