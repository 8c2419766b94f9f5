"""Invariant: however input is cut, the same POP3 events come out, and little is held meanwhile.

Nothing is raised but RemoteProtocolError, and every event has a row in the table of commands.
Run: ``python fuzz/pop3_wire.py --seconds 60``; FILE arguments are inputs that were kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from driving import drive

from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.pop3.commands import COMMANDS
from posthouse.protocols.pop3.wire.grammar import RULES, Auth, SaslCancel, State
from posthouse.protocols.pop3.wire.login_name import login_name_from_text
from posthouse.protocols.pop3.wire.machine import DEFAULT_LIMITS, Machine, Step

if TYPE_CHECKING:
    import random

SEEDS = [
    *(keyword + b" 1\r\n" for keyword in RULES),
    *(keyword + b"\r\n" for keyword in RULES),
    b"AUTH PLAIN\r\nAGEAYg==\r\n",
    b"AUTH PLAIN\r\n*\r\n",
    b"USER alice+Projects@example.org\r\nPASS x\r\n",
    b"TOP 1 10\r\n",
    b"A" * 253 + b"\r\n",
    b"A" * 254 + b"\r\n",
    b"NOOP\nNO\rOP\r\nNO\0OP\r\n",
    b"GET / HTTP/1.1\r\n",
]


def events(pieces: list[bytes], state: State) -> list[object]:
    machine = Machine()
    machine.state = state
    seen: list[object] = []
    for piece in pieces:
        machine.receive_data(piece)
        while True:
            try:
                event = machine.next_event()
            except RemoteProtocolError as error:
                seen.append(error.reply_hint)
                continue
            if event is None:
                break
            assert type(event) in COMMANDS
            seen.append(event)
            if isinstance(event, Auth):
                machine.advance(Step.CHALLENGED)
            elif isinstance(event, SaslCancel):
                machine.advance(Step.REFUSED)
        assert machine.pending_octets <= len(piece) + DEFAULT_LIMITS.sasl
    return seen


def fuzz_one(data: bytes) -> None:
    """One input. The first octet chooses the state and where the pieces are cut."""
    if not data:
        return
    state = State.TRANSACTION if data[0] & 1 else State.AUTHORIZATION
    size = data[0] % 61 + 1
    rest = data[1:]
    whole = events([rest], state)
    pieces = [rest[i : i + size] for i in range(0, len(rest), size)]
    assert events(pieces, state) == whole
    assert events([rest[i : i + 1] for i in range(len(rest))], state) == whole
    login_name_from_text(rest.decode("utf-8", "surrogateescape"))


def mutated(dice: random.Random) -> bytes:
    """A few seeds in a row, with octets changed, doubled or lost."""
    data = bytearray(b"".join(dice.choices(SEEDS, k=dice.randint(1, 5))))
    for _ in range(dice.randint(0, 4)):
        at = dice.randrange(len(data) + 1)
        match dice.randrange(3):
            case 0:
                data[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                data[at:at] = data[at : at + dice.randint(1, 300)]
            case _:
                del data[at : at + dice.randint(1, 4)]
    return bytes([dice.randrange(256)]) + bytes(data)


if __name__ == "__main__":
    drive(__doc__, fuzz_one, mutated)
