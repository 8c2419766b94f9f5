"""What phones have to do with other people: shares, replies, rules, the address list, free time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.clients.eas_office import (
    CALENDAR,
    DAY,
    HOUR,
    INBOX,
    NINE,
    answered,
    body_of,
    change,
    delete,
    does,
    entry,
    folder_of,
    hang_up,
    inside,
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
from tests.mail import address, inbox, letter, queue, send, wait_for
from tests.running import Server

from posthouse.model.batch import Batch, Commit, MakeFolder
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.rule import Actions, Conditions, Rule
from posthouse.protocols.eas.wire.times import compact_from_ms
from posthouse.services.rules.keeping import InboxRules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.eas_device import Device

    from posthouse.protocols.eas.wire.element import Element

pytestmark = pytest.mark.clients

PEOPLE = (
    "cleo",
    "dan",
    "eva",
    "finn",
    "gina",
    "hugo",
    "ida",
    "jan",
    "karl",
    "lena",
    "mona",
    "nils",
    "olga",
)
QUIET_S = 0.7


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """People of these tests alone."""
    with serving(tmp_path_factory.mktemp("people") / "data", PEOPLE) as server:
        yield server


@pytest.fixture(autouse=True)
def _connections() -> Iterator[None]:
    yield
    hang_up()


def test_a_shared_calendar(office: Server) -> None:
    cleo, dan = phone(office, "cleo"), phone(office, "dan")
    made(
        cleo,
        CALENDAR,
        meeting("Hers", at=NINE).replace("<Calendar:Attendees></Calendar:Attendees>", ""),
    )
    assert not any(one.name.startswith("cleo") for one in dan.folders.values())
    office.command("share", "grant", address("cleo"), "--to", address("dan"), "--rights", "editor")
    answer = wait_for(lambda: shared_after(dan))
    assert answer.name == "cleo: Calendar"
    name = answer.name
    dan.begin(dan.folder(name))
    assert subject_of(settled(dan, name, of_subject("Hers"))) == "Hers"

    replayed_id = (
        replayed(dan, name, added("Dan's", NINE + 2 * HOUR)).response().text_of("ServerId")
    )
    assert settled(cleo, CALENDAR, of_subject("Dan's"))
    assert cleo.subjects(cleo.folder(CALENDAR)).count("Dan's") == 1
    does(dan, name, change(dan.item(dan.folder(name), "Hers"), span(NINE + DAY)))
    entry(cleo, "Hers", ("StartTime", compact_from_ms(NINE + DAY)))
    does(dan, name, delete(replayed_id))
    settled(cleo, CALENDAR, lambda items: [subject_of(one) for one in items] == ["Hers"])

    office.command(
        "share", "grant", address("cleo"), "--to", address("dan"), "--rights", "reviewer"
    )
    folder = dan.folder(name)
    shared = dan.item(folder, "Hers")

    same = change(shared, "<Calendar:Subject>Hers</Calendar:Subject>")
    wait_for(lambda: dan.sync(folder, same).responses)
    told = dan.sync(folder, change(shared, "<Calendar:Subject>Mine</Calendar:Subject>"))
    assert told.response("Change").text_of("Status") == "6"
    assert subject_of(told.changes[shared]) == "Hers"
    told = dan.sync(folder, delete(shared))
    assert told.response("Delete").text_of("Status") == "6"
    assert subject_of(told.adds[shared]) == "Hers", "it is put back"
    refusal = dan.sync(folder, added("Not his", NINE))
    assert refusal.response().text_of("Status") == "6"
    time.sleep(QUIET_S)
    cleo.catch_up(cleo.folder(CALENDAR))
    assert cleo.subjects(cleo.folder(CALENDAR)) == ["Hers"]

    office.command("share", "revoke", address("cleo"), "--from", address("dan"))
    assert wait_for(lambda: dan.ping(folder, heartbeat_s=60).text_of("Status") == "7" or None)
    assert wait_for(lambda: dan.folder_sync() and folder not in dan.folders)
    assert dan.sync(folder).status in ("8", "12")


def test_a_meeting_called_in_anothers_calendar(office: Server) -> None:
    """Who may write for the owner invites in the owner's name."""
    jan, karl, lena = (phone(office, name) for name in ("jan", "karl", "lena"))
    for right in (("--rights", "editor"), ("--send-as",)):
        office.command("share", "grant", address("jan"), "--to", address("karl"), *right)
    name = wait_for(lambda: shared_after(karl)).name
    karl.begin(karl.folder(name))
    server_id = made(karl, name, meeting("For Jan", "lena"))
    assert mail(lena, "For Jan").text_of("Email:From") == '"jan" <jan@example.org>'
    hers = entry(lena, "For Jan", ("BusyStatus", "1"))
    assert hers.text_of("Calendar:OrganizerEmail") == address("jan")
    entry(jan, "For Jan", ("MeetingStatus", "1"))
    assert respond(lena, "For Jan", 1, "<SendResponse/>")[0] == 1
    answered(jan, "lena", "For Jan", "3")
    answered_in = settled(karl, name, lambda items: items and statuses(items[0]) == {"lena": "3"})
    assert answered_in
    does(karl, name, delete(server_id))
    assert mail(lena, "Canceled: For Jan")
    settled(jan, CALENDAR, lambda items: not items)


