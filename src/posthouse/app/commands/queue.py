"""``posthouse queue``: mail that waits for other hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from posthouse.app.console import (
    data_option,
    harmless,
    json_option,
    opened,
    say,
    show_json,
    show_rows,
    time_from_ms,
)
from posthouse.formats.mime.columns import columns_from_head
from posthouse.model.errors import NotFound
from posthouse.model.ids import QueueId
from posthouse.model.queue import RecipientState
from posthouse.services.mailflow.work import QUEUE_HINT

if TYPE_CHECKING:
    from pathlib import Path

    from posthouse.app.wiring import House
    from posthouse.model.queue import Queued

_PAGE = 200
_HEAD_BYTES = 65_536
_COLUMNS = {
    "id": "Id",
    "sender": "From",
    "address": "To",
    "attempts": "Tries",
    "next_at": "Next",
    "last_reply": "Last words",
}


@click.group()
def queue() -> None:
    """Mail that waits for other hosts."""


def _entries(house: House) -> list[Queued]:
    found: list[Queued] = []
    while True:
        page = house.run(
            house.store.records.queued(found[-1].queue_id if found else QueueId(0), _PAGE)
        )
        found += page
        if len(page) < _PAGE:
            return found


def _told(entry: Queued) -> dict[str, object]:
    message = entry.message
    return {
        "id": entry.queue_id,
        "sender": message.sender,
        "queued_at": time_from_ms(message.queued_at),
        "next_at": time_from_ms(entry.next_at),
        "size": len(message.prefix) + message.blob.size_bytes,
        "recipients": [
            {
                "address": r.address,
                "state": r.state.name.lower(),
                "attempts": r.attempts,
                "next_at": time_from_ms(r.next_at),
                "last_reply": r.last_reply,
            }
            for r in message.recipients
        ],
    }


@queue.command("list")
@data_option
@json_option
def list_(data: Path, as_json: bool) -> None:  # noqa: FBT001
    """What waits, and why."""
    with opened(data) as house:
        entries = _entries(house)
    told = [_told(entry) for entry in entries]
    if as_json:
        show_json(told)
        return
    rows = [
        {
            "id": entry.queue_id,
            "sender": entry.message.sender or "<>",
            "address": r.address,
            "attempts": r.attempts,
            "next_at": time_from_ms(r.next_at),
            "last_reply": r.last_reply[:80],
        }
        for entry in entries
        for r in entry.message.recipients
        if r.state is RecipientState.WAITING
    ]
    show_rows(_COLUMNS, rows, as_json=False)


@queue.command()
@data_option
@json_option
@click.argument("number", type=int)
def show(data: Path, as_json: bool, number: int) -> None:  # noqa: FBT001
    """One message in full, without its content."""
    with opened(data) as house:
        page = house.run(house.store.records.queued(QueueId(number - 1), 1))
        if not page or page[0].queue_id != number:
            raise NotFound(f"no message {number} in the queue; see posthouse queue list")
        told = _told(page[0])
        head = house.store.blobs.read_plain(page[0].message.blob)[:_HEAD_BYTES]
        columns = columns_from_head(head)
        told |= {"subject": columns.subject, "message_id": columns.message_id}
    if as_json:
        show_json(told)
        return
    for key, value in told.items():
        if key != "recipients":
            click.echo(harmless(f"{key.replace('_', ' ')}: {value}"))
    for r in page[0].message.recipients:
        click.echo(
            f"to {r.address}: {r.state.name.lower()}, {r.attempts} tries, "
            f"next {time_from_ms(r.next_at)}"
        )
        if r.last_reply:
            click.echo(harmless(f"   {r.last_reply}"))


@queue.command()
@data_option
@json_option
@click.argument("number", type=int, required=False)
def retry(data: Path, as_json: bool, number: int | None) -> None:  # noqa: FBT001
    """Try one message (or all) now."""
    with opened(data) as house:
        wanted = QueueId(number) if number is not None else None
        count = house.run(house.store.records.retry_queued(wanted, house.clock.now_ms()))
        house.store.hints.publish(QUEUE_HINT)  # a running server shall not wait for its next look
    if number is not None and not count:
        raise NotFound(f"no message {number} in the queue; see posthouse queue list")
    say(f"{count} made due now", {"retried": count}, as_json=as_json)


@queue.command()
@data_option
@json_option
@click.argument("number", type=int)
def drop(data: Path, as_json: bool, number: int) -> None:  # noqa: FBT001
    """Remove a message without telling anybody."""
    with opened(data) as house:
        house.run(house.store.records.drop_queued(QueueId(number)))
        house.audit.record("queue-dropped", by=house.people.actor, queue_id=number)
    say(f"dropped {number}", {"dropped": number}, as_json=as_json)
