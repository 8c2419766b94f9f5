"""SEARCH: people of the address list, items of the mailbox."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.protocols.eas.eas_finding import ask, index
from tests.unit.protocols.eas.house import play

from posthouse.model.batch import Batch, Commit, MakeFolder, MoveItems
from posthouse.model.book import Details, Photo
from posthouse.model.errors import RemoteProtocolError, Unavailable
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.ids import FolderId
from posthouse.model.rights import Rights
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.search import Page, page_asked, words_asked


async def mail(house, subject, text="Text.", at=None):
    """Something comes for Alice."""
    if at is not None:
        house.clock.now = at
    head = f"From: Someone <someone@example.net>\r\nTo: alice@example.org\r\nSubject: {subject}"
    await house.accept(content=f"{head}\r\n\r\n{text}\r\n".encode())


async def search(house, store, query, options="", **more):
    inner = f"<Name>{store}</Name><Query>{query}</Query><Options>{options}</Options>"
    answer = await ask(house, "Search", f"<Store>{inner}</Store>", **more)
    assert answer.text_of("Status") == "1"
    return answer.find("Response", "Store")


def subjects(store):
    return [one.find("Properties").text_of("Email:Subject") for one in store.each("Result")]


def status(store):
    return store.text_of("Status")


def test_people():
    async def scene(house):
        alice = house.people["alice"].principal_id
        house.directory.set_details(alice, Details(first_name="Al", phone="+49 30 1", office="7"))
        house.directory.set_photo(alice, Photo("image/png", b"picture", 1))
        store = await search(house, "GAL", "ali", "<Range>0-9</Range><Picture/>")
        (result,) = store.each("Result")
        properties = result.child("Properties")
        assert properties.text_of("GAL:EmailAddress") == "alice@example.org"
        assert properties.text_of("GAL:Phone") == "+49 30 1"
        assert properties.find("GAL:Picture", "Data").octets == b"picture"
        assert (store.text_of("Range"), store.text_of("Total")) == ("0-0", "1")
        small = await search(house, "GAL", "ali", "<Picture><MaxSize>3</MaxSize></Picture>")
        picture = small.child("Result").find("Properties", "GAL:Picture")
        assert picture.text_of("Status") == "174"

    play(scene)


def test_nobody_is_one_empty_result():
    async def scene(house):
        for name, query in (("GAL", "zoe"), ("Mailbox", "<And><FreeText>zoe</FreeText></And>")):
            store = await search(house, name, query)
            assert status(store) == "1"
            assert [one.content for one in store.each("Result")] == [""]
            assert (store.text_of("Range"), store.text_of("Total")) == ("0-0", "0")

    play(scene)


def test_words_newest_first_in_pages():
    async def scene(house):
        index(house)
        for number in range(5):
            await mail(house, f"Report {number}", at=house.clock.now + 1000)
        await mail(house, "Else")
        query = "<And><AirSync:Class>Email</AirSync:Class><FreeText>repo</FreeText></And>"
        store = await search(house, "Mailbox", query, "<Range>1-2</Range>")
        assert subjects(store) == ["Report 3", "Report 2"]
        assert (store.text_of("Range"), store.text_of("Total")) == ("1-2", "5")
        inbox = await house.folder("alice")
        result = store.child("Result")
        assert result.text_of("AirSync:CollectionId") == inbox
        assert result.text_of("LongId").startswith(f"{inbox}:")
        assert status(await search(house, "Mailbox", query, "<Range>5-9</Range>")) == "12"

    play(scene)


def test_bodies_as_asked_for():
    async def scene(house):
        index(house)
        await mail(house, "One", "Words in it.")
        preference = "<AirSyncBase:BodyPreference><AirSyncBase:Type>1</AirSyncBase:Type></AirSyncBase:BodyPreference>"
        store = await search(house, "Mailbox", "<And><FreeText>words</FreeText></And>", preference)
        body = store.child("Result").find("Properties", "AirSyncBase:Body")
        assert body.text_of("Data") == "Words in it.\r\n"

    play(scene)


def test_without_words():
    async def scene(house):
        first = house.clock.now
        await mail(house, "Old")
        await mail(house, "New", at=first + 60_000)
        later = "<GreaterThan><Email:DateReceived/><Value>2026-05-28T20:27:00.000Z</Value></GreaterThan>"
        earlier = later.replace("GreaterThan", "LessThan")
        assert subjects(await search(house, "Mailbox", f"<And>{later}</And>")) == ["New"]
        assert subjects(await search(house, "Mailbox", f"<And>{earlier}</And>")) == ["Old"]
        both = await search(house, "Mailbox", f"<And>{later}{earlier}</And>")
        assert both.text_of("Total") == "0"

    play(scene)


def test_words_within_times():
    async def scene(house):
        index(house)
        first = house.clock.now
        await mail(house, "Report 1")
        await mail(house, "Report 2", at=first + 60_000)
        later = "<GreaterThan><Email:DateReceived/><Value>2026-05-28T20:27:00.000Z</Value></GreaterThan>"
        query = f"<And><FreeText>report</FreeText>{later}</And>"
        assert subjects(await search(house, "Mailbox", query)) == ["Report 2"]

    play(scene)


def test_a_conversation():
    async def scene(house):
        index(house)
        await mail(house, "Hello")
        await mail(house, "Else")
        found = await search(house, "Mailbox", "<And><FreeText>hello</FreeText></And>")
        conversation = found.child("Result").find("Properties", "Email2:ConversationId")
        if conversation is None:
            pytest.skip("no threads here")
        store = Element("Search", "Store")
        store.add("Name", "Mailbox")
        store.add("Query").add("And").add("ConversationId", conversation.octets)
        answer = await ask(house, "Search", [store])
        assert subjects(answer.find("Response", "Store")) == ["Hello"]

    play(scene)


def test_where():
    async def scene(house):
        index(house)
        await mail(house, "Report")
        words = "<FreeText>report</FreeText>"
        inbox, sent = await house.folder("alice"), await house.folder("alice", FolderRole.SENT)
        for server_id, total in ((inbox, "1"), (sent, "0"), ("0", "1"), ("", "1")):
            where = f"<AirSync:CollectionId>{server_id}</AirSync:CollectionId>"
            store = await search(house, "Mailbox", f"<And>{where}{words}</And>")
            assert store.text_of("Total") == total, server_id
        calendar = f"<And><AirSync:Class>Calendar</AirSync:Class>{words}</And>"
        assert (await search(house, "Mailbox", calendar)).text_of("Total") == "0"
        gone = f"<And><AirSync:CollectionId>9999</AirSync:CollectionId>{words}</And>"
        assert status(await search(house, "Mailbox", gone)) == "11"

    play(scene)


def test_folders_below():
    async def scene(house):
        inbox = await house.folder("alice")
        mailbox_id = house.people["alice"].mailbox_id
        make = MakeFolder(FolderId(int(inbox)), "Below", FolderClass.MAIL, FolderRole.NONE)
        await house.store.apply(Commit((Batch(mailbox_id, (make,)),)))
        (below,) = [one for one in await house.records.folders(mailbox_id) if one.name == "Below"]
        await mail(house, "Report")
        (item,) = await house.items("alice")
        move = MoveItems(FolderId(int(inbox)), (item.item_id,), below.folder_id)
        await house.store.apply(Commit((Batch(mailbox_id, (move,)),)))
        since = "<Email:DateReceived/><Value>2020-01-01T00:00:00.000Z</Value>"
        query = (
            f"<And><AirSync:CollectionId>{inbox}</AirSync:CollectionId>"
            f"<GreaterThan>{since}</GreaterThan></And>"
        )
        assert (await search(house, "Mailbox", query)).text_of("Total") == "0"
        store = await search(house, "Mailbox", query, "<DeepTraversal/>")
        assert store.child("Result").text_of("AirSync:CollectionId") == str(below.folder_id)

    play(scene)


def test_folders_of_others_when_named_and_shared_only():
    async def scene(house):
        index(house)
        await mail(house, "Report")
        words = "<FreeText>report</FreeText>"
        stranger = f"{house.people['alice'].mailbox_id}.{await house.folder('alice')}"
        query = f"<And><AirSync:CollectionId>{stranger}</AirSync:CollectionId>{words}</And>"
        assert status(await search(house, "Mailbox", query, name="bob")) == "11"
        shared = await house.shared("alice", FolderRole.INBOX, "bob", Rights.READ_ANY)
        query = f"<And><AirSync:CollectionId>{shared}</AirSync:CollectionId>{words}</And>"
        store = await search(house, "Mailbox", query, name="bob")
        assert subjects(store) == ["Report"]
        assert store.child("Result").text_of("LongId").startswith(shared)
        everywhere = await search(house, "Mailbox", f"<And>{words}</And>", name="bob")
        assert everywhere.text_of("Total") == "0"

    play(scene)


@pytest.mark.parametrize(
    ("name", "query", "options", "expected"),
    [
        ("DocumentLibrary", "<EqualTo/>", "", "13"),
        ("Elsewhere", "x", "", "2"),
        ("GAL", "", "", "2"),
        ("GAL", "x", "<Range>9-1</Range>", "2"),
        ("GAL", "<FreeText>x</FreeText>", "", "2"),
        ("Mailbox", "", "", "2"),
        ("Mailbox", "<And><AirSync:Class>Email</AirSync:Class></And>", "", "2"),
        ("Mailbox", "<Or><FreeText>x</FreeText></Or>", "", "8"),
        ("Mailbox", "<And><And><FreeText>x</FreeText></And></And>", "", "8"),
        ("Mailbox", "<And><LessThan><Value>x</Value></LessThan></And>", "", "8"),
        (
            "Mailbox",
            "<And><LessThan><Email:DateReceived/><Value>x</Value></LessThan></And>",
            "",
            "2",
        ),
    ],
)
def test_what_cannot_be_looked_for(name, query, options, expected):
    async def scene(house):
        assert status(await search(house, name, query, options)) == expected

    play(scene)


def test_no_index_now():
    class Broken:
        async def find(self, *_):
            raise Unavailable("no")

    async def scene(house):
        house.services = replace(house.services, search=Broken())
        store = await search(house, "Mailbox", "<And><FreeText>x</FreeText></And>")
        assert status(store) == "3"

    play(scene)


def test_no_store():
    async def scene(house):
        answer = await ask(house, "Search", "")
        assert answer.text_of("Status") == "2"

    play(scene)


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("rep", "rep*"),
        ("from:ali AND (subject:x or)", "from:ali*  subject:x or*"),
        ('"as AND is" a', '"as AND is" a'),
        ("done*", "done*"),
    ],
)
def test_words_as_typed(typed, asked):
    assert words_asked(typed).split() == asked.split()


@given(st.text(max_size=12))
def test_any_range(text):
    options = Element("Search", "Options", [Element("Search", "Range", text)])
    try:
        page = page_asked(options)
    except RemoteProtocolError:
        return
    assert 1 <= page.size <= 100
    assert (
        page_asked(Element("Search", "Options", [Element("Search", "Range", page.text(page.size))]))
        == page
    )


def test_a_large_range_is_cut():
    options = Element("Search", "Options", [Element("Search", "Range", "10-999")])
    assert page_asked(options) == Page(10, 109)
