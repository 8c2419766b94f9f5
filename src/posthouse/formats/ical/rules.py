"""RRULE of a component, as a pattern where it is one.

Spec: RFC 5545 §3.8.5.3 (RRULE), §3.8.5.2 (RDATE).

Notes:
    A rule that cannot be read counts as one that is no pattern: it stays as it stands.
"""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from posthouse.formats.ical.values import DAY_MS, civil_from_value
from posthouse.formats.recurrence.rule_text import recurrence_from_rule, rule_from_recurrence
from posthouse.model.errors import RemoteProtocolError, TooLarge

if TYPE_CHECKING:
    from posthouse.formats.ical.lines import Component
    from posthouse.formats.ical.times import Form
    from posthouse.model.recurrence import Recurrence

_UNTIL_UTC = re.compile(r"(UNTIL=\w+)Z")
_MORE = ("RDATE", "EXRULE")


def read_rule(component: Component, start: str, form: Form) -> Recurrence | None:
    """The pattern of a component; None: no rule, or one that is no pattern.

    Args:
        component: with or without an RRULE.
        start: value of the property from which the rule goes on.
        form: how that is meant.
    """
    rules = component.properties("RRULE")
    begun = civil_from_value(start)
    if not rules or begun is None:
        return None
    try:
        recurrence = recurrence_from_rule(rules[0].value, begun.civil, _zone(form))
    except (RemoteProtocolError, TooLarge):
        return None
    if recurrence and form.is_date and recurrence.until_at:
        day = recurrence.until_at // DAY_MS * DAY_MS
        return replace(recurrence, until_at=day) if day > 0 else None
    return recurrence


def is_unmapped(component: Component, recurrence: Recurrence | None) -> bool:
    """Whether the component says more of its recurrence than the pattern does."""
    rules = component.properties("RRULE")
    more = any(component.first(name) for name in _MORE)
    return more or len(rules) > 1 or (bool(rules) and recurrence is None)


def write_rule(component: Component, recurrence: Recurrence | None, form: Form) -> None:
    """Make this the only rule; a rule that says it already keeps its bytes."""
    if recurrence is None:
        component.drop("RRULE")
        return
    text = rule_from_recurrence(recurrence, UTC if form.is_date else None)
    component.set("RRULE", _UNTIL_UTC.sub(r"\1", text) if form.is_floating else text)


def drop_unmapped(component: Component) -> None:
    """Take out what no pattern says."""
    component.drop(*_MORE)


def _zone(form: Form) -> tzinfo:
    return ZoneInfo(form.zone) if form.zone else UTC
