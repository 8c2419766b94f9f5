"""What every records engine tells of the length and age of its queue."""

from __future__ import annotations

from tests.contracts.records_house import NOW, staged

from posthouse.model.batch import Commit
from posthouse.model.queue import NewQueued, QueuedRecipient


def test_the_figures_of_the_queue_follow_its_messages(records_house):
    h = records_house

    def queue(text: str, queued_at: int) -> None:
        blob = staged(text)
        message = NewQueued("s@x", (QueuedRecipient("a@x", next_at=NOW),), blob.ref, queued_at)
        h.commit(Commit((), (blob,), (message,)))

    def figures() -> tuple[int, int]:
        return h.run(h.records.queue_figures())

    assert figures() == (0, 0)
    queue("one", NOW - 50)
    queue("two", NOW)
    assert figures() == (2, NOW - 50)
    h.run(h.records.drop_queued(h.run(h.records.queued(0, 1))[0].queue_id))
    assert figures() == (1, NOW)
