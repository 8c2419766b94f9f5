"""A sheet: the entries of one meeting while the messages of a mail are applied one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from posthouse.services.meetings.incoming import Effect, Known

if TYPE_CHECKING:
    from posthouse.model.ids import ItemId
    from posthouse.services.meetings.calendars import Calendars, Desk, Work
    from posthouse.services.meetings.document import Held


class Sheet:
    """Gathers effects; each is seen by what comes after it.

    Attributes:
        known: as it stands with the effects so far.
    """

    __slots__ = ("_desk", "_effects", "known")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._effects: dict[tuple[ItemId | None, int | None], Effect] = {}
        self.known = desk.known

    def take(self, effect: Effect) -> None:
        """An entry shall be as this says; said again of the same entry, the last counts."""
        held = effect.held
        key = held.item_id, held.recurrence_at
        before = self._effects.get(key)
        if before is not None:
            effect = replace(effect, folded=before.folded + effect.folded)
        self._effects[key] = effect
        self.known = _known_after(self.known, held, is_gone=effect.is_put_away)

    def put(self, calendars: Calendars, work: Work) -> None:
        """Operations for all of it."""
        for effect in self._effects.values():
            calendars.put(work, self._desk, effect)


def _known_after(known: Known, held: Held, *, is_gone: bool) -> Known:
    key = held.item_id, held.recurrence_at
    others = tuple(one for one in known.orphans if (one.item_id, one.recurrence_at) != key)
    if is_gone:
        series = known.series if held.recurrence_at is not None else None
        return Known(series, others, (*known.gone, held))
    if held.recurrence_at is None:
        return Known(held, (), known.gone)
    return Known(known.series, (*others, held), known.gone)
