"""SendMail, SmartReply, SmartForward: sent once, with the original, or the reason why not."""

import pytest
from tests.unit.protocols.eas.eas_items import check
from tests.unit.protocols.eas.house import play
from tests.unit.services.meetings.conftest import DAY, START, meeting

from posthouse.formats.mime.headers import first
from posthouse.model.batch import Batch, Commit, ExpungeItems
from posthouse.model.folder import FolderRole
from posthouse.model.item import Flags
from posthouse.model.message_bag import LastVerb, bag_of
from posthouse.model.recurrence import Frequency, Recurrence
from posthouse.model.rights import Rights
from posthouse.protocols.eas.session import EasLimits
from posthouse.protocols.eas.wire.options import Version
from posthouse.protocols.eas.wire.times import compact_from_ms
from posthouse.services.meetings.calendar_part import scheduling_messages

TO_BOB = "From: alice@example.org\nTo: bob@example.org\nSubject: Hi\n\nWords\n"


def asking(mime=TO_BOB, client_id="c-1", more="", saves="<SaveInSentItems/>"):
    return f"<ClientId>{client_id}</ClientId>{saves}{more}<Mime>{mime}</Mime>"


def source(folder, item, more=""):
    return f"<Source><FolderId>{folder}</FolderId><ItemId>{item}</ItemId>{more}</Source>"


def status(answer):
    check(answer)
    return int(answer.text_of("Status"))


def test_a_message_is_sent_once():
    async def scene(house):
        assert await house.says("SendMail", asking()) is None
        assert await house.says("SendMail", asking()) is None
        assert len(await house.items("bob")) == 1
        assert len(await house.items("alice", FolderRole.SENT)) == 1
        assert await house.says("SendMail", asking(client_id="c-2", saves="")) is None
        assert len(await house.items("bob")) == 2
        assert len(await house.items("alice", FolderRole.SENT)) == 1

    play(scene)


@pytest.mark.parametrize(
    ("inner", "number"),
    [
        (asking("From: alice@example.org\nSubject: x\n\nw"), 119),
        (asking("To: nobody@example.org\n\nw"), 116),
        (asking("To: a@b@c@d\n\nw"), 116),
        (asking("From: bob@example.org\nTo: carol@example.org\n\nw"), 120),
        (asking(""), 107),
        (asking("no header at all"), 107),
        (asking(more="<AccountId>other</AccountId>"), 166),
        (asking(client_id="x" * 41), 101),
        (asking(client_id=""), 101),
        ("<ClientId>c</ClientId>", 101),
        (asking("To: bob@example.org\n\n" + "w" * 2_000), 122),
    ],
)
def test_the_reason_is_told(inner, number):
    async def scene(house):
        assert status(await house.says("SendMail", inner)) == number
        assert await house.items("bob") == []
        assert await house.items("alice", FolderRole.SENT) == []

    play(scene, EasLimits(message_bytes=2_000))


def test_a_reply_quotes_and_marks_what_it_answers():
    async def scene(house):
        await house.accept()
        (original,) = await house.items("alice")
        inbox = await house.folder("alice")
        inner = asking(more=source(inbox, f"{inbox}:{original.item_id}"))
        assert await house.says("SmartReply", inner) is None
        (got,) = await house.items("bob")
        plain = house.whole(got)
        assert b"Text." in plain
        assert first(plain, b"in-reply-to").strip() == b"<m1@example.net>"
        (place,) = await house.places("alice")
        assert place.flags & Flags.ANSWERED
        bag = bag_of((await house.items("alice"))[0].bag)
        assert (bag.last_verb, bag.last_verb_at) == (LastVerb.REPLY, house.clock.now)

    play(scene)


def test_a_source_named_by_the_address_or_by_a_search():
    async def scene(house):
        await house.accept()
        (original,) = await house.items("alice")
        inbox = await house.folder("alice")
        name = f"{inbox}:{original.item_id}"
        line = {"collection_id": inbox, "item_id": name, "saves_in_sent": True}
        assert await house.says("SmartForward", asking(saves=""), **line) is None
        assert len(await house.items("alice", FolderRole.SENT)) == 1
        more = f"<ReplaceMime/><Source><LongId>{name}</LongId></Source>"
        assert await house.says("SmartForward", asking(client_id="2", more=more)) is None
        quoted, replaced = [house.whole(one) for one in await house.items("bob")]
        assert b"Text." in quoted
        assert b"Text." not in replaced
        (place,) = await house.places("alice")
        assert place.flags & Flags.FORWARDED

    play(scene)


