"""MoveItems: each move has its own answer, and a repeat finds what was done."""

from tests.unit.protocols.eas.eas_items import check
from tests.unit.protocols.eas.house import play
from tests.unit.services.mailflow.conftest import MESSAGE
from tests.unit.services.meetings.conftest import meeting

from posthouse.model.batch import Batch, ChangeFlags, ChangeProperties, Commit
from posthouse.model.folder import FolderRole
from posthouse.model.item import Flags
from posthouse.model.rights import Rights
from posthouse.protocols.eas.session import EasLimits


def move(item, source, target):
    return (
        f"<Move><SrcMsgId>{item}</SrcMsgId><SrcFldId>{source}</SrcFldId>"
        f"<DstFldId>{target}</DstFldId></Move>"
    )


async def moved(house, *moves, name="alice"):
    answer = await house.says("MoveItems", "".join(move(*one) for one in moves), name)
    check(answer)
    return [
        (one.text_of("SrcMsgId"), int(one.text_of("Status")), one.text_of("DstMsgId"))
        for one in answer.each("Response")
    ]


def test_moves_within_a_mailbox_and_their_repeats():
    async def scene(house):
        await house.accept()
        await house.accept(content=MESSAGE + b"Another.\r\n")
        one, two = await house.items("alice")
        inbox, deleted = [
            await house.folder("alice", role) for role in (FolderRole.INBOX, FolderRole.DELETED)
        ]
        asked = [(f"{inbox}:{item.item_id}", inbox, deleted) for item in (one, two)]
        expected = [(name, 3, f"{deleted}:{name.partition(':')[2]}") for name, _, _ in asked]
        assert await moved(house, *asked) == expected
        assert await moved(house, *asked) == expected
        assert await moved(house, asked[0], asked[0]) == [expected[0]] * 2
        assert len(await house.items("alice", FolderRole.DELETED)) == 2
        assert await house.items("alice") == []

    play(scene)


def test_what_cannot_be_moved():
    async def scene(house):
        await house.accept()
        (one,) = await house.items("alice")
        await house.call(meeting("bob"))
        inbox, calendar, deleted = [
            await house.folder("alice", role)
            for role in (FolderRole.INBOX, FolderRole.CALENDAR, FolderRole.DELETED)
        ]
        entry = await house.entry("alice")
        name, met = f"{inbox}:{one.item_id}", f"{calendar}:{entry.item_id}"
        recoverable = await house.folder("alice", FolderRole.RECOVERABLE)
        asked = [
            (f"{inbox}:999", inbox, deleted),
            ("rubbish", inbox, deleted),
            (name, "777", deleted),
            (name, inbox, "777"),
            (name, inbox, recoverable),
            (name, inbox, inbox),
            (name, inbox, calendar),
            (met, calendar, inbox),
            (met, calendar, deleted),
        ]
        told = await moved(house, *asked)
        assert [status for _, status, _ in told] == [1, 1, 1, 2, 2, 4, 5, 5, 3]

    play(scene)


def test_into_the_mailbox_of_another():
    async def scene(house):
        await house.accept(content=MESSAGE)
        (one,) = await house.items("alice")
        inbox = await house.folder("alice")
        marks = ChangeFlags(int(inbox), (one.item_id,), Flags.FLAGGED, Flags.NONE)
        bag = ChangeProperties(one.item_id, bag=b'{"categories":["Red"]}')
        mailbox_id = house.people["alice"].mailbox_id
        await house.store.apply(Commit((Batch(mailbox_id, (marks, bag)),)))
        archive = await house.shared("bob", FolderRole.ARCHIVE, "alice", Rights.REVIEWER)
        asked = (f"{inbox}:{one.item_id}", inbox, archive)
        assert await moved(house, asked) == [(asked[0], 5, "")]
        await house.shared("bob", FolderRole.ARCHIVE, "alice", Rights.EDITOR)
        (told,) = await moved(house, asked)
        (copy,) = await house.items("bob", FolderRole.ARCHIVE)
        assert told == (asked[0], 3, f"{archive}:{copy.item_id}")
        assert house.whole(copy) == house.whole(one)
        assert copy.bag == b'{"categories":["Red"]}'
        (place,) = await house.places("bob", FolderRole.ARCHIVE)
        assert place.flags == Flags.FLAGGED
        assert await house.items("alice") == []
        assert len(await house.items("alice", FolderRole.RECOVERABLE)) == 1
        assert await moved(house, asked) == [told], "the answer was lost"
        assert len(await house.items("bob", FolderRole.ARCHIVE)) == 1
        assert await house.records.check() == []

    play(scene)


def test_out_of_the_mailbox_of_another():
    async def scene(house):
        await house.accept("bob@example.org")
        (one,) = await house.items("bob")
        inbox = await house.folder("alice")
        theirs = await house.shared("bob", FolderRole.INBOX, "alice", Rights.REVIEWER)
        asked = (f"{theirs}:{one.item_id}", theirs, inbox)
        assert await moved(house, asked) == [(asked[0], 5, "")]
        await house.shared("bob", FolderRole.INBOX, "alice", Rights.EDITOR)
        assert (await moved(house, asked))[0][1] == 3
        assert await house.items("bob") == []
        assert len(await house.items("alice")) == 1

    play(scene)


def test_a_full_mailbox_takes_what_fits():
    async def scene(house):
        await house.add_person("dave", quota_bytes=1_000)
        await house.accept()
        await house.accept(content=MESSAGE + b"w" * 2_000)
        small, large = await house.items("alice")
        inbox = await house.folder("alice")
        target = await house.shared("dave", FolderRole.ARCHIVE, "alice", Rights.EDITOR)
        asked = [(f"{inbox}:{one.item_id}", inbox, target) for one in (large, small)]
        assert [status for _, status, _ in await moved(house, *asked)] == [5, 3]
        assert [one.item_id for one in await house.items("alice")] == [large.item_id]

    play(scene)


def test_too_many_or_none():
    async def scene(house):
        for inner in ("", move("2:1", "2", "3") * 3):
            answer = await house.says("MoveItems", inner)
            check(answer)
            assert answer.text_of("Status") == "101"

    play(scene, EasLimits(commands=2))
