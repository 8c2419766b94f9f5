"""Meetings and other entries as phones write them, and what their owners then see."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.clients.eas_device import Device, Told
from tests.mail import address, wait_for
from tests.running import Server

from posthouse.app.wiring import open_house
from posthouse.model.appointment import Appointment
from posthouse.model.folder import FolderRole
from posthouse.protocols.eas.wire.calendar_times import zone_text
from posthouse.protocols.eas.wire.times import compact_from_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from posthouse.protocols.eas.wire.element import Element

INBOX, CALENDAR, CONTACTS, TASKS, NOTES = 2, 8, 9, 7, 10
HOUR, DAY = 3_600_000, 86_400_000
TOMORROW = (int(time.time()) * 1000 // DAY + 1) * DAY
NINE = TOMORROW + 9 * HOUR
BERLIN = zone_text(Appointment(uid="", start_at=NINE, end_at=NINE, zone="Europe/Berlin"))
PLAIN = (
    "<AirSyncBase:BodyPreference><AirSyncBase:Type>1</AirSyncBase:Type>"
    "<AirSyncBase:TruncationSize>5000</AirSyncBase:TruncationSize></AirSyncBase:BodyPreference>"
)
ACCEPTED, TENTATIVE, DECLINED = 1, 2, 3


_phones: list[Device] = []


def hang_up() -> None:
    """Close what the phones have open."""
    while _phones:
        _phones.pop().close()


@contextmanager
def serving(data: Path, people: tuple[str, ...], room: str = "") -> Iterator[Server]:
    """A server of some people's own; mail for elsewhere waits in its queue."""
    nobody = 'smarthost = "127.0.0.1:9"\nsmarthost_tls = "none"'
    server = Server(data, people=people, workers=2, tables={"queue": nobody})
    if room:
        server.command("room", "add", address(room), "--name", room.title())
    server.start()
    yield server
    hang_up()
    bugs = server.bugs()
    assert server.stop() == 0
    assert not bugs


def phone(house: Server, name: str, version: str = "16.1", **more: Any) -> Device:
    """Somebody's, set up, with its inbox and calendar as they are."""
    device = Device(house, name, f"{name}{version.replace('.', '')}", version=version, **more)
    device.options = PLAIN
    _phones.append(device)
    device.set_up()
    for kind in (INBOX, CALENDAR):
        device.begin(device.folder(kind))
    return device


def add(client_id: str, data: str) -> str:
    return f"<Add><ClientId>{client_id}</ClientId><ApplicationData>{data}</ApplicationData></Add>"


def change(server_id: str, data: str, more: str = "") -> str:
    return (
        f"<Change><ServerId>{server_id}</ServerId>{more}"
        f"<ApplicationData>{data}</ApplicationData></Change>"
    )


def delete(server_id: str, more: str = "") -> str:
    return f"<Delete><ServerId>{server_id}</ServerId>{more}</Delete>"


def span(start_at: int, end_at: int | None = None) -> str:
    """Begin and end; an hour when no end is said."""
    end_at = start_at + HOUR if end_at is None else end_at
    return (
        f"<Calendar:StartTime>{compact_from_ms(start_at)}</Calendar:StartTime>"
        f"<Calendar:EndTime>{compact_from_ms(end_at)}</Calendar:EndTime>"
    )


def meeting(subject: str, *people: str, at: int = NINE, more: str = "") -> str:
    """ApplicationData of 16.1; an address of a room has ``!`` before it."""
    attendees = "".join(
        f"<Calendar:Attendee><Calendar:Email>{address(one.lstrip('!'))}</Calendar:Email>"
        f"<Calendar:Name>{one.lstrip('!').title()}</Calendar:Name>"
        f"<Calendar:AttendeeType>{3 if one[0] == '!' else 1}</Calendar:AttendeeType>"
        "</Calendar:Attendee>"
        for one in people
    )
    return (
        f"<Calendar:Timezone>{BERLIN}</Calendar:Timezone>"
        f"<Calendar:Subject>{subject}</Calendar:Subject>{span(at)}"
        "<Calendar:BusyStatus>2</Calendar:BusyStatus><Calendar:MeetingStatus>1</Calendar:MeetingStatus>"
        f"<Calendar:Attendees>{attendees}</Calendar:Attendees>{more}"
    )