def test_who_cannot_be_invited(office: Server) -> None:
    """Somebody who does not exist keeps nobody else from being asked; nor does it from being filed."""
    mona, nils, olga = (phone(office, name) for name in ("mona", "nils", "olga"))
    made(mona, CALENDAR, meeting("Mixed", "nobody", "nils", "no-domain"))
    entry(nils, "Mixed", ("BusyStatus", "1"))
    made(mona, CALENDAR, meeting("Nobody", "nobody"), "2")
    office.command("share", "grant", address("mona"), "--to", address("nils"), "--rights", "editor")
    name = wait_for(lambda: shared_after(nils)).name
    nils.begin(nils.folder(name))
    made(nils, name, meeting("Not his to call", "olga"))
    entry(mona, "Not his to call")
    time.sleep(QUIET_S)
    assert olga.catch_up(olga.folder(INBOX)) == {}
    mona.begin(mona.folder(CALENDAR))
    assert mona.subjects(mona.folder(CALENDAR)) == ["Mixed", "Nobody", "Not his to call"]


def added(subject: str, at: int) -> str:
    return (
        f"<Add><ClientId>{subject[:3]}</ClientId><ApplicationData><Calendar:Subject>{subject}"
        f"</Calendar:Subject>{span(at)}</ApplicationData></Add>"
    )


def shared_after(device: Device) -> object:
    """The calendar of another, after a FolderSync."""
    device.folder_sync()
    return next((one for one in device.folders.values() if one.name.endswith(": Calendar")), None)


OOF = (
    "<Oof><Set><OofState>1</OofState><OofMessage><AppliesToInternal/><Enabled>1</Enabled>"
    "<ReplyMessage>Ask Finn.</ReplyMessage><BodyType>Text</BodyType></OofMessage>"
    "<OofMessage><AppliesToExternalKnown/><Enabled>1</Enabled><ReplyMessage>Away.</ReplyMessage>"
    "<BodyType>Text</BodyType></OofMessage><OofMessage><AppliesToExternalUnknown/>"
    "<Enabled>1</Enabled><ReplyMessage>Away.</ReplyMessage><BodyType>Text</BodyType></OofMessage>"
    "</Set></Oof>"
)


