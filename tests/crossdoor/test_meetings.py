"""Meetings between phones: called, answered, moved, called off, and told by mail from elsewhere."""

from __future__ import annotations

import smtplib
import time
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest
from tests.clients.eas_office import (
    ACCEPTED,
    CALENDAR,
    DAY,
    DECLINED,
    HOUR,
    INBOX,
    NINE,
    TENTATIVE,
    add,
    answered,
    change,
    daily,
    delete,
    does,
    entry,
    hang_up,
    instance,
    made,
    mail,
    meeting,
    of_subject,
    phone,
    replayed,
    respond,
    serving,
    settled,
    span,
    statuses,
    subject_of,
)
from tests.mail import address
from tests.running import Server

from posthouse.protocols.eas.wire.times import compact_from_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.eas_device import Device

    from posthouse.protocols.eas.wire.element import Element

PEOPLE = "anna ben cleo dan eva finn gina hugo ida jan karl lena max nora".split()  # noqa: SIM905
REQUEST = "IPM.Schedule.Meeting.Request"
FREE, MAYBE, BUSY = "0", "1", "2"
QUIET_S = 0.7


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """People and a room of these tests alone."""
    with serving(tmp_path_factory.mktemp("meetings") / "data", tuple(PEOPLE), "aula") as server:
        yield server


@pytest.fixture(autouse=True)
def _connections() -> Iterator[None]:
    yield
    hang_up()


def count(device: Device, subject: str) -> int:
    """How many messages of this subject the inbox holds, after a while in which more could come."""
    time.sleep(QUIET_S)
    items = device.catch_up(device.folder(INBOX))
    return sum(subject_of(one) == subject for one in items.values())


def is_off(data: Element) -> bool:
    status, busy = data.text_of("Calendar:MeetingStatus"), data.text_of("Calendar:BusyStatus")
    return (status, busy) == ("7", FREE)


def requested(data: Element) -> Element:
    assert data.text_of("Email:MessageClass") == REQUEST
    assert data.text_of("Email:ContentClass") == "urn:content-classes:calendarmessage"
    found = data.child("Email:MeetingRequest")
    assert found
    return found


def test_called_booked_and_accepted(town: Server) -> None:
    anna, ben, old = phone(town, "anna"), phone(town, "ben"), phone(town, "ben", "14.1")
    told = replayed(anna, CALENDAR, add("1", meeting("Plan", "ben", "!aula")))
    assert told.response().text_of("Status") == "1"

    for device in (ben, old):
        request = requested(mail(device, "Plan"))
        assert request.text_of("StartTime").startswith(
            time.strftime("%Y-%m-%dT", time.gmtime(NINE / 1000))
        )
        assert "anna@example.org" in request.text_of("Organizer")
        assert request.text_of("ResponseRequested") == "1"
        assert (request.child("Calendar:UID") is not None) == (device is ben)
        assert (request.child("GlobalObjId") is not None) == (device is old)
        mine = entry(device, "Plan", ("BusyStatus", MAYBE), ("MeetingStatus", "3"))
        assert mine.text_of("Calendar:StartTime") == compact_from_ms(NINE)
        assert mine.text_of("Calendar:OrganizerEmail") == "anna@example.org"
    assert count(ben, "Plan") == 1
    hers = answered(anna, "aula", "Plan", "3")
    assert statuses(hers)["ben"] == "5"

    status, calendar_id = respond(ben, "Plan", ACCEPTED, "<SendResponse/>")
    assert (status, calendar_id) == (1, ben.item(ben.folder(CALENDAR), "Plan"))
    assert statuses(answered(anna, "ben", "Plan", "3")) == {"aula": "3", "ben": "3"}
    for device in (ben, old):
        entry(device, "Plan", ("BusyStatus", BUSY), ("ResponseType", "3"))
        settled(device, INBOX, lambda items: not of_subject("Plan")(items))
    news = settled(anna, INBOX, lambda items: len(items) == 2 and items)
    assert {one.text_of("Email:Subject") for one in news} == {"Accepted: Plan"}
    positive = "IPM.Schedule.Meeting.Resp.Pos"
    assert {one.text_of("Email:MessageClass") for one in news} == {positive}


