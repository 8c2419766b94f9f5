"""RESOLVERECIPIENTS: who is meant, and when they have time."""

import pytest
from tests.unit.protocols.eas.eas_finding import ask
from tests.unit.protocols.eas.house import play

from posthouse.model.appointment import Appointment
from posthouse.model.book import Photo
from posthouse.model.contact import Contact, EmailAddress
from posthouse.model.folder import FolderRole
from posthouse.model.ids import MailboxId
from posthouse.model.people import PrincipalKind

HOUR = 3_600_000
NINE_AT = 1_780_045_200_000
"""29 May 2026, 09:00 UTC."""
MORNING = (
    "<Availability><StartTime>2026-05-29T09:00:00.000Z</StartTime>"
    "<EndTime>2026-05-29T11:00:00.000Z</EndTime></Availability>"
)


async def resolve(house, *names, options="", **more):
    inner = "".join(f"<To>{name}</To>" for name in names)
    return await ask(house, "ResolveRecipients", f"{inner}<Options>{options}</Options>", **more)


async def one(house, name, options="", **more):
    (response,) = (await resolve(house, name, options=options, **more)).each("Response")
    assert response.text_of("To") == name
    people = list(response.each("Recipient"))
    assert response.text_of("RecipientCount") == str(len(people))
    return response.text_of("Status"), people


def addresses(people):
    return [person.text_of("EmailAddress") for person in people]


async def add_contact(house, name, address):
    mailbox_id = house.people["alice"].mailbox_id
    folder = await house.store.role_folder(mailbox_id, FolderRole.CONTACTS)
    contact = Contact(first=name, email1=EmailAddress(address))
    await house.entries.add(mailbox_id, folder.folder_id, contact)


async def add_busy(house, name, hours=1):
    mailbox_id = house.people[name].mailbox_id
    folder = await house.store.role_folder(mailbox_id, FolderRole.CALENDAR)
    value = Appointment(
        uid=f"{name}-busy", subject="x", start_at=NINE_AT, end_at=NINE_AT + hours * HOUR
    )
    await house.entries.add(mailbox_id, folder.folder_id, value)


def add_group(house, *members):
    group = house.directory.add_principal(
        PrincipalKind.GROUP, "team@example.org", "Team", MailboxId(0)
    )
    house.directory.set_members(group.principal_id, members)


def test_names_of_the_book():
    async def scene(house):
        status, (person,) = await one(house, "bob")
        assert status == "1"
        assert person.text_of("Type") == "1"
        assert person.text_of("DisplayName") == "Bob"
        assert addresses([person]) == ["bob@example.org"]
        assert (await one(house, "BOB@example.org"))[0] == "1"
        assert await one(house, "zoe") == ("4", [])
        assert await one(house, "somebody@example.net") == ("4", [])

    play(scene)


def test_own_contacts_count_too():
    async def scene(house):
        await add_contact(house, "Zoe", "Zoe@example.net")
        await add_contact(house, "Bob at home", "bob@example.org")
        for name in ("zo", "zoe@EXAMPLE.net"):
            status, (person,) = await one(house, name)
            assert (status, person.text_of("Type")) == ("1", "2")
            assert person.text_of("EmailAddress") == "Zoe@example.net"
        status, people = await one(house, "bob")
        assert (status, addresses(people)) == ("1", ["bob@example.org"])

    play(scene)


def test_contacts_of_others_do_not():
    async def scene(house):
        await add_contact(house, "Zoe", "zoe@example.net")
        (response,) = (await resolve(house, "zoe", name="bob")).each("Response")
        assert response.text_of("Status") == "4"

    play(scene)


def test_more_than_one():
    async def scene(house):
        for number in range(3):
            await add_contact(house, f"Bob {number}", f"bob{number}@example.net")
        status, people = await one(house, "bo")
        assert (status, len(people)) == ("2", 4)
        limit = "<MaxAmbiguousRecipients>2</MaxAmbiguousRecipients>"
        status, people = await one(house, "bo", limit + MORNING)
        assert (status, len(people)) == ("3", 2)
        assert people[0].child("Availability") is None
        none = "<MaxAmbiguousRecipients>0</MaxAmbiguousRecipients>"
        assert await one(house, "bo", none) == ("3", [])

    play(scene)


def test_times():
    async def scene(house):
        await add_busy(house, "bob")
        await add_contact(house, "Zoe", "zoe@example.net")
        for name, digits in (("bob", "2200"), ("carol", "0000"), ("zoe", "4444")):
            status, (person,) = await one(house, name, MORNING)
            availability = person.child("Availability")
            assert (status, availability.text_of("Status")) == ("1", "1")
            assert availability.text_of("MergedFreeBusy") == digits, name

    play(scene)


def test_times_of_groups():
    async def scene(house):
        await add_busy(house, "bob")
        add_group(house, "bob@example.org", "carol@example.org")
        certificates = "<CertificateRetrieval>3</CertificateRetrieval>"
        _, (group,) = await one(house, "team", certificates + MORNING)
        assert group.find("Availability", "MergedFreeBusy").text == "2200"
        assert group.find("Certificates", "Status").text == "7"
        assert group.find("Certificates", "RecipientCount").text == "2"

    play(scene)


def test_large_groups():
    async def scene(house):
        for number in range(21):
            await house.add_person(f"p{number}")
        add_group(house, *[f"p{number}@example.org" for number in range(21)])
        _, (group,) = await one(house, "team", MORNING)
        assert group.find("Availability", "Status").text == "161"

    play(scene)


def test_times_of_whom_one_may_not_see():
    async def scene(house):
        await house.configure("bob", calendar={"shows_free_busy": False})
        _, (person,) = await one(house, "bob", MORNING)
        assert person.find("Availability", "Status").text == "163"

    play(scene)


def test_many_names():
    async def scene(house):
        answer = await resolve(house, *["bob"] * 101, options=MORNING)
        responses = list(answer.each("Response"))
        assert len(responses) == 101
        times = responses[0].find("Recipient", "Availability")
        assert times.text_of("Status") == "160"

    play(scene)


def test_pictures():
    async def scene(house):
        bob = house.people["bob"].principal_id
        house.directory.set_photo(bob, Photo("image/png", b"picture", 1))
        _, (person,) = await one(house, "bob", "<Picture/>")
        assert person.find("Picture", "Data").octets == b"picture"
        _, (person,) = await one(house, "carol", "<Picture/>")
        assert person.find("Picture", "Status").text == "173"

    play(scene)


@pytest.mark.parametrize(
    "inner",
    [
        "",
        "<Options/>",
        f"<To>{'x' * 257}</To>",
        "<To>x</To>" * 1_001,
        "<To>x</To><Options><Availability/></Options>",
        "<To>x</To><Options>" + MORNING.replace("T11", "T09") + "</Options>",
        "<To>x</To><Options>" + MORNING.replace("2026-05-29T11", "2027-05-29T11") + "</Options>",
    ],
)
def test_rubbish(inner):
    async def scene(house):
        assert (await ask(house, "ResolveRecipients", inner)).text_of("Status") == "5"

    play(scene)