def test_a_source_that_is_gone():
    async def scene(house):
        await house.accept()
        (original,) = await house.items("alice")
        inbox = await house.folder("alice")
        inner = asking(more=source(inbox, f"{inbox}:{original.item_id}"))
        assert await house.says("SmartReply", inner) is None
        folder = await house.store.role_folder(house.people["alice"].mailbox_id, FolderRole.INBOX)
        gone = ExpungeItems(folder.folder_id, (original.item_id,), house.clock.now)
        await house.store.apply(Commit((Batch(folder.mailbox_id, (gone,)),)))
        assert await house.says("SmartReply", inner) is None, "the answer was lost, not the mail"
        again = asking(client_id="c-2", more=source(inbox, f"{inbox}:{original.item_id}"))
        assert status(await house.says("SmartReply", again)) == 150
        assert status(await house.says("SmartReply", asking(client_id="c-3"))) == 101
        assert len(await house.items("bob")) == 1

    play(scene)


def test_a_shared_source_is_marked_only_by_who_may():
    async def scene(house):
        await house.accept("bob@example.org")
        (original,) = await house.items("bob")
        inbox = await house.folder("bob")
        name = f"{house.people['bob'].mailbox_id}.{inbox}"
        inner = asking(more=source(name, f"{name}:{original.item_id}"))
        assert status(await house.says("SmartReply", inner)) == 150
        await house.shared("bob", FolderRole.INBOX, "alice", Rights.REVIEWER)
        assert await house.says("SmartReply", inner) is None
        place, _ = await house.places("bob")
        assert not place.flags & Flags.ANSWERED

    play(scene)


FORWARDEES = (
    "<Forwardees><Forwardee><ForwardeeEmail>carol@example.org</ForwardeeEmail>"
    "<ForwardeeName>Carol</ForwardeeName></Forwardee></Forwardees>"
    "<AirSyncBase:Body><AirSyncBase:Type>1</AirSyncBase:Type>"
    "<AirSyncBase:Data>Come along</AirSyncBase:Data></AirSyncBase:Body>"
)


def test_an_appointment_is_passed_on_as_an_invitation():
    async def scene(house):
        await house.call(meeting("bob"))
        entry = await house.entry("bob")
        calendar = await house.folder("bob", FolderRole.CALENDAR)
        named = source(calendar, f"{calendar}:{entry.item_id}")
        inner = f"<ClientId>1</ClientId>{named}<SaveInSentItems/>{FORWARDEES}"
        assert await house.says("SmartForward", inner, "bob") is None
        (got,) = await house.items("carol")
        plain = house.whole(got)
        (told,) = scheduling_messages(plain)
        assert told.message.method == "REQUEST"
        assert told.message.organizer.address == "alice@example.org"
        assert told.message.appointment.start_at == START
        assert b"FW: Plan" in plain
        assert b"Come along" in plain
        assert b"X-POSTHOUSE" not in plain

    play(scene)


def test_an_appointment_goes_along_with_the_clients_own_words():
    async def scene(house):
        await house.call(meeting("bob"))
        entry = await house.entry("bob")
        calendar = await house.folder("bob", FolderRole.CALENDAR)
        mime = "To: carol@example.org\nSubject: FW\n\nSee\n"
        inner = asking(mime, more=source(calendar, f"{calendar}:{entry.item_id}"))
        assert await house.says("SmartForward", inner, "bob", Version.V14_1) is None
        (got,) = await house.items("carol")
        assert b"text/calendar" in house.whole(got)

    play(scene)


@pytest.mark.parametrize(
    ("instance", "number"),
    [
        (compact_from_ms(START + DAY), None),
        (compact_from_ms(START + 9 * DAY), 150),
        ("rubbish", 101),
    ],
)
def test_one_occurrence_is_passed_on(instance, number):
    async def scene(house):
        await house.call(meeting("bob", recurrence=Recurrence(Frequency.DAILY, count=3)))
        entry = await house.entry("bob")
        calendar = await house.folder("bob", FolderRole.CALENDAR)
        more = f"<InstanceId>{instance}</InstanceId>"
        named = source(calendar, f"{calendar}:{entry.item_id}", more)
        inner = f"<ClientId>1</ClientId>{named}{FORWARDEES}"
        answer = await house.says("SmartForward", inner, "bob")
        got = await house.items("carol")
        if number is not None:
            assert status(answer) == number
            assert got == []
        else:
            (told,) = scheduling_messages(house.whole(got[0]))
            assert told.message.recurrence_at == START + DAY

    play(scene)