def reply(uid: str, subject: str, name: str, organizer: str) -> bytes:
    """What a phone of 14.1 sends by itself."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + 2))
    message = EmailMessage()
    message["From"], message["To"] = address(name), address(organizer)
    message["Subject"] = f"Accepted: {subject}"
    message.set_content("Yes.\n")
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Phone//EN", "METHOD:REPLY", "BEGIN:VEVENT",
        f"UID:{uid}", f"DTSTAMP:{stamp}", f"DTSTART:{compact_from_ms(NINE)}", "SEQUENCE:0",
        f"DTEND:{compact_from_ms(NINE + HOUR)}", f"SUMMARY:{subject}",
        f"ORGANIZER:mailto:{address(organizer)}",
        f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{address(name)}", "END:VEVENT", "END:VCALENDAR", "",
    ]  # fmt: skip
    message.add_alternative("\r\n".join(lines), subtype="calendar", params={"method": "REPLY"})
    return message.as_bytes()


def test_an_old_phone_answers_by_itself(town: Server) -> None:
    """And a phone of 14.1 that calls a meeting sends its own invitation."""
    cleo, dan = phone(town, "cleo", "14.1"), phone(town, "dan", "14.1")
    uid = "0F1E-phone-uid"
    data = meeting("Lunch", "dan", more=f"<Calendar:UID>{uid}</Calendar:UID>")
    does(cleo, CALENDAR, add("1", data))
    assert count(dan, "Lunch") == 0, "the server does not send for 14.1"
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Phone//EN", "METHOD:REQUEST", "BEGIN:VEVENT",
        f"UID:{uid}", f"DTSTAMP:{compact_from_ms(NINE - 3 * DAY)}", "SEQUENCE:0",
        f"DTSTART:{compact_from_ms(NINE)}", f"DTEND:{compact_from_ms(NINE + HOUR)}",
        "SUMMARY:Lunch", f"ORGANIZER;CN=Cleo:mailto:{address('cleo')}",
        f"ATTENDEE;CN=Dan;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:{address('dan')}",
        "END:VEVENT", "END:VCALENDAR", "",
    ]  # fmt: skip
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = address("cleo"), address("dan"), "Lunch"
    message.set_content("Come.\n")
    message.add_alternative("\r\n".join(lines), subtype="calendar", params={"method": "REQUEST"})
    assert cleo.send_mail(message.as_bytes(), "send-1") is None

    assert requested(mail(dan, "Lunch")).text_of("GlobalObjId")
    mine = entry(dan, "Lunch", ("BusyStatus", MAYBE))
    assert mine.text_of("Calendar:UID") == uid
    status, calendar_id = respond(dan, "Lunch", ACCEPTED)
    assert (status, calendar_id) == (1, dan.item(dan.folder(CALENDAR), "Lunch"))
    assert count(cleo, "Accepted: Lunch") == 0, "dan's phone writes itself"
    assert dan.send_mail(reply(uid, "Lunch", "dan", "cleo"), "send-2") is None
    answered(cleo, "dan", "Lunch", "3")
    entry(dan, "Lunch", ("BusyStatus", BUSY))
    assert len([one for one in cleo.subjects(cleo.folder(CALENDAR)) if one == "Lunch"]) == 1


def test_moved_and_called_off(town: Server) -> None:
    eva, finn = phone(town, "eva"), phone(town, "finn")
    talk = made(eva, CALENDAR, meeting("Talk", "finn"))
    mail(finn, "Talk")
    entry(finn, "Talk", ("BusyStatus", MAYBE))
    assert respond(finn, "Talk", ACCEPTED, "<SendResponse/>")[0] == 1
    answered(eva, "finn", "Talk", "3")

    replayed(eva, CALENDAR, change(talk, span(NINE + DAY)))
    update = requested(mail(finn, "Talk"))
    assert update.text_of("Email2:MeetingMessageType") == "2"
    later = ("StartTime", compact_from_ms(NINE + DAY))
    mine = entry(finn, "Talk", later, ("BusyStatus", MAYBE))
    assert mine.text_of("Calendar:ResponseType") == "5"
    eva.begin(eva.folder(CALENDAR))
    assert statuses(entry(eva, "Talk", later)) == {"finn": "5"}
    assert count(finn, "Talk") == 1

    replayed(eva, CALENDAR, delete(talk))
    off = mail(finn, "Canceled: Talk")
    assert off.text_of("Email:MessageClass") == "IPM.Schedule.Meeting.Canceled"
    settled(finn, CALENDAR, lambda items: all(is_off(one) for one in items))
    assert count(finn, "Canceled: Talk") == 1
    assert eva.begin(eva.folder(CALENDAR)) == {}


def test_one_occurrence_of_a_series(town: Server) -> None:
    gina, hugo = phone(town, "gina"), phone(town, "hugo")
    series = made(gina, CALENDAR, meeting("Stand-up", "hugo", more=daily(4)))
    asked = requested(mail(hugo, "Stand-up"))
    assert asked.text_of("InstanceType") == "1"
    entry(hugo, "Stand-up")
    assert (
        respond(hugo, "Stand-up", ACCEPTED, f"<InstanceId>{iso(NINE + HOUR)}</InstanceId>")[0] == 2
    )
    no_day = f"<InstanceId>{iso(NINE + 9 * DAY)}</InstanceId><SendResponse/>"
    assert respond(hugo, "Stand-up", DECLINED, no_day)[0] == 2
    assert respond(hugo, "Stand-up", ACCEPTED, "<SendResponse/>")[0] == 1
    answered(gina, "hugo", "Stand-up", "3")

    replayed(gina, CALENDAR, delete(series, instance(NINE + DAY)))
    gone = mail(hugo, "Canceled: Stand-up").child("Email:MeetingRequest")
    assert gone
    assert gone.text_of("RecurrenceId") == iso(NINE + DAY)
    assert settled(hugo, CALENDAR, lambda items: exceptions(items) == {NINE + DAY: True})
    moved = change(series, span(NINE + 2 * DAY + HOUR), instance(NINE + 2 * DAY))
    does(gina, CALENDAR, moved)
    both = {NINE + DAY: True, NINE + 2 * DAY: False}
    assert settled(hugo, CALENDAR, lambda items: exceptions(items) == both)
    assert requested(mail(hugo, "Stand-up")).text_of("RecurrenceId") == iso(NINE + 2 * DAY)

    third = f"<InstanceId>{iso(NINE + 3 * DAY)}</InstanceId><SendResponse/>"
    assert respond(hugo, "Stand-up", DECLINED, third, CALENDAR)[0] == 1
    mail(gina, "Declined: Stand-up")
    assert settled(
        hugo, CALENDAR, lambda items: exceptions(items) == {**both, NINE + 3 * DAY: True}
    )
    assert count(hugo, "Canceled: Stand-up") == 1


def iso(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at / 1000))


def exceptions(items: list[Element]) -> dict[int, bool]:
    """Whether each exception of the one series does not take place, by its original start."""
    found: dict[int, bool] = {}
    for item in items:
        kept = item.child("Calendar:Exceptions")
        for one in kept.children if kept else []:
            text = one.text_of("AirSyncBase:InstanceId") or one.text_of("ExceptionStartTime")
            at = next(
                a for a in range(NINE, NINE + 9 * DAY, DAY) if text in (compact_from_ms(a), iso(a))
            )
            found[at] = one.text_of("Deleted") == "1" or one.text_of("MeetingStatus") == "7"
    return found


def test_another_time_is_proposed(town: Server) -> None:
    ida, jan = phone(town, "ida"), phone(town, "jan")
    does(ida, CALENDAR, add("1", meeting("Review", "jan")))
    mail(jan, "Review")
    entry(jan, "Review")
    start, end = compact_from_ms(NINE + 3 * HOUR), compact_from_ms(NINE + 4 * HOUR)
    words = (
        f"<SendResponse><ProposedStartTime>{start}</ProposedStartTime>"
        f"<ProposedEndTime>{end}</ProposedEndTime></SendResponse>"
    )
    assert respond(jan, "Review", TENTATIVE, words)[0] == 1
    told = mail(ida, "New time proposed: Review")
    assert told.text_of("Email:MessageClass") == "IPM.Schedule.Meeting.Resp.Tent"
    request = told.child("Email:MeetingRequest")
    assert request
    assert request.text_of("MeetingResponse:ProposedStartTime") == start
    hers = answered(ida, "jan", "Review", "2")
    assert hers.text_of("Calendar:StartTime") == compact_from_ms(NINE)
    entry(jan, "Review", ("ResponseType", "2"), ("BusyStatus", MAYBE))


def foreign(
    method: str, sequence: int, hour: int, *, sender: str, prefix: str = ""
) -> EmailMessage:
    """As Exchange writes it: Windows' names of zones, Microsoft's properties, UTF-8 in base64."""
    day = time.strftime("%Y%m%d", time.gmtime(NINE / 1000))
    status = "CANCELLED" if method == "CANCEL" else "CONFIRMED"
    lines = [
        "BEGIN:VCALENDAR", f"METHOD:{method}", "PRODID:Microsoft Exchange Server 2010",
        "VERSION:2.0", "BEGIN:VTIMEZONE", "TZID:W. Europe Standard Time", "BEGIN:STANDARD",
        "DTSTART:16010101T030000", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100",
        "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10", "END:STANDARD", "BEGIN:DAYLIGHT",
        "DTSTART:16010101T020000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200",
        "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3", "END:DAYLIGHT", "END:VTIMEZONE",
        "BEGIN:VEVENT", "ORGANIZER;CN=Boss:mailto:boss@example.com",
        "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=karl@example.org:"
        "mailto:karl@example.org", "DESCRIPTION;LANGUAGE=de-DE:Guten Tag\\n",
        "UID:040000008200E00074C5B7101A82E00800000000B0C2D4E6F8A0DA01000000000000000010000000"
        "1A2B3C4D5E6F708192A3B4C5D6E7F801", f"SUMMARY;LANGUAGE=de-DE:{prefix}Gespräch",
        f"DTSTART;TZID=W. Europe Standard Time:{day}T{hour:02}0000",
        f"DTEND;TZID=W. Europe Standard Time:{day}T{hour + 1:02}0000", "CLASS:PUBLIC",
        "PRIORITY:5", f"DTSTAMP:{time.strftime('%Y%m%dT%H%M')}{sequence:02}Z", "TRANSP:OPAQUE",
        f"STATUS:{status}", f"SEQUENCE:{sequence}", "LOCATION;LANGUAGE=de-DE:Zürich",
        f"X-MICROSOFT-CDO-APPT-SEQUENCE:{sequence}", "X-MICROSOFT-CDO-OWNERAPPTID:2117734211",
        "X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE", "X-MICROSOFT-CDO-INTENDEDSTATUS:BUSY",
        "X-MICROSOFT-CDO-ALLDAYEVENT:FALSE", "X-MICROSOFT-CDO-IMPORTANCE:1",
        "X-MICROSOFT-CDO-INSTTYPE:0", "X-MICROSOFT-DISALLOW-COUNTER:FALSE", "BEGIN:VALARM",
        "DESCRIPTION:REMINDER", "TRIGGER;RELATED=START:-PT15M", "ACTION:DISPLAY", "END:VALARM",
        "END:VEVENT", "END:VCALENDAR", "",
    ]  # fmt: skip
    message = EmailMessage()
    message["From"], message["To"] = sender, "karl@example.org"
    message["Subject"] = f"{prefix}Gespräch"
    message["Message-ID"] = f"<{method}.{sequence}.{sender}>"
    message["Date"] = "Sat, 03 Jan 2026 10:00:00 +0000"
    message.set_content("Guten Tag\n")
    message.add_alternative(
        "\r\n".join(lines), subtype="calendar", params={"method": method}, cte="base64"
    )
    return message


def bring(town: Server, message: EmailMessage, sender: str) -> None:
    with smtplib.SMTP("127.0.0.1", town.ports["smtp"], timeout=20) as client:
        client.send_message(message, sender, ["karl@example.org"])


def test_told_by_mail_from_exchange(town: Server) -> None:
    karl, boss = phone(town, "karl"), "boss@example.com"
    bring(town, foreign("REQUEST", 0, 10, sender=boss), boss)
    request = requested(mail(karl, "Gespräch"))
    assert request.text_of("Calendar:UID").startswith("040000008200E000")
    mine = entry(karl, "Gespräch", ("BusyStatus", MAYBE), ("MeetingStatus", "3"))
    first = mine.text_of("Calendar:StartTime")
    assert first[9:11] in ("08", "09"), "ten o'clock in Berlin"
    place = mine.child("AirSyncBase:Location")
    assert place
    assert place.text_of("DisplayName") == "Zürich"
    assert respond(karl, "Gespräch", ACCEPTED)[0] == 1
    entry(karl, "Gespräch", ("BusyStatus", BUSY))

    liar = "liar@example.net"
    bring(town, foreign("CANCEL", 5, 10, sender=liar, prefix="Canceled: "), liar)
    mail(karl, "Canceled: Gespräch")
    time.sleep(QUIET_S)
    entry(karl, "Gespräch", ("BusyStatus", BUSY), ("MeetingStatus", "3"), ("StartTime", first))

    bring(town, foreign("REQUEST", 1, 14, sender=boss), boss)
    mine = entry(karl, "Gespräch", ("BusyStatus", MAYBE), ("ResponseType", "5"))
    assert int(mine.text_of("Calendar:StartTime")[9:11]) == int(first[9:11]) + 4
    bring(town, foreign("CANCEL", 2, 14, sender=boss, prefix="Canceled: "), boss)
    settled(karl, CALENDAR, lambda items: all(is_off(one) for one in items))


def test_declined_with_words(town: Server) -> None:
    """And who is asked no more hears that it is off; who comes in addition is asked."""
    lena, max_, nora = phone(town, "lena"), phone(town, "max"), phone(town, "nora")
    walk = made(lena, CALENDAR, meeting("Walk", "max"))
    mail(max_, "Walk")
    entry(max_, "Walk")
    words = (
        "<SendResponse><AirSyncBase:Body><AirSyncBase:Type>1</AirSyncBase:Type>"
        "<AirSyncBase:Data>Rain.</AirSyncBase:Data></AirSyncBase:Body></SendResponse>"
    )
    assert respond(max_, "Walk", DECLINED, words) == (1, "")
    settled(max_, CALENDAR, lambda items: not items)
    told = mail(lena, "Declined: Walk")
    assert told.text_of("Email:MessageClass") == "IPM.Schedule.Meeting.Resp.Neg"
    body = told.child("AirSyncBase:Body")
    assert body
    assert "Rain." in body.text_of("Data")
    answered(lena, "max", "Walk", "4")

    does(lena, CALENDAR, change(walk, meeting("Walk", "nora")))
    requested(mail(nora, "Walk"))
    entry(nora, "Walk", ("BusyStatus", MAYBE))
    assert mail(max_, "Canceled: Walk")
    lena.begin(lena.folder(CALENDAR))
    assert statuses(entry(lena, "Walk")) == {"nora": "5"}
    assert count(nora, "Walk") == 1
