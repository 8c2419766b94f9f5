"""What the jobs process does by the clock, on a real data directory."""

import os

import pytest

from posthouse.app.commands.init import initialise
from posthouse.app.housekeeping import Housekeeper
from posthouse.app.wiring import open_house
from posthouse.backends.files.journal import FileBlobJournal
from posthouse.formats.mime.dots import stuff
from posthouse.model.batch import Commit
from posthouse.model.blob import BlobForm
from posthouse.model.errors import Unavailable
from posthouse.model.folder import MailboxKind
from posthouse.model.people import PrincipalKind
from posthouse.model.queue import NewQueued, QueuedRecipient
from posthouse.runtime import metrics_table
from posthouse.runtime.metrics import Metrics

DAY_S = 86_400


class Journal:
    def __init__(self):
        self.lines = []

    def info(self, event, **fields):
        self.lines.append((event, fields))


@pytest.fixture
def kept(tmp_path):
    data = tmp_path / "data"
    initialise(data, "example.org", "mail.example.org", "loopback")
    with open_house(data) as house:
        log, metrics = Journal(), Metrics()
        yield house, Housekeeper(house, log, metrics), log, metrics


def test_figures_of_queue_and_disk(kept):
    house, keeper, _, metrics = kept
    house.run(keeper.figures())
    assert metrics.total(metrics_table.QUEUE_MESSAGES) == 0
    assert metrics.total(metrics_table.QUEUE_OLDEST) == 0
    assert metrics.total(metrics_table.STORE_FREE_BYTES) > 0

    async def enqueue():
        wire, _, _ = stuff(b"Subject: x\r\n\r\nhi\r\n")
        staged = house.store.blobs.stage_bytes(wire, BlobForm.WIRE)
        queued_at = house.clock.now_ms() - 90_000
        message = NewQueued("a@example.org", (QueuedRecipient("b@x"),), staged.ref, queued_at)
        await house.store.apply(Commit((), (staged,), (message,)))

    house.run(enqueue())
    house.run(keeper.figures())
    assert metrics.total(metrics_table.QUEUE_MESSAGES) == 1
    assert 90 <= metrics.total(metrics_table.QUEUE_OLDEST) < 120


def test_the_hour_lets_go_of_old_audit_files(kept):
    house, keeper, log, _ = kept
    for number in (1, 2):
        old = house.audit_path.with_name(f"audit.jsonl.{number:06d}")
        old.write_text("old\n")
        at_s = house.clock.now_ms() / 1000 - 366 * DAY_S
        os.utime(old, (at_s, at_s))
    house.run(keeper.hourly())
    ((event, fields),) = log.lines
    assert (event, fields["audit_files"]) == ("house-kept", 1)
    assert not house.audit_path.with_name("audit.jsonl.000001").exists()


def test_the_day_removes_mailboxes_that_nobody_owns(kept):
    house, keeper, log, _ = kept
    long_ago = house.clock.now_ms() // 1000 - DAY_S
    records = house.store.records
    house.run(records.create_mailbox(MailboxKind.USER, bytes(16), long_ago))
    alice = house.run(house.people.add(PrincipalKind.USER, "alice@example.org"))
    house.run(keeper.daily())
    assert log.lines == [("orphans-removed", {"count": 1})]
    assert list(house.run(records.mailbox_ids(0, 10))) == [alice.mailbox_id]


def test_health(kept, monkeypatch):
    house, keeper, _, _ = kept
    assert house.run(keeper.problems()) == []
    monkeypatch.setattr(type(house.store.blobs), "free_bytes", lambda _blobs: 5 << 20)

    async def fails(_records):
        raise Unavailable("disk on fire")

    monkeypatch.setattr(type(house.store.records), "next_due", fails)
    assert house.run(keeper.problems()) == [
        "only 5 MiB of disk are free: no mail is taken in",
        "the store cannot be read: disk on fire",
    ]


def test_everything_is_closed_in_order_whatever_happens(tmp_path, monkeypatch):
    data = tmp_path / "data"
    initialise(data, "example.org", "mail.example.org", "loopback")
    closed = []
    before = FileBlobJournal.close

    def close(journal):
        closed.append("journal")
        before(journal)

    monkeypatch.setattr(FileBlobJournal, "close", close)
    with open_house(data) as house:
        engine = type(house.records)
        end = engine.close

        def fail(records):
            closed.append("records")
            end(records)
            raise Unavailable("failed while closing")

        monkeypatch.setattr(engine, "close", fail)
        with pytest.raises(Unavailable):
            house.close()
        assert closed == ["records", "journal"]
        monkeypatch.setattr(engine, "close", lambda _records: None)