def daily(count: int) -> str:
    return (
        "<Calendar:Recurrence><Calendar:Type>0</Calendar:Type><Calendar:Interval>1</Calendar:Interval>"
        f"<Calendar:Occurrences>{count}</Calendar:Occurrences></Calendar:Recurrence>"
    )


def instance(at: int) -> str:
    return f"<AirSyncBase:InstanceId>{compact_from_ms(at)}</AirSyncBase:InstanceId>"


def does(device: Device, kind: int | str, commands: str) -> Told:
    """One Sync with commands; none may be refused."""
    told = device.sync(device.folder(kind), commands)
    assert told.status == "1", told
    for one in told.responses:
        assert one.text_of("Status", "1") == "1", told
    return told


def settled(device: Device, kind: int | str, what: Callable[[list[Element]], Any]) -> Any:
    """Sync until what the phone has of a folder is as wanted; that answer."""

    def look() -> Any:
        return what(list(device.catch_up(device.folder(kind)).values()))

    try:
        return wait_for(look)
    except AssertionError:
        raise AssertionError(
            f"{device.device_id} has {device.items[device.folder(kind)]}"
        ) from None


def of_subject(subject: str) -> Callable[[list[Element]], Element | None]:
    """The one item of a subject."""

    def found(items: list[Element]) -> Element | None:
        those = [one for one in items if subject_of(one) == subject]
        assert len(those) <= 1, f"{subject!r} is there {len(those)} times"
        return those[0] if those else None

    return found


def subject_of(data: Element) -> str:
    return data.text_of("Calendar:Subject") or data.text_of("Email:Subject")


def entry(device: Device, subject: str, *wanted: tuple[str, str]) -> Element:
    """The calendar's entry of a subject, once its fields are as wanted."""

    def look(items: list[Element]) -> Element | None:
        found = of_subject(subject)(items)
        if found is None or any(found.text_of(f"Calendar:{tag}") != text for tag, text in wanted):
            return None
        return found

    made: Element = settled(device, CALENDAR, look)
    return made


def mail(device: Device, subject: str) -> Element:
    """The inbox's message of a subject, once it is there."""
    made: Element = settled(device, INBOX, of_subject(subject))
    return made


def body_of(data: Element) -> str:
    body = data.child("AirSyncBase:Body")
    return body.text_of("Data").strip() if body else ""


def statuses(data: Element) -> dict[str, str]:
    """What each attendee has answered, by local part."""
    people = data.child("Calendar:Attendees")
    return {
        one.text_of("Email").partition("@")[0]: one.text_of("AttendeeStatus")
        for one in (people.children if people else [])
    }


def answered(device: Device, name: str, subject: str, status: str) -> Element:
    """The organizer's entry, once somebody's answer stands in it."""

    def look(items: list[Element]) -> Element | None:
        found = of_subject(subject)(items)
        return found if found is not None and statuses(found).get(name) == status else None

    made: Element = settled(device, CALENDAR, look)
    return made


def respond(
    device: Device, subject: str, answer: int, more: str = "", kind: int = INBOX
) -> tuple[int, str]:
    """MeetingResponse: Status and CalendarId."""
    folder = device.folder(kind)
    said = device.ask(
        "MeetingResponse:MeetingResponse",
        f"<Request><UserResponse>{answer}</UserResponse><CollectionId>{folder}</CollectionId>"
        f"<RequestId>{device.item(folder, subject)}</RequestId>{more}</Request>",
    )
    result = said.child("Result")
    assert result
    return result.number_of("Status"), result.text_of("CalendarId")


def made(device: Device, kind: int | str, data: str, client_id: str = "1") -> str:
    """An item that the phone makes: its id."""
    told = does(device, kind, add(client_id, data))
    return told.response().text_of("ServerId")


def replayed(device: Device, kind: int | str, commands: str) -> Told:
    """A Sync whose answer gets lost, and which is sent again."""
    folder = device.folder(kind)
    text = device.collection(folder, commands)
    assert device.sync_text(text) is not None
    return device.take(folder, device.sync_text(text))


@contextmanager
def inside(house: Server) -> Iterator[Any]:
    """The house from within, beside the running server."""
    with open_house(house.data) as opened:
        yield opened


def folder_of(opened: Any, name: str, role: FolderRole) -> Any:
    """Somebody's folder."""
    owner = opened.directory.by_address(address(name))
    return opened.run(opened.store.role_folder(owner.mailbox_id, role))
