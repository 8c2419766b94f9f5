"""Tasks as ActiveSync has them.

Spec: [MS-ASTASK] §2.2.2, §3.2.5.3; [MS-ASCMD] §2.2.3.24 (Change).

Notes:
    There is done and not done: what else a task says of its progress stays until that changes. A
    recurrence that has no elements here stays as long as the client does not send another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from posthouse.formats.recurrence.pattern import DAY_MS, UNTIL_AT_MAX
from posthouse.formats.vcard.values import clean
from posthouse.formats.zones.civil import at_from_local_ms, local_ms, zone_or_utc
from posthouse.model.appointment import Importance, Sensitivity
from posthouse.model.errors import RemoteProtocolError
from posthouse.model.task import Task, TaskStatus
from posthouse.protocols.eas.wire.fields import (
    Told,
    kept_time,
    names_elements,
    nearest_midnight,
    number_from_text,
    text_elements,
    time_from_text,
)
from posthouse.protocols.eas.wire.incoming_body import body_from_data, texts_from_body
from posthouse.protocols.eas.wire.recurrence import (
    TaskRecurrence,
    task_recurrence_element,
    task_recurrence_from_element,
)
from posthouse.protocols.eas.wire.task_times import (
    Pair,
    shown_pair,
    span_from_pairs,
)
from posthouse.protocols.eas.wire.times import long_from_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.model.recurrence import Recurrence
    from posthouse.protocols.eas.wire.element import Element
    from posthouse.protocols.eas.wire.options import ViewOptions

_SUBJECT = "Tasks:Subject"
_IMPORTANCE = "Tasks:Importance"
_SENSITIVITY = "Tasks:Sensitivity"
_COMPLETE = "Tasks:Complete"
_DATE_COMPLETED = "Tasks:DateCompleted"
_REMINDER_SET = "Tasks:ReminderSet"
_REMINDER_TIME = "Tasks:ReminderTime"
_ORDINAL = "Tasks:OrdinalDate"
_SUB_ORDINAL = "Tasks:SubOrdinalDate"
_CATEGORIES = "Tasks:Categories"
_RECURRENCE = "Tasks:Recurrence"
_START = ("Tasks:UtcStartDate", "Tasks:StartDate")
_DUE = ("Tasks:UtcDueDate", "Tasks:DueDate")
_TAGS: Final = (
    _SUBJECT,
    _IMPORTANCE,
    _SENSITIVITY,
    _COMPLETE,
    _DATE_COMPLETED,
    _REMINDER_SET,
    _REMINDER_TIME,
    _ORDINAL,
    _SUB_ORDINAL,
)


_FIELDS: Final[dict[str, tuple[str, Callable[[str], object]]]] = {
    _SUBJECT: ("subject", str),
    _IMPORTANCE: (
        "importance",
        lambda text: Importance(number_from_text(_IMPORTANCE, text, 2, Importance.NORMAL)),
    ),
    _SENSITIVITY: (
        "sensitivity",
        lambda text: Sensitivity(number_from_text(_SENSITIVITY, text, 3, Sensitivity.NORMAL)),
    ),
    _ORDINAL: ("ordinal_at", time_from_text),
    _SUB_ORDINAL: ("sub_ordinal", str),
}


def data_from_task(
    value: Task, _options: ViewOptions, body: list[Element], *, zone: str = ""
) -> list[Element]:
    """The children of its ApplicationData.

    Args:
        value: the task.
        body: its AirSyncBase:Body, made elsewhere; may be empty.
        zone: where the client is (IANA; "" unknown): in the UTC half of a date, its midnight.
    """
    shown = _shown(value)
    for (utc, local), at in ((_START, value.start_at), (_DUE, value.due_at)):
        if pair := shown_pair(at, value, zone):
            shown[utc], shown[local] = long_from_ms(pair.utc or 0), long_from_ms(pair.local or 0)
    lists = names_elements(_CATEGORIES, "Category", value.categories)
    recurrence = _recurrence_element(value)
    return [*text_elements(shown), *lists, *([recurrence] if recurrence else []), *body]


def task_from_data(
    data: Element, known: Task | None, *, is_partial: bool, now_ms: int, zone: str = ""
) -> Task:
    """What a client makes of a task.

    Args:
        data: ApplicationData.
        known: as it is; None: a new one, whose uid is "".
        is_partial: what is not there stays; else it is cleared, but for the body.
        now_ms: the time of the change, if there is one.
        zone: where the client is; see ``data_from_task``.

    Raises:
        RemoteProtocolError: something in it cannot be read (hint ``content``).
    """
    now_at = now_ms // 1000 * 1000
    before = known or Task(uid="", created_at=now_at)
    told = Told(data, is_partial=is_partial)
    texts = told.changed_texts(_TAGS, _shown(before))
    body, html = texts_from_body(body_from_data(data), before.body, before.html)
    task = replace(
        before,
        **_values(texts, before),
        **_progress(texts, before, now_at),
        **_span(told, before, zone),
        body=body,
        html=html,
        categories=told.names(_CATEGORIES, "Category", before.categories),
    )
    task = _with_recurrence(task, told, before, is_partial=is_partial)
    if task == known:
        return known
    if task.status is TaskStatus.COMPLETED and task.completed_at is None:
        # The date that stood in for it must not move.
        task = replace(task, completed_at=before.changed_at)
    return replace(task, changed_at=now_at)


def _shown(task: Task) -> dict[str, str]:
    """What is a text, by name; without start and due date."""
    is_complete = task.status is TaskStatus.COMPLETED
    shown = {
        _SUBJECT: clean(task.subject),
        _IMPORTANCE: str(int(task.importance)),
        _SENSITIVITY: str(int(task.sensitivity)),
        _COMPLETE: "1" if is_complete else "0",
        _REMINDER_SET: "0" if task.reminder_at is None else "1",
    }
    if is_complete:
        # There must be one, even when nobody knows.
        done_at = task.changed_at if task.completed_at is None else task.completed_at
        shown[_DATE_COMPLETED] = long_from_ms(done_at)
    if task.reminder_at is not None:
        shown[_REMINDER_TIME] = long_from_ms(task.reminder_at)
    if task.ordinal_at is not None:
        shown[_ORDINAL] = long_from_ms(task.ordinal_at)
    if sub_ordinal := clean(task.sub_ordinal):
        shown[_SUB_ORDINAL] = sub_ordinal
    return shown


def _values(texts: dict[str, str], before: Task) -> dict[str, Any]:
    """Fields of the model but for progress, time and recurrence; each has a type of its own."""
    values = {field: read(texts[name]) for name, (field, read) in _FIELDS.items() if name in texts}
    if _REMINDER_SET in texts or _REMINDER_TIME in texts:
        values["reminder_at"] = _reminder_at(texts, before)
    return values


def _reminder_at(texts: dict[str, str], before: Task) -> int | None:
    was_set = int(before.reminder_at is not None)
    is_set = number_from_text(_REMINDER_SET, texts.get(_REMINDER_SET, str(was_set)), 1, 0)
    at = time_from_text(texts.get(_REMINDER_TIME, ""))
    return (before.reminder_at if at is None else at) if is_set else None


def _progress(texts: dict[str, str], before: Task, now_at: int) -> dict[str, Any]:
    was_complete = before.status is TaskStatus.COMPLETED
    text = texts.get(_COMPLETE, str(int(was_complete)))
    is_complete = number_from_text(_COMPLETE, text, 1, 0) == 1
    done_at = time_from_text(texts.get(_DATE_COMPLETED, ""))
    if not is_complete:
        not_done = {"status": TaskStatus.NOT_STARTED, "percent": 0, "completed_at": None}
        return not_done if was_complete else {}
    if was_complete:
        return {} if done_at is None else {"completed_at": done_at}
    done_at = now_at if done_at is None else done_at
    return {"status": TaskStatus.COMPLETED, "percent": 100, "completed_at": done_at}


def _span(told: Told, before: Task, zone: str) -> dict[str, Any]:
    """When the task is; nothing where that is what was shown."""
    shown = shown_pair(before.start_at, before, zone), shown_pair(before.due_at, before, zone)
    start, due = _told_pair(told, _START, shown[0]), _told_pair(told, _DUE, shown[1])
    if (start, due) == shown:
        return {}
    return span_from_pairs(start, due, (before.zone, zone, ""))._asdict()


def _told_pair(told: Told, names: tuple[str, str], shown: Pair | None) -> Pair | None:
    """What the client says of one; half of a pair is enough."""
    texts = [told.text(name) for name in names]
    if all(text is None for text in texts):
        return shown
    utc, local = (time_from_text(text or "") for text in texts)
    if utc is None and local is None:
        return None
    if shown is not None and utc in (None, shown.utc) and local in (None, shown.local):
        return shown
    return Pair(utc, local)


def _civil_start(task: Task) -> int | None:
    """The date by which the recurrence is told."""
    at = task.due_at if task.start_at is None else task.start_at
    if at is None:
        return None
    return at // DAY_MS * DAY_MS if task.is_dated else _local(at, task) // DAY_MS * DAY_MS


def _local(at: int, task: Task) -> int:
    return at if task.is_floating else local_ms(at, zone_or_utc(task.zone))


def _recurrence_element(task: Task) -> Element | None:
    start_at = _civil_start(task)
    recurrence = task.recurrence
    if recurrence is None or start_at is None:
        return None
    if until_at := recurrence.until_at:
        last = until_at if task.is_dated else _local(until_at, task)
        recurrence = _ended(recurrence, last // DAY_MS * DAY_MS)
    return task_recurrence_element(
        recurrence,
        start_at,
        regenerates=task.regenerates,
        is_dead_occurrence=task.is_dead_occurrence,
    )


def _with_recurrence(task: Task, told: Told, before: Task, *, is_partial: bool) -> Task:
    """The task with the recurrence that the client says."""
    element = _recurrence_element(before)
    shown = task_recurrence_from_element(element) if element else TaskRecurrence(None)
    sent = told.element(_RECURRENCE)
    wanted = shown
    if sent is not None:
        wanted = task_recurrence_from_element(sent, shown.recurrence if is_partial else None)
    elif told.is_taken_away(_RECURRENCE):
        wanted = TaskRecurrence(None)
    if wanted.recurrence is not None:
        wanted = replace(wanted, recurrence=_with_civil_end(wanted.recurrence))
        task = _with_start(task, wanted.start_at)
    if replace(wanted, start_at=shown.start_at) == shown:
        return _with_moved_end(task, before, shown.recurrence)
    return replace(
        task,
        recurrence=_as_the_task(wanted.recurrence, task) if wanted.recurrence else None,
        has_unmapped_rule=False,
        regenerates=wanted.regenerates,
        is_dead_occurrence=wanted.is_dead_occurrence,
    )


def _with_start(task: Task, start_at: int | None) -> Task:
    """With the start that the recurrence has, if there is no other date."""
    if _civil_start(task) is not None:
        return task
    at = None if start_at is None else kept_time(start_at)
    if at is None:
        raise RemoteProtocolError("Recurrence without Start", "content")
    return replace(task, start_at=nearest_midnight(at))


def _with_moved_end(task: Task, before: Task, shown: Recurrence | None) -> Task:
    """The end is a start, too: in another form of time, or at another time of day, it moves."""
    times = task.start_at, task.due_at, task.is_dated, task.zone
    if times == (before.start_at, before.due_at, before.is_dated, before.zone):
        return task
    if shown is None or before.recurrence is None or not before.recurrence.until_at:
        return task
    return replace(task, recurrence=_as_the_task(shown, task))


def _with_civil_end(recurrence: Recurrence) -> Recurrence:
    """Until as a date: the midnight a client may have sent of its own, or the end of a day."""
    until_at = recurrence.until_at
    if not until_at:
        return recurrence
    if until_at % 60_000 >= 59_000:
        return _ended(recurrence, nearest_midnight(until_at + 1000) - DAY_MS)
    return _ended(recurrence, nearest_midnight(until_at))


def _as_the_task(recurrence: Recurrence, task: Task) -> Recurrence:
    """The end as the model has it: the last possible start, if the task has a time of day."""
    at = task.due_at if task.start_at is None else task.start_at
    if not recurrence.until_at or task.is_dated or at is None:
        return recurrence
    last = recurrence.until_at + _local(at, task) % DAY_MS
    return _ended(
        recurrence, last if task.is_floating else at_from_local_ms(last, zone_or_utc(task.zone))
    )


def _ended(recurrence: Recurrence, until_at: int) -> Recurrence:
    # Nought would be no end at all.
    return replace(recurrence, until_at=min(max(until_at, DAY_MS), UNTIL_AT_MAX // DAY_MS * DAY_MS))
