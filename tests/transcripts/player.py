"""Plays a transcript: a conversation written down, against a session over a connection in memory.

The form of a transcript (one file, one conversation):

    # RFC 1939 §7: UIDL leaves out deleted messages.   store: two-messages   tls: no
    # further lines of comment; options may stand here too, two spaces or more before each
    C: USER alice                the client sends a line (CRLF is added); C lines in a row go out in one piece
    C- NOOP\\nNOOP\\r\\n           the client sends exactly this (Python escapes), nothing added
    C: << letter.eml             the client sends that file, byte for byte (looked up beside the transcript)
    S: +OK {{any}}               the server must say this line next
    S: ...                       any number of lines, up to the first that matches the next S line
    S! 50                        the server must have nothing more to say (number free, it is for the reader)
    TLS:                         the handshake that the server began is finished
    TIME: 601                    the clock moves on by so many seconds; deadlines come due
    EOF:  LOST:  DRAIN:          the client half-closes; the line breaks; the server is told to stop
    CLOSED:                      the server must have closed the connection
    STORE: alice/Inbox has uids 2     looks behind the door (see ``stores.py``)
    DO: expunge alice/Inbox 2         something happens behind the door (see ``stores.py``)

``C2: S2: TLS2: EOF2: ...`` is a second connection, opened at its first use; so with 3 and so on.
``{{name}}`` takes one word at first sight and must be the same after; in what the client sends it is put in.
``{{any}}`` is the rest of the line, also an empty one.

Every transcript is played twice: as written, and with every octet of the client in a piece of its own
(``split: no`` where that would be another conversation).
"""

from __future__ import annotations

import asyncio
import codecs
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tests.transcripts.memory_connection import MemoryConnection

if TYPE_CHECKING:
    from collections.abc import Callable

_STEP = re.compile(r"(C|S|TLS|TIME|EOF|LOST|DRAIN|CLOSED|STORE|DO)(\d*)([:\-!]) ?(.*)", re.DOTALL)
_OPTION = re.compile(r"\s{2,}([a-z][a-z_-]*): (\S+(?: \S+)*)")
_HOLE = re.compile(r"\{\{(\w+)\}\}")
PATIENCE_S = 10.0


class World(Protocol):
    """What lies behind the door: made by ``stores.py``, given to the door's ``open_session``."""

    def look(self, question: str) -> Any:
        """STORE: raise AssertionError unless it is so (a coroutine function)."""

    def act(self, deed: str) -> Any:
        """DO: do it (a coroutine function)."""

    def advance(self, seconds: float) -> None:
        """TIME: move the clock."""


@dataclass(frozen=True, slots=True)
class Step:
    line_no: int
    verb: str
    connection: int
    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class Transcript:
    path: Path
    title: str
    options: dict[str, str]
    steps: tuple[Step, ...]


def transcripts(folder: Path) -> list[Path]:
    """The transcripts of a door, in order of name."""
    return sorted(folder.glob("*.txt"))


def read(path: Path) -> Transcript:
    """Read a transcript; a line that is neither comment nor step is an error that names the line."""
    title, options, steps = "", {}, []
    for line_no, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.startswith("#"):
            comment = line[1:].strip()
            options.update((k, v) for k, v in _OPTION.findall(line))
            title = title or _OPTION.sub("", comment).strip()
        elif line.strip():
            found = _STEP.fullmatch(line)
            assert found, f"{path.name}:{line_no}: not a step: {line!r}"
            verb, number, mark, text = found.groups()
            steps.append(Step(line_no, verb, int(number or 1), mark, text))
    assert title, f"{path.name}: the first line says what the transcript shows"
    return Transcript(path, title, options, tuple(steps))


