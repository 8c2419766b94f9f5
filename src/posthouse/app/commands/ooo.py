"""``posthouse out-of-office``: what a mailbox answers while its owner is away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from posthouse.app import console
from posthouse.app.commands.user import ADDRESS
from posthouse.model.errors import ConfigurationError
from posthouse.model.out_of_office import Audience, OofState, OutOfOffice
from posthouse.services.out_of_office.keeping import OutOfOffices

if TYPE_CHECKING:
    from pathlib import Path

    from posthouse.app.wiring import House
    from posthouse.model.people import Principal

HEADINGS = {
    "address": "Address",
    "state": "State",
    "is_active": "Answers now",
    "from": "From",
    "until": "Until",
    "internal": "To colleagues",
    "external": "To others",
    "audience": "Others are",
}
_DAY = timedelta(days=1)


class Instant(click.ParamType[int]):
    """A time in ISO 8601, UTC where no zone is given; the value is ms.

    Args:
        ends: a date alone means the end of that day, else its beginning.
    """

    name = "iso"

    def __init__(self, *, ends: bool = False) -> None:
        self._ends = ends

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Refuse what is no time, or lies before 1970."""
        if isinstance(value, int):
            return value
        text = value.strip()
        try:
            at = datetime.fromisoformat(text)
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
            if self._ends and len(text) <= len("2026-07-31"):
                at += _DAY
            ms = round(at.timestamp() * 1000)
        except (ValueError, OverflowError):
            ms = -1
        if ms <= 0:
            self.fail(f"{value!r} is no time; write 2026-07-31 or 2026-07-31T18:00Z", param, ctx)
        return ms


@click.group("out-of-office")
def out_of_office() -> None:
    """What a mailbox answers while its owner is away."""


@out_of_office.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@console.json_option
def show(data: Path, address: str, *, as_json: bool) -> None:
    """Show what ADDRESS answers, and when."""
    with console.opened(data) as house:
        principal = _owner(house, address)
        settled = house.run(OutOfOffices(house.store, house.clock).read(principal.mailbox_id))
        shown = _shown(principal, settled, house.clock.now_ms())
    console.show_fields(HEADINGS, shown, as_json=as_json)


@out_of_office.command("set")
@console.data_option
@click.argument("address", type=ADDRESS)
@click.option("--internal", required=True, metavar="TEXT", help="For senders of our own domains.")
@click.option("--external", default="", metavar="TEXT", help="For all others; else they get none.")
@click.option("--from", "start_at", type=Instant(), help="Begin then (UTC unless it says a zone).")
@click.option("--until", "end_at", type=Instant(ends=True), help="End then; a date is included.")
@click.option("--known-only", is_flag=True, help="Of all others, only those in the contacts.")
@console.json_option
def set_(  # noqa: PLR0913 - one per option
    data: Path,
    address: str,
    *,
    internal: str,
    external: str,
    start_at: int | None,
    end_at: int | None,
    known_only: bool,
    as_json: bool,
) -> None:
    """Answer mail to ADDRESS, each sender once."""
    if known_only and not external:
        raise click.UsageError("--known-only goes with --external")
    if start_at is not None and end_at is None:
        raise click.UsageError("--from goes with --until")
    audience = Audience.KNOWN if known_only else Audience.ALL if external else Audience.NONE
    with console.opened(data) as house:
        now_ms = house.clock.now_ms()
        settled = OutOfOffice(
            state=OofState.ENABLED if end_at is None else OofState.SCHEDULED,
            start_at=start_at or (now_ms if end_at else 0),
            end_at=end_at or 0,
            internal=internal,
            external=external,
            audience=audience,
        )
        shown = _settle(house, _owner(house, address), settled)
    sentence = f"{shown['address']} answers its mail"
    if end_at is not None:
        sentence += f" from {shown['from']} until {shown['until']}"
    console.say(f"{sentence}.", shown, as_json=as_json)


@out_of_office.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@console.json_option
def clear(data: Path, address: str, *, as_json: bool) -> None:
    """Answer no mail to ADDRESS any more; the texts are forgotten."""
    with console.opened(data) as house:
        shown = _settle(house, _owner(house, address), OutOfOffice())
    console.say(f"{shown['address']} answers no mail.", shown, as_json=as_json)


def _owner(house: House, address: str) -> Principal:
    principal = house.people.find(address)
    if not principal.mailbox_id:
        raise ConfigurationError(f"{principal.address} is a group: it has no mailbox")
    return principal


def _settle(house: House, principal: Principal, value: OutOfOffice) -> dict[str, object]:
    keeping = OutOfOffices(house.store, house.clock)
    try:
        kept = house.run(keeping.write(principal.mailbox_id, value))
    except ValueError as error:
        raise ConfigurationError(f"this cannot be kept to: {error}") from None
    house.audit.record(
        "out-of-office-changed",
        by=console.operator(),
        address=principal.address,
        state=kept.state.value,
    )
    return _shown(principal, kept, house.clock.now_ms())


def _shown(principal: Principal, settled: OutOfOffice, now_ms: int) -> dict[str, object]:
    return {
        "address": principal.address,
        "state": settled.state.value,
        "is_active": settled.is_active(now_ms),
        "from": console.time_from_ms(settled.start_at),
        "until": console.time_from_ms(settled.end_at),
        "internal": settled.internal,
        "external": settled.external,
        "audience": settled.audience.value,
    }
