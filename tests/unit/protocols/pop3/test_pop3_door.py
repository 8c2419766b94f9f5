"""The door over a connection in memory: what a transcript cannot say."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import pytest
from tests.transcripts.memory_connection import MemoryConnection
from tests.transcripts.stores import House, make_house, message

from posthouse.formats.mime.dots import stuff
from posthouse.model.batch import AddItem, Batch, Commit
from posthouse.model.blob import BlobForm
from posthouse.model.item import ItemKind, NewItem
from posthouse.protocols.pop3.server import pop3_session_factory
from posthouse.protocols.pop3.settings import Pop3Services, Pop3Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PATIENCE_S = 10.0


def services_of(house: House) -> Pop3Services:
    return Pop3Services(
        house.store,
        house.logins,
        Pop3Settings(),
        house.log,  # type: ignore[arg-type]
        house.metrics,
        house.chance,
    )


class Client:
    """A client that asks and gets lines."""

    def __init__(self, services: Pop3Services) -> None:
        self.session = pop3_session_factory(services)()
        self.connection = MemoryConnection(self.session, is_tls=True)
        self.session.connected(self.connection)  # type: ignore[arg-type]

    async def line(self) -> str:
        line = await self.connection.line(PATIENCE_S)
        assert line is not None, "nothing more was said"
        return line.decode()

    async def ask(self, text: str) -> str:
        await self.connection.feed(text.encode() + b"\r\n")
        return await self.line()

    async def lines(self) -> list[str]:
        found = []
        while (line := await self.line()) != ".":
            found.append(line)
        return found

    async def log_in(self, name: str = "alice", password: str = "wonderland") -> Client:
        assert (await self.line()).startswith("+OK")
        assert (await self.ask(f"USER {name}")).startswith("+OK")
        assert (await self.ask(f"PASS {password}")).startswith("+OK")
        return self


def in_house(store: str) -> Callable[..., Any]:
    """Run a test inside a house in that starting state."""

    def wrap(test: Callable[[House, Pop3Services], Awaitable[None]]) -> Callable[[], None]:
        async def run() -> None:
            house = await make_house(store, {})
            await test(house, services_of(house))

        def call() -> None:
            asyncio.run(run())

        call.__name__ = test.__name__
        return call

    return wrap


async def fill(house: House, count: int) -> None:
    mailbox_id, folder_id = await house.folder("alice/Inbox")
    staged = house.blobs.stage_bytes(message("many") + b".\r\n", BlobForm.WIRE)
    for start in range(0, count, 1000):
        adds = tuple(
            AddItem(folder_id, NewItem(ItemKind.MESSAGE, staged.ref, 1_000 + start + i))
            for i in range(min(1000, count - start))
        )
        await house.records.apply(Commit((Batch(mailbox_id, adds),), (staged,)))


def scram_final(password: str, first_bare: str, challenge: str) -> tuple[str, bytes]:
    """A client's final message and the proof it expects, straight from RFC 5802 §3."""
    fields = dict(part.split("=", 1) for part in challenge.split(","))
    salted = hashlib.pbkdf2_hmac(
        "sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"])
    )
    without_proof = f"c=biws,r={fields['r']}"
    auth_message = ",".join((first_bare, challenge, without_proof)).encode()
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    signature = hmac.digest(stored_key, auth_message, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return (
        f"{without_proof},p={base64.b64encode(proof).decode()}",
        hmac.digest(server_key, auth_message, "sha256"),
    )


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("with_initial", [True, False])
@pytest.mark.parametrize(("password", "device"), [("wonderland", 0), ("phone-secret", 1)])
def test_scram_logs_in_by_own_and_device_password(
    with_initial: bool, password: str, device: int
) -> None:
    async def run() -> None:
        house = await make_house("two-messages", {})
        client = Client(services_of(house))
        await client.line()
        bare = "n=alice,r=fyko+d2lbbFgONRv9qkxdawL"
        if with_initial:
            answer = await client.ask(f"AUTH SCRAM-SHA-256 {b64('n,,' + bare)}")
        else:
            assert await client.ask("AUTH SCRAM-SHA-256") == "+ "
            answer = await client.ask(b64("n,," + bare))
        assert answer.startswith("+ ")
        final, proof = scram_final(password, bare, base64.b64decode(answer[2:]).decode())
        answer = await client.ask(b64(final))
        assert base64.b64decode(answer[2:]) == b"v=" + base64.b64encode(proof)
        assert await client.ask("") == "+OK 2 messages (320 octets)"
        assert client.session._session.login.device_id == device

    asyncio.run(run())


@in_house("two-messages")
async def test_scram_with_a_wrong_proof_is_refused(house: House, services: Pop3Services) -> None:
    client = Client(services)
    await client.line()
    for name in ("alice", "nobody"):
        bare = f"n={name},r=fyko+d2lbbFgONRv9qkxdawL"
        answer = await client.ask(f"AUTH SCRAM-SHA-256 {b64('n,,' + bare)}")
        final, _ = scram_final("wrong", bare, base64.b64decode(answer[2:]).decode())
        assert await client.ask(b64(final)) == "-ERR [AUTH] Name or password is wrong"


@in_house("empty")
async def test_ten_thousand_marks_go_in_one_batch(house: House, services: Pop3Services) -> None:
    await fill(house, 10_000)
    client = await Client(services).log_in()
    marks = b"".join(b"DELE %d\r\n" % number for number in range(1, 10_001))
    await client.connection.feed(marks)
    for _ in range(10_000):
        assert (await client.line()).startswith("+OK")
    assert await client.ask("STAT") == "+OK 0 0"
    await client.connection.feed(b"LIST\r\nUIDL\r\n")
    assert await client.lines() == ["+OK 0 messages (0 octets)"]
    assert len(await client.lines()) == 1
    before = len(house.faults.seen)
    assert await client.ask("QUIT") == "+OK Goodbye, 10000 messages put away"
    assert len(house.faults.seen) - before == 1, "one commit"
    again = await Client(services).log_in()
    assert await again.ask("STAT") == "+OK 0 0"
    other = await Client(services).log_in(password="phone-secret")
    assert (await other.ask("STAT")).startswith("+OK 10000 ")


@in_house("empty")
async def test_listings_of_several_chunks(house: House, services: Pop3Services) -> None:
    await fill(house, 9_000)
    client = await Client(services).log_in()
    await client.connection.feed(b"UIDL\r\nLIST\r\n")
    uidls = (await client.lines())[1:]
    sizes = (await client.lines())[1:]
    assert [int(line.split()[0]) for line in uidls] == list(range(1, 9_001))
    assert [int(line.split()[0]) for line in sizes] == list(range(1, 9_001))
    assert len({line.split()[1] for line in uidls}) == 9_000
    for number in (1, 4096, 4097, 8192, 8193, 9000):
        assert await client.ask(f"UIDL {number}") == f"+OK {uidls[number - 1]}"
        assert (await client.ask(f"RETR {number}")).startswith("+OK ")
        await client.lines()
    for number in (4096, 4097):
        assert (await client.ask(f"DELE {number}")).startswith("+OK")
    await client.connection.feed(b"UIDL\r\n")
    assert (await client.lines())[1:] == uidls[:4095] + uidls[4097:]
    assert (await client.ask("QUIT")).startswith("+OK")
    again = await Client(services).log_in()
    await again.connection.feed(b"UIDL\r\n")
    left = [line.split()[1] for line in (await again.lines())[1:]]
    assert left == [line.split()[1] for line in uidls[:4095] + uidls[4097:]]


@in_house("empty")
async def test_a_maildrop_is_shared_and_an_append_renders_only_its_end(
    house: House, services: Pop3Services
) -> None:
    await fill(house, 5_000)
    first = await Client(services).log_in()
    second = await Client(services).log_in(password="phone-secret")
    assert first.session._session.maildrop is second.session._session.maildrop
    await first.connection.feed(b"UIDL\r\n")
    before = await first.lines()
    texts = [part.uidl_text() for part in first.session._session.maildrop.parts]
    await house.deliver("alice/Inbox", message("new"))
    third = await Client(services).log_in()
    maildrop = third.session._session.maildrop
    assert maildrop.parts[0].uidl_text() is texts[0]
    assert not maildrop.parts[1].is_uidl_ready
    assert maildrop.parts[1].uidl_text().startswith(texts[1])
    await third.connection.feed(b"UIDL\r\n")
    assert (await third.lines())[:-1] == before


@in_house("ten-messages")
async def test_messages_taken_in_order_are_read_ahead(house: House, services: Pop3Services) -> None:
    client = await Client(services).log_in()
    house.reading_faults.arm(0)
    for number in range(1, 11):
        await client.ask(f"RETR {number}")
        await client.lines()
    assert house.reading_faults.seen.count("contents") == 3, "1, then 4, then 5 of 16"
    session = client.session._session
    assert session._window is None
    await client.ask("RETR 1")
    await client.lines()
    await client.ask("RETR 2")
    await client.lines()
    assert session._window
    await client.ask("NOOP")
    assert session._window is None, "an idle session holds nothing"


@in_house("two-messages")
async def test_a_poll_with_nothing_new_reads_no_folder(
    house: House, services: Pop3Services
) -> None:
    records = house.store.records
    read: list[str] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            read.append(name)
            return getattr(records, name)

    first = await Client(services).log_in()
    house.store.records = Counting()  # type: ignore[assignment]
    await Client(services).log_in()
    assert sorted(read) == ["hidden_version", "mailbox"]
    # What another session hides, and what comes in, is seen by the very next one.
    assert (await first.ask("DELE 1")).startswith("+OK")
    assert (await first.ask("QUIT")).startswith("+OK")
    assert (await (await Client(services).log_in()).ask("STAT")).startswith("+OK 1 ")
    house.store.records = records
    await house.deliver("alice/Inbox", message("new"))
    assert (await (await Client(services).log_in()).ask("STAT")).startswith("+OK 2 ")
    assert (await (await Client(services).log_in("recent:alice")).ask("STAT")).startswith("+OK ")


@in_house("empty")
async def test_sizes_agree_where_the_last_line_was_not_ended(
    house: House, services: Pop3Services
) -> None:
    mailbox_id, folder_id = await house.folder("alice/Inbox")
    plain = message("cut") + b"the end"
    stuffed = stuff(plain)
    assert stuffed.lacks_final_eol
    staged = house.blobs.stage_bytes(stuffed.wire, BlobForm.WIRE, lacks_final_eol=True)
    add = AddItem(folder_id, NewItem(ItemKind.MESSAGE, staged.ref, 1_000, b"X-Own: 1\r\n"))
    await house.records.apply(Commit((Batch(mailbox_id, (add,)),), (staged,)))
    client = await Client(services).log_in()
    size = len(b"X-Own: 1\r\n" + plain + b"\r\n")
    assert await client.ask("STAT") == f"+OK 1 {size}"
    assert await client.ask("LIST 1") == f"+OK 1 {size}"
    assert await client.ask("RETR 1") == f"+OK {size} octets"
    assert sum(len(line) + 2 for line in await client.lines()) == size


@in_house("ten-messages")
async def test_a_client_that_does_not_read_is_not_answered(
    house: House, services: Pop3Services
) -> None:
    client = await Client(services).log_in()
    connection = client.connection
    sent = len(connection.sent)
    connection.is_congested = True
    await connection.feed(b"RETR 1\r\nRETR 2\r\n")
    assert len(connection.sent) == sent
    connection.decongest()
    assert (await client.line()).startswith("+OK")
    await client.lines()
    assert (await client.line()).startswith("+OK")
    await client.lines()


@in_house("ten-messages")
async def test_a_client_that_never_reads_is_cut_off_in_the_end(
    house: House, services: Pop3Services
) -> None:
    client = await Client(services).log_in()
    client.connection.is_congested = True
    for _ in range(5):
        client.connection.time_passed(600)
        assert not client.connection.is_closed
    client.connection.time_passed(600)
    assert client.connection.was_aborted


@in_house("two-messages")
async def test_commands_wait_while_one_is_under_way(house: House, services: Pop3Services) -> None:
    gate = asyncio.Event()
    records = house.store.records
    contents = records.contents

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(records, name)

        async def contents(self, *args: Any) -> Any:
            await gate.wait()
            return await contents(*args)

    client = await Client(services).log_in()
    house.store.records = Slow()  # type: ignore[assignment]
    connection = client.connection
    await connection.feed(b"RETR 1\r\nNO")
    assert not connection.is_paused
    await connection.feed(b"OP\r\n")
    assert connection.is_paused, "no more is read than what already came"
    await connection.feed(b"STAT\r\n")
    gate.set()
    assert await client.line() == "+OK 120 octets"
    await client.lines()
    assert await client.line() == "+OK Done nothing"
    assert await client.line() == "+OK 2 320"
    assert not connection.is_paused


@in_house("two-messages")
async def test_a_commit_is_finished_when_the_client_is_gone(
    house: House, services: Pop3Services
) -> None:
    client = await Client(services).log_in()
    await client.ask("DELE 1")
    gate = asyncio.Event()
    apply = house.store.apply

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(house.store, name)

        async def apply(self, commit: Any) -> Any:
            await gate.wait()
            return await apply(commit)

    services.store = Slow()  # type: ignore[assignment]
    await client.connection.feed(b"QUIT\r\n")
    client.connection.lose(was_clean=False)
    assert not house.log.lines, "not over yet"
    gate.set()
    await client.connection.settle()
    await house.look("alice has put away 1")
    await house.look("the log has pop3.session deleted=1 reason=quit")


@in_house("two-messages")
async def test_our_own_bugs_are_logged_and_hidden(house: House, services: Pop3Services) -> None:
    client = await Client(services).log_in()

    class Broken:
        clock = house.store.clock

        def __getattr__(self, name: str) -> Any:
            raise ZeroDivisionError("secret detail")

    services.store = Broken()  # type: ignore[assignment]
    answer = await client.ask("RETR 1")
    assert answer == "-ERR [SYS/PERM] A fault of the server; it has been noted"
    assert house.log.lines[0][0] == "pop3.bug"


@in_house("ten-messages")
async def test_imported_ids_read_in_pages(house: House, services: Pop3Services) -> None:
    for number in range(5):
        await house.deliver("alice/Inbox", message("x"), uidl=f"old-{number}")
    client = await Client(services).log_in()
    await client.connection.feed(b"UIDL\r\n")
    uidls = [line.split()[1] for line in (await client.lines())[1:]]
    assert uidls[10:] == [f"old-{number}" for number in range(5)]
    await house.deliver("alice/Inbox", message("x"), uidl="old-5")
    client = await Client(services).log_in()
    assert await client.ask("UIDL 16") == "+OK 16 old-5"
    assert await client.ask("UIDL 11") == "+OK 11 old-0"