@dataclass(slots=True)
class _Play:
    transcript: Transcript
    world: World
    open_session: Callable[[World, dict[str, str]], Any]
    piece: int
    connections: dict[int, MemoryConnection] = field(default_factory=dict)
    captured: dict[str, str] = field(default_factory=dict)
    skipping: set[int] = field(default_factory=set)

    async def run(self) -> None:
        steps = self.transcript.steps
        index = 0
        while index < len(steps):
            step = steps[index]
            data = b""
            if step.verb == "C":
                while index < len(steps) and self._continues(steps[index], step):
                    data += self._outgoing(steps[index])
                    index += 1
            else:
                index += 1
            try:
                await self._step(step, data)
            except AssertionError as e:
                raise AssertionError(f"{self._where(step)}: {e}") from None
        for connection in self.connections.values():
            connection.lose(was_clean=True)
        await self._settle()

    @staticmethod
    def _continues(step: Step, first: Step) -> bool:
        return step.verb == "C" and step.connection == first.connection

    def _where(self, step: Step) -> str:
        whole = " in single octets" if self.piece else ""
        return f"{self.transcript.path.name}:{step.line_no}{whole}"

    async def _step(self, step: Step, data: bytes) -> None:
        text = step.text
        match step.verb:
            case "C":
                await (await self._at(step.connection)).feed(data, self.piece)
            case "S" if step.mark == "!":
                await self._settle()
                left = (await self._at(step.connection)).unread()
                assert not left, f"the server says more: {left[:200]!r}"
            case "S" if text == "...":
                self.skipping.add(step.connection)
            case "S":
                await self._expect(step)
            case "TLS":
                (await self._at(step.connection)).finish_handshake()
            case "TIME":
                await self._settle()
                self.world.advance(float(text))
                for connection in self.connections.values():
                    connection.time_passed(float(text))
            case "STORE":
                await self._settle()
                await self.world.look(self._filled(text))
            case "DO":
                await self._settle()
                await self.world.act(self._filled(text))
            case _:
                await self._lifecycle(step)

    async def _lifecycle(self, step: Step) -> None:
        await self._settle()
        connection = await self._at(step.connection)
        match step.verb:
            case "EOF":
                connection.session.eof_received()
            case "LOST":
                connection.lose(was_clean=False)
            case "DRAIN":
                connection.session.drain()
            case "CLOSED":
                assert await connection.closes(PATIENCE_S), "the server keeps the connection open"

    async def _at(self, number: int) -> MemoryConnection:
        if number not in self.connections:
            options = self.transcript.options
            session = self.open_session(self.world, options)
            connection = MemoryConnection(
                session,
                is_tls=options.get("tls", "yes") == "yes",
                peer_host=options.get("peer", "192.0.2.1"),
                session_id=f"s{number}",
                can_start_tls=options.get("certificate", "yes") == "yes",
            )
            self.connections[number] = connection
            session.connected(connection)
        return self.connections[number]

    async def _expect(self, step: Step) -> None:
        connection = await self._at(step.connection)
        skipping = step.connection in self.skipping
        self.skipping.discard(step.connection)
        while True:
            raw = await connection.line(PATIENCE_S)
            assert raw is not None, f"wanted {step.text!r}, the server said nothing more"
            line = raw.decode("utf-8", "backslashreplace")
            if self._matches(step.text, line):
                return
            assert skipping, f"wanted {step.text!r}, got {line!r}"

    def _matches(self, pattern: str, line: str) -> bool:
        seen: list[str] = []
        out, last = "", 0
        for hole in _HOLE.finditer(pattern):
            out += re.escape(pattern[last : hole.start()])
            last = hole.end()
            name = hole[1]
            if name == "any":
                out += ".*"
            elif name in self.captured:
                out += re.escape(self.captured[name])
            elif name in seen:
                out += f"(?P={name})"
            else:
                seen.append(name)
                out += rf"(?P<{name}>\S+)"
        found = re.fullmatch(out + re.escape(pattern[last:]), line, re.DOTALL)
        if found:
            self.captured.update(found.groupdict())
        return found is not None

    def _outgoing(self, step: Step) -> bytes:
        if step.mark == "-":
            raw, _ = codecs.escape_decode(step.text.encode())
            assert isinstance(raw, bytes)
            return raw
        if step.text.startswith("<< "):
            return (self.transcript.path.parent / step.text[3:].strip()).read_bytes()
        return self._filled(step.text).encode() + b"\r\n"

    def _filled(self, text: str) -> str:
        return _HOLE.sub(lambda hole: self.captured[hole[1]], text)

    async def _settle(self) -> None:
        for connection in self.connections.values():
            await connection.settle()


def play(
    path: Path,
    make_world: Callable[[str, dict[str, str]], Any],
    open_session: Callable[[Any, dict[str, str]], Any],
) -> None:
    """Play a transcript, whole and in single octets.

    Args:
        path: the transcript.
        make_world: coroutine function from the starting state's name and the options to a World.
        open_session: gives the door's Session for a new connection; it will be ``connected`` to a
            connection in memory.

    Raises:
        AssertionError: the server said or did something else; names file and line.
    """
    transcript = read(path)
    pieces = (0,) if transcript.options.get("split") == "no" else (0, 1)
    for piece in pieces:
        asyncio.run(_play_once(transcript, make_world, open_session, piece))


async def _play_once(
    transcript: Transcript, make_world: Any, open_session: Any, piece: int
) -> None:
    world = await make_world(transcript.options.get("store", "empty"), transcript.options)
    await _Play(transcript, world, open_session, piece).run()
