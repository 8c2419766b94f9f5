"""Parts: which properties of a component say which fields of a model, and how they are changed.

Spec: RFC 5545 §3.8.1 (CLASS, CATEGORIES, DESCRIPTION, PRIORITY), §3.8.7 (CREATED, DTSTAMP,
LAST-MODIFIED, SEQUENCE); [MS-OXCICAL] §2.1.3.1.1.20.

Notes:
    A part writes only when reading it says something else than what is wanted. So what nobody
    changed keeps its bytes, whatever form it has.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar
from urllib.parse import unquote_to_bytes

from posthouse.formats.ical.lines import LIMITS, Component, Property
from posthouse.formats.ical.values import (
    integer_from_value,
    items_of_value,
    ms_from_utc_value,
    text_from_value,
    utc_value,
    value_from_text,
)
from posthouse.formats.mime.charsets import text_from_bytes
from posthouse.model.appointment import Appointment, Importance, Sensitivity
from posthouse.model.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from posthouse.formats.ical.times import Calendar

# Fields of the models have many types, and one part reads several of them.
Values: TypeAlias = dict[str, Any]
Model = TypeVar("Model", contravariant=True)


@dataclass(frozen=True, slots=True)
class Part(Generic[Model]):
    """One meaning.

    Attributes:
        read: fields of the model from a component.
        write: changes the component so that ``read`` gives the model's values.
    """

    read: Callable[[Component, Calendar], Values]
    write: Callable[[Component, Calendar, Model], None]


Shared: TypeAlias = Appointment | Task


def read_parts(parts: Iterable[Part[Model]], component: Component, calendar: Calendar) -> Values:
    """All fields that these parts know."""
    values: Values = {}
    for part in parts:
        values.update(part.read(component, calendar))
    return values


def write_parts(
    parts: Iterable[Part[Model]], component: Component, calendar: Calendar, wanted: Model
) -> None:
    """Change what says something else than the model."""
    for part in parts:
        values = part.read(component, calendar)
        if any(getattr(wanted, name) != value for name, value in values.items()):
            part.write(component, calendar, wanted)


def text_part(field: str, name: str) -> Part[Shared]:
    """A field that is one TEXT property."""

    def write(component: Component, _calendar: Calendar, wanted: Shared) -> None:
        put_text(component, name, getattr(wanted, field))

    return Part(lambda c, _: {field: text_from_value(c.value(name))}, write)


def put_text(component: Component, name: str, text: str) -> None:
    """Write a TEXT property; "" takes it out."""
    if text:
        component.set(name, value_from_text(text))
    else:
        component.drop(name)


def _read_html(component: Component, _calendar: Calendar) -> Values:
    for prop in component.properties("X-ALT-DESC"):
        if prop.parameter("FMTTYPE").lower() in ("", "text/html"):
            return {"html": text_from_value(prop.value)}
    return {"html": _html_of_data(_altrep(component))}


def _write_html(component: Component, _calendar: Calendar, wanted: Shared) -> None:
    description = component.first("DESCRIPTION")
    if description and _html_of_data(_altrep(component)):
        component.replace(description, description.changed(parameters={"ALTREP": None}))
    rich = component.properties("X-ALT-DESC")
    component.remove(*(p for p in rich if p.parameter("FMTTYPE").lower() in ("", "text/html")))
    if wanted.html:
        value = value_from_text(wanted.html)
        component.add(component.new_property("X-ALT-DESC", value, {"FMTTYPE": "text/html"}))


def _altrep(component: Component) -> str:
    description = component.first("DESCRIPTION")
    return description.parameter("ALTREP") if description else ""


def _html_of_data(url: str) -> str:
    """Thunderbird carries the HTML of a description in the URL of its other form."""
    if url[:14].lower() != "data:text/html":
        return ""
    kind, _, data = url.partition(",")
    raw = unquote_to_bytes(data)
    if kind.lower().endswith(";base64"):
        try:
            raw = binascii.a2b_base64(raw)
        except binascii.Error:
            return ""
    return text_from_bytes(raw).replace("\r", "")


def _read_body(component: Component, _calendar: Calendar) -> Values:
    return {"body": text_from_value(component.value("DESCRIPTION"))}


def _write_body(component: Component, _calendar: Calendar, wanted: Shared) -> None:
    if wanted.body or _altrep(component):
        component.set("DESCRIPTION", value_from_text(wanted.body))
    else:
        component.drop("DESCRIPTION")


_CLASSES = {
    "PUBLIC": Sensitivity.NORMAL,
    "X-PERSONAL": Sensitivity.PERSONAL,
    "PRIVATE": Sensitivity.PRIVATE,
    "CONFIDENTIAL": Sensitivity.CONFIDENTIAL,
}
_CLASS_TEXT = {value: name for name, value in _CLASSES.items()}


def _read_sensitivity(component: Component, _calendar: Calendar) -> Values:
    text = component.value("CLASS").strip().upper()
    # RFC 5545: a class that one does not know is to be treated as private.
    unknown = Sensitivity.PRIVATE if text else Sensitivity.NORMAL
    return {"sensitivity": _CLASSES.get(text, unknown)}


def _write_sensitivity(component: Component, _calendar: Calendar, wanted: Shared) -> None:
    component.set("CLASS", _CLASS_TEXT[wanted.sensitivity])


_CDO_IMPORTANCE = "X-MICROSOFT-CDO-IMPORTANCE"
_PRIORITY_TEXT = {Importance.HIGH: "1", Importance.NORMAL: "5", Importance.LOW: "9"}


def _read_importance(component: Component, _calendar: Calendar) -> Values:
    priority = integer_from_value(component.value("PRIORITY")) or 0
    if not 1 <= priority <= 9:
        said = integer_from_value(component.value(_CDO_IMPORTANCE))
        return {"importance": Importance(said) if said in (0, 1, 2) else Importance.NORMAL}
    if priority == 5:
        return {"importance": Importance.NORMAL}
    return {"importance": Importance.HIGH if priority < 5 else Importance.LOW}


def _write_importance(component: Component, _calendar: Calendar, wanted: Shared) -> None:
    component.set("PRIORITY", _PRIORITY_TEXT[wanted.importance])
    if component.first(_CDO_IMPORTANCE):
        component.set(_CDO_IMPORTANCE, str(int(wanted.importance)))


def _read_categories(component: Component, _calendar: Calendar) -> Values:
    items = [
        text_from_value(item)
        for prop in component.properties("CATEGORIES")
        for item in items_of_value(prop.value, LIMITS.values_max)
    ]
    return {"categories": tuple(items[: LIMITS.values_max])}


def _write_categories(component: Component, _calendar: Calendar, wanted: Shared) -> None:
    if wanted.categories:
        component.set("CATEGORIES", ",".join(map(value_from_text, wanted.categories)))
    else:
        component.drop("CATEGORIES")


def _read_created(component: Component, _calendar: Calendar) -> Values:
    return {"created_at": ms_from_utc_value(component.value("CREATED")) or 0}


def _write_created(component: Component, _calendar: Calendar, wanted: Shared) -> None:
    component.set("CREATED", utc_value(wanted.created_at))


def _read_changed(component: Component, _calendar: Calendar) -> Values:
    changed_at = ms_from_utc_value(component.value("LAST-MODIFIED"))
    if changed_at is None:
        changed_at = ms_from_utc_value(component.value("DTSTAMP"))
    return {"changed_at": changed_at or 0}


def _write_changed(component: Component, _calendar: Calendar, wanted: Shared) -> None:
    if component.first("LAST-MODIFIED"):
        component.set("LAST-MODIFIED", utc_value(wanted.changed_at))
    component.set("DTSTAMP", utc_value(wanted.changed_at))


def flag_of(component: Component, name: str) -> Property | None:
    """A property whose value is TRUE."""
    found = component.first(name)
    return found if found and found.value.strip().upper() == "TRUE" else None


UID: Part[Shared] = text_part("uid", "UID")
SUBJECT: Part[Shared] = text_part("subject", "SUMMARY")
HTML: Part[Shared] = Part(_read_html, _write_html)
BODY: Part[Shared] = Part(_read_body, _write_body)
SENSITIVITY: Part[Shared] = Part(_read_sensitivity, _write_sensitivity)
IMPORTANCE: Part[Shared] = Part(_read_importance, _write_importance)
CATEGORIES: Part[Shared] = Part(_read_categories, _write_categories)
CREATED: Part[Shared] = Part(_read_created, _write_created)
CHANGED: Part[Shared] = Part(_read_changed, _write_changed)

DESCRIBING: tuple[Part[Shared], ...] = (
    SUBJECT,
    HTML,
    BODY,
    SENSITIVITY,
    IMPORTANCE,
    CATEGORIES,
)
