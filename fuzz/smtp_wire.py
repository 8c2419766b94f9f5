"""Invariant: however input is cut, the same is read; a message ends at CRLF.CRLF only, all CRLF.

Run: ``python fuzz/smtp_wire.py --seconds 60`` mutates the seeds below; with FILE arguments it
checks inputs that were kept. With atheris installed, ``--atheris`` lets coverage guide it.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.smtp.wire.commands import (
    NEED_DATA,
    Auth,
    Bdat,
    Chunk,
    Content,
    Data,
    Fault,
    Starttls,
)
from posthouse.protocols.smtp.wire.content import Stuffing
from posthouse.protocols.smtp.wire.limits import WireLimits
from posthouse.protocols.smtp.wire.replies import (
    CONTINUE,
    GRAMMAR_REPLIES,
    OK,
    READY_FOR_TLS,
    Reply,
    reply,
)
from posthouse.protocols.smtp.wire.server_machine import ServerMachine, State

LIMITS = WireLimits(command_bytes=128, auth_bytes=256, message_bytes=300, excess_bytes=1 << 30)
GREETING = reply(220, "", "x")
CHALLENGE = Reply(334, b"334 \r\n")
SEEDS = (
    b"EHLO x\r\nMAIL FROM:<a@b.example> SIZE=9 BODY=8BITMIME\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
    b"Subject: x\r\n\r\n..a\r\nb\r\n.\r\nRSET\r\nQUIT\r\n",
    b'LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<"a>b"@c.d> NOTIFY=NEVER ORCPT=rfc822;a+40b\r\n'
    b"BDAT 7\r\na\r\n.b\r\nBDAT 3 LAST\r\n.\r\nNOOP\r\n",
    b"AUTH PLAIN\r\nAGEAYg==\r\nAUTH LOGIN YQ==\r\n*\r\nSTARTTLS\r\n",
    b"DATA\r\nx\n.\r\nMAIL FROM:<e@v.il>\r\n\r\n.\r\nQUIT\r\n",
    b"DATA\r\n.\r\nDATA\r\n\r\n.\r\r\n.\n\r\n.\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
)
TOKENS = (
    b"\r\n",
    b"\r",
    b"\n",
    b".",
    b"\0",
    b"\r\n.\r\n",
    b"BDAT 4\r\n",
    b" LAST",
    b"DATA\r\n",
    b"<",
    b">",
    b"\xff",
)


def check(data: bytes) -> None:
    """Raise AssertionError if the invariant does not hold for this input."""
    whole = _read([data])
    assert _read([data[i : i + 1] for i in range(len(data))]) == whole
    middle = len(data) // 2
    assert _read([data[:middle], data[middle:]]) == whole
    _check_stuffing(data)


def _read(pieces: list[bytes]) -> list[object]:
    """What a machine reads, pieces of content joined."""
    machine = ServerMachine(LIMITS)
    machine.send(GREETING)
    out: list[object] = []
    content = [b""]
    for piece in pieces:
        machine.receive_data(piece)
        while machine.state is not State.CLOSED:
            try:
                event = machine.next_event()
            except RemoteProtocolError as e:
                # What comes behind STARTTLS after our answer is for the handshake to refuse.
                out.append(Starttls() if e.reply_hint == "tls-pipelined" else e.reply_hint)
                machine.send(GRAMMAR_REPLIES[e.reply_hint])
                continue
            if event is NEED_DATA:
                break
            _note(machine, event, content, out)
            if machine.state is State.TLS:
                return out
    unfinished = machine._content  # noqa: SLF001
    if unfinished is not None and unfinished.fault is Fault.BARE_EOL:
        # Whether such a message is answered early depends on where the client pauses.
        out.append(Fault.BARE_EOL)
    return out


def _note(machine: ServerMachine, event: object, content: list[bytes], out: list[object]) -> None:
    """Answer one event and write it down; ``content`` is what came of the message so far."""
    if isinstance(event, Content | Chunk):
        content[0] += event.data
        if isinstance(event, Content) and event.end is not None:
            out.append(_ended(content[0], event))
        elif isinstance(event, Chunk) and event.is_end:
            out.append((content[0], event.is_last))
        else:
            return
        machine.send(OK)
        content[0] = b""
    else:
        out.append(event)
        _answer(machine, event)


def _answer(machine: ServerMachine, event: object) -> None:
    match event:
        case Bdat():
            pass
        case Data():
            machine.send(CONTINUE)
        case Auth():
            machine.send(CHALLENGE)
        case Starttls():
            machine.send(READY_FOR_TLS)
        case _:
            machine.send(OK)


def _ended(content: bytes, event: Content) -> object:
    end = event.end
    assert end is not None
    if end.fault is not Fault.NONE:
        return end.fault
    assert (b"\r\n" + content).endswith(b"\r\n.\r\n")
    assert (b"\r\n" + content).find(b"\r\n.\r\n") == len(content) - 3
    rest = content.replace(b"\r\n", b"")
    assert b"\r" not in rest
    assert b"\n" not in rest
    return content, end


def _check_stuffing(data: bytes) -> None:
    results = []
    for step in (1, 3, len(data) or 1):
        stuffing = Stuffing()
        out = b"".join(stuffing.take(data[i : i + step]) for i in range(0, len(data), step))
        closing, end = stuffing.finish(1 << 30)
        results.append((out + closing, end))
    assert results[0] == results[1] == results[2]
    wire = b"\r\n" + results[0][0]
    assert wire.find(b"\r\n.\r\n") == len(wire) - 5


def mutated(chance: random.Random, data: bytes) -> bytes:
    """The input with a few changes."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(out))
        match chance.randint(0, 4):
            case 0:
                out[at:at] = chance.choice(TOKENS)
            case 1:
                del out[at : at + chance.randint(1, 8)]
            case 2:
                out[at:at] = out[chance.randint(0, len(out)) :][: chance.randint(1, 40)]
            case 3 if at < len(out):
                out[at] = chance.randint(0, 255)
            case _:
                out[at:at] = chance.choice(SEEDS)[: chance.randint(1, 60)]
    return bytes(out[:2000])


def run(seconds: float, seed: int) -> int:
    """Mutate for so long; how many inputs were checked. The failing input goes to a file."""
    chance = random.Random(seed)
    pool = list(SEEDS)
    until = time.monotonic() + seconds
    count = 0
    while time.monotonic() < until:
        data = mutated(chance, chance.choice(pool))
        try:
            check(data)
        except BaseException:
            Path(f"smtp-wire-{seed}-{count}.bin").write_bytes(data)
            raise
        if chance.random() < 0.01:
            pool[chance.randint(0, len(pool) - 1) if len(pool) > 200 else 0] = data
        count += 1
    return count


def main() -> None:
    """See the module."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--atheris", action="store_true")
    arguments.add_argument("files", nargs="*", type=Path)
    chosen = arguments.parse_args()
    if chosen.atheris:
        import atheris  # type: ignore[import-not-found]

        atheris.Setup([sys.argv[0]], check)
        atheris.Fuzz()
    for path in chosen.files:
        check(path.read_bytes())
    if not chosen.files:
        print(f"{run(chosen.seconds, chosen.seed)} inputs, all well")


if __name__ == "__main__":
    main()