def test_out_of_office_set_on_the_phone(office: Server) -> None:
    eva, finn = phone(office, "eva"), phone(office, "finn")
    said = eva.ask("Settings:Settings", OOF).child("Oof")
    assert said
    assert said.text_of("Status") == "1"
    held = eva.ask("Settings:Settings", "<Oof><Get><BodyType>Text</BodyType></Get></Oof>").find(
        "Oof", "Get"
    )
    assert held
    assert held.text_of("OofState") == "1"
    assert [one.text_of("ReplyMessage") for one in held.each("OofMessage")] == [
        "Ask Finn.",
        "Away.",
        "Away.",
    ]

    for number in (1, 2):
        finn.send_mail(
            letter(f"question {number}", to=address("eva"), sender=address("finn")).as_bytes(),
            f"q{number}",
        )
    for subject in ("from afar", "from afar again"):
        send(office, letter(subject, to=address("eva")))
    replies = settled(
        finn, INBOX, lambda items: [one for one in items if "question" in subject_of(one)]
    )
    time.sleep(QUIET_S)
    finn.catch_up(finn.folder(INBOX))
    assert len(finn.items[finn.folder(INBOX)]) == len(replies) == 1
    assert "Ask Finn." in body_of(replies[0])
    assert replies[0].text_of("Email:From").endswith("<eva@example.org>")
    wait_for(lambda: "from afar again" in inbox(office, "eva"))
    time.sleep(QUIET_S)
    (outgoing,) = wait_for(lambda: queue(office))
    assert "someone@example.net" in str(outgoing)


def test_a_rule_files_mail_before_the_phone_hears_of_it(office: Server) -> None:
    with inside(office) as opened:
        owner = opened.directory.by_address(address("gina"))
        root = folder_of(opened, "gina", FolderRole.ROOT)
        making = MakeFolder(root.folder_id, "Lists", FolderClass.MAIL, FolderRole.NONE)
        (result,) = opened.run(opened.store.apply(Commit((Batch(owner.mailbox_id, (making,)),))))
        target = result.results[0].folder_id
        rule = Rule(
            name="lists",
            conditions=Conditions(subject_contains=("list:",)),
            actions=Actions(move_to=target, marks_read=True),
        )
        opened.run(InboxRules(opened.store).write(owner.mailbox_id, (rule,)))
    gina = phone(office, "gina")
    gina.begin(gina.folder("Lists"))
    send(office, letter("list: one", to=address("gina")))
    send(office, letter("private", to=address("gina")))
    mail(gina, "private")
    assert gina.subjects(gina.folder(INBOX)) == ["private"]
    filed = settled(gina, "Lists", of_subject("list: one"))
    assert filed.text_of("Email:Read") == "1"


def test_people_and_their_time(office: Server) -> None:
    hugo, ida = phone(office, "hugo"), phone(office, "ida")
    made(hugo, CALENDAR, meeting("Busy", "ida"))
    entry(ida, "Busy", ("BusyStatus", "1"))
    store = hugo.ask(
        "Search:Search",
        "<Store><Name>GAL</Name><Query>ida</Query><Options><Range>0-4</Range></Options></Store>",
    ).find("Response", "Store")
    assert store
    found = [one.find("Properties") for one in store.each("Result")]
    assert [one.text_of("GAL:EmailAddress") for one in found if one] == ["ida@example.org"]
    answer = hugo.ask(
        "Find:Find",
        "<SearchId>1A2B</SearchId><ExecuteSearch><GalSearchCriterion><Query>ida</Query>"
        "<Options><Range>0-4</Range></Options></GalSearchCriterion></ExecuteSearch>",
    )
    result = answer.find("Response", "Result", "Properties")
    assert result
    assert result.text_of("GAL:EmailAddress") == "ida@example.org"

    window = f"<StartTime>{long(NINE - HOUR)}</StartTime><EndTime>{long(NINE + 2 * HOUR)}</EndTime>"
    told = hugo.ask(
        "ResolveRecipients:ResolveRecipients",
        f"<To>hugo@example.org</To><To>ida</To><To>nobody</To><Options><Availability>{window}</Availability></Options>",
    )
    digits = {
        one.text_of("To"): [free.text_of("MergedFreeBusy") for free in availabilities(one)]
        for one in told.each("Response")
    }
    assert digits == {"hugo@example.org": ["002200"], "ida": ["001100"], "nobody": []}


def availabilities(response: Element) -> Iterator[Element]:
    for one in response.each("Recipient"):
        if (found := one.child("Availability")) is not None:
            yield found


def long(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at / 1000))
