"""Plays a conversation with the ActiveSync door: documents as XML, on stores in memory.

The form of a transcript (one file, one conversation):

    # [MS-ASCMD] §2.2.1.21: what it shows   version: 16.1   person: alice
    C: Sync                      alice's phone asks; the document stands in the lines below
    <Sync>
      <SyncKey>{{key}}</SyncKey>
    </Sync>
    C: Ping                      without a document: the body is empty
    C: Sync (14.1, bob)          another version, another person
    S: 200                       what the door says, and the document
    S: empty                     it says so by an empty body
    DO: deliver alice Subject    mail comes;  DO: work  lets assistants and the queue run
    DO: block alice | allow alice | wipe alice      the operator, about alice's phone
    LATER: Ping                  asks, and does not wait for the answer: the next S is about it

Tags without prefix are of the command's own namespace, as in ``as_text.py``; no namespace is declared.
``{{inbox}}``, ``{{calendar}}``, ``{{deleted}}`` ... are the person's folders, by their roles.
``{{name}}`` takes a word at first sight and is the same after; ``{{any}}`` is anything, also nothing.
``<Tag>...</Tag>`` is whatever stands in it. Each answer is checked by Microsoft's schemas, when they are there.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from tests.clients.eas_device import check_answer
from tests.unit.protocols.eas.house import EasHouse

from posthouse.model.folder import FolderRole
from posthouse.model.partnership import DeviceAccess, Wipe
from posthouse.protocols.eas.errors import ROOTS
from posthouse.protocols.eas.server import EasDoor
from posthouse.protocols.eas.wire.as_text import element_from_text, text_from_element
from posthouse.protocols.eas.wire.code_pages_table import TOKENS
from posthouse.protocols.eas.wire.wbxml import decode, encode
from posthouse.runtime.http import Admission, Answer, Head

if TYPE_CHECKING:
    from posthouse.protocols.eas.wire.element import Element

_STEP = re.compile(r"(C|S|DO|LATER): ?(.*)")
_ASKED = re.compile(r"(\w+)(?: \((1\d\.\d)(?:, (\w+))?\))?")
_HOLE = re.compile(r"\{\{(\w+)\}\}")
_OPTION = re.compile(r"\s{2,}([a-z]+): (\S+)")
PATIENCE_S = 5.0


@dataclass(frozen=True)
class Step:
    line_no: int
    verb: str
    text: str
    document: str


def read(path: Path) -> tuple[dict[str, str], list[Step]]:
    """Options and steps."""
    options: dict[str, str] = {}
    steps: list[Step] = []
    for line_no, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        found = _STEP.fullmatch(line)
        if line.startswith("#"):
            options.update(_OPTION.findall(line))
        elif found:
            steps.append(Step(line_no, found[1], found[2].strip(), ""))
        elif line.strip():
            assert steps, f"{path.name}:{line_no}: not a step"
            last = steps[-1]
            steps[-1] = Step(last.line_no, last.verb, last.text, f"{last.document}{line}\n")
    return options, steps


def element_of(document: str, command: str) -> Element:
    """A document without declarations."""
    space = ROOTS[command].name.partition(":")[0]
    declared = "".join(f' xmlns:{one}="{one}"' for one in TOKENS if one != space)
    begun = re.sub(r"^\s*<(\w+)", rf'<\1 xmlns="{space}"{declared}', document, count=1)
    return element_from_text(begun)


class Play:
    """One conversation."""

    def __init__(self, house: EasHouse, options: dict[str, str]) -> None:
        self.house = house
        self.door = EasDoor(house.services)
        self.version = options.get("version", "16.1")
        self.person = options.get("person", "alice")
        self.captured: dict[str, str] = {}
        self.command = ""
        self.said: asyncio.Task[Answer] | None = None

    async def know_folders(self) -> None:
        """Their ids, under the names of their roles."""
        mailbox_id = self.house.people[self.person].mailbox_id
        for folder in await self.house.store.records.folders(mailbox_id):
            if folder.role is not FolderRole.NONE:
                self.captured[folder.role.name.lower()] = str(folder.folder_id)

    async def step(self, step: Step) -> None:
        match step.verb:
            case "C":
                self.ask(step)
                assert self.said
                await asyncio.wait_for(asyncio.shield(self.said), PATIENCE_S)
            case "LATER":
                self.ask(step)
                assert self.said
                for _ in range(50):
                    await asyncio.sleep(0)
                assert not self.said.done(), "it does not wait"
            case "S":
                assert self.said
                self.expect(await asyncio.wait_for(self.said, PATIENCE_S), step)
            case _:
                await self.act(step.text)

    def ask(self, step: Step) -> None:
        asked = _ASKED.fullmatch(step.text)
        assert asked, f"not a request: {step.text}"
        self.command = asked[1]
        version, person = asked[2] or self.version, asked[3] or self.person
        body = b""
        if step.document:
            filled = _HOLE.sub(lambda hole: self.captured[hole[1]], step.document)
            body = encode(element_of(filled, self.command))
        query = f"Cmd={self.command}&User={person}&DeviceId={person}phone&DeviceType=Phone"
        headers = {
            "ms-asprotocolversion": version,
            "content-type": "application/vnd.ms-sync.wbxml",
            "x-ms-policykey": self.captured.get("policykey", "0"),
        }
        head = Head("POST", "/", query, headers, "192.0.2.7", True, "https", "s1")
        admission = Admission(1 << 20, self.house.login(person), is_known=True)
        self.said = asyncio.ensure_future(self.door.answer(head, admission, body))

    def expect(self, answer: Answer, step: Step) -> None:
        wanted, _, rest = step.text.partition(" ")
        assert not rest
        if wanted == "empty":
            assert answer.status == 200
            assert not answer.body, text_from_element(decode(answer.body))
            return
        assert str(answer.status) == wanted, f"HTTP {answer.status}"
        if not step.document:
            return
        said = decode(answer.body)
        check_answer(said, answer.body)
        problem = self.difference(element_of(step.document, self.command), said)
        assert not problem, f"{problem}\nit says\n{text_from_element(said)}"

    def difference(self, wanted: Element, said: Element) -> str:
        """ "" when they are alike."""
        if wanted.name != said.name:
            return f"wanted {wanted.name}, got {said.name}"
        if wanted.content == "...":
            return ""
        if wanted.children or said.children:
            mine, theirs = wanted.children, said.children
            for one, other in zip(mine, theirs, strict=False):
                if problem := self.difference(one, other):
                    return f"{wanted.tag}/{problem}"
            if len(mine) != len(theirs):
                return f"{wanted.tag} has {[one.tag for one in theirs]}, wanted {[one.tag for one in mine]}"
            return ""
        pattern, text = _text(wanted), _text(said)
        return (
            ""
            if self.matches(pattern, text)
            else f"{wanted.tag}: wanted {pattern!r}, got {text!r}; known: {self.captured}"
        )

    def matches(self, pattern: str, text: str) -> bool:
        out, last = "", 0
        for hole in _HOLE.finditer(pattern):
            out += re.escape(pattern[last : hole.start()])
            last = hole.end()
            name = hole[1]
            if name == "any":
                out += ".*"
            elif name in self.captured:
                out += re.escape(self.captured[name])
            else:
                out += rf"(?P<{name}>\S+)"
        found = re.fullmatch(out + re.escape(pattern[last:]), text, re.DOTALL)
        if found:
            self.captured.update(found.groupdict())
        return found is not None

    async def act(self, deed: str) -> None:
        verb, _, rest = deed.partition(" ")
        name, _, subject = rest.partition(" ")
        match verb:
            case "deliver":
                content = (
                    f"From: Carol <carol@example.com>\r\nTo: {name}@example.org\r\nSubject: {subject}\r\n"
                    "Date: Thu, 28 May 2026 20:00:00 +0000\r\nMessage-ID: <"
                    f"{subject.replace(' ', '.')}@example.com>\r\n\r\nHello.\r\n"
                )
                await self.house.accept(f"{name}@example.org", content=content.encode())
            case "work":
                await self.house.work()
            case "block" | "allow" | "wipe":
                self._operate(verb, name)
            case _:
                raise AssertionError(f"not a deed: {deed}")

    def _operate(self, verb: str, name: str) -> None:
        directory = self.house.directory
        found = directory.partnership(self.house.people[name].principal_id, f"{name}phone")
        assert found
        changes: dict[str, Any] = {
            "block": {"access": DeviceAccess.BLOCKED},
            "allow": {"access": DeviceAccess.ALLOWED},
            "wipe": {"wipe": Wipe.REQUESTED, "wipes_device": False},
        }
        directory.keep_partnership(replace(found, **changes[verb]))

    def end(self) -> None:
        if self.said:
            self.said.cancel()


def _text(element: Element) -> str:
    content = element.content
    if isinstance(content, bytes):
        return content.decode("utf-8", "backslashreplace")
    return content if isinstance(content, str) else ""


def play(path: Path) -> None:
    """Play a transcript. Raises AssertionError that names file and line."""
    asyncio.run(_play(path))


async def _play(path: Path) -> None:
    options, steps = read(path)
    house = EasHouse()
    playing: Play | None = None
    try:
        playing = Play(await house.begin(), options)
        await playing.know_folders()
        for step in steps:
            try:
                await playing.step(step)
            except (AssertionError, TimeoutError) as e:
                raise AssertionError(f"{path.name}:{step.line_no}: {e or 'no answer'}") from None
    finally:
        if playing:
            playing.end()
        house.close()
