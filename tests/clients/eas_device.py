"""A telephone that speaks ActiveSync with a running server, and believes nothing it is told.

Every answer is checked by Microsoft's schemas, when they lie beside the repository, and the first
ones also by libwbxml, when that is installed.
"""

from __future__ import annotations

import base64
import http.client
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from lxml import etree
from tests.mail import address
from tests.running import PASSWORD

from posthouse.protocols.eas.wire.as_text import element_from_text, text_from_element
from posthouse.protocols.eas.wire.request_line import COMMANDS
from posthouse.protocols.eas.wire.wbxml import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.running import Server

    from posthouse.protocols.eas.wire.element import Element

SCHEMA = Path(__file__).parents[2].parent / "shared" / "schemas" / "eas" / "loadable" / "driver.xsd"
PATH = "/Microsoft-Server-ActiveSync"
WBXML = "application/vnd.ms-sync.wbxml"
CODES = {name: code for code, name in COMMANDS.items()}
PARAMETERS = {"AttachmentName": 0, "CollectionId": 1, "ItemId": 3, "LongId": 4, "Occurrence": 6}
BARE_STATUS = {
    "Move:MoveItems",
    "MeetingResponse:MeetingResponse",
    "GetItemEstimate:GetItemEstimate",
}
"""Roots that have no Status in the schemas, but bear the common ones nevertheless."""
NAMESPACES = [
    "AirSync",
    "AirSyncBase",
    "Calendar",
    "ComposeMail",
    "Contacts",
    "Contacts2",
    "Email",
    "Email2",
    "Find",
    "FolderHierarchy",
    "GAL",
    "GetItemEstimate",
    "ItemOperations",
    "MeetingResponse",
    "Move",
    "Notes",
    "Ping",
    "Provision",
    "ResolveRecipients",
    "Search",
    "Settings",
    "Tasks",
    "ValidateCert",
]
CROSS_CHECKS_MAX = 20
_checked = [0]


def xml(root: str, inner: str = "", namespace: str | None = None) -> Element:
    """``FolderHierarchy:FolderSync`` and what is in it; prefixes are the names of namespaces."""
    space, _, tag = root.partition(":")
    declared = "".join(f' xmlns:{one}="{one}"' for one in NAMESPACES)
    return element_from_text(f'<{tag} xmlns="{namespace or space}"{declared}>{inner}</{tag}>')


@lru_cache(maxsize=1)
def schema() -> etree.XMLSchema | None:
    return etree.XMLSchema(etree.parse(SCHEMA)) if SCHEMA.is_file() else None


def check_answer(answer: Element, octets: bytes) -> None:
    """As a phone's own reader would, and stricter."""
    is_bare = answer.name in BARE_STATUS and [one.tag for one in answer.children] == ["Status"]
    known = schema()
    if known is not None and not is_bare:
        tree = etree.fromstring(text_from_element(answer).encode())
        etree.strip_attributes(tree, "opaque")
        assert known.validate(tree), f"{known.error_log}\n{text_from_element(answer)[:4000]}"
    assert decode(encode(answer)) == answer
    if shutil.which("wbxml2xml") and _checked[0] < CROSS_CHECKS_MAX and "Find" not in answer.name:
        _checked[0] += 1
        subprocess.run(
            ["wbxml2xml", "-l", "ACTIVESYNC", "-o", "-", "-"],
            input=octets,
            capture_output=True,
            check=True,
        )


def base64_query(
    command: str,
    device_id: str,
    device_type: str,
    *,
    version: str = "16.1",
    policy_key: int = 0,
    parameters: dict[str, str] | None = None,
    options: int = 0,
) -> str:
    """The query in the form of [MS-ASHTTP] §2.2.1.1.1.1."""
    out = bytearray((round(float(version) * 10), CODES[command], 0x09, 0x04))
    for counted in (
        device_id.encode(),
        policy_key.to_bytes(4, "little") if policy_key else b"",
        device_type.encode(),
    ):
        out += bytes((len(counted),)) + counted
    for name, value in (parameters or {}).items():
        out += bytes((PARAMETERS[name], len(value.encode()))) + value.encode()
    if options:
        out += bytes((7, 1, options))
    return base64.b64encode(bytes(out)).decode()


@dataclass(frozen=True)
class Reply:
    """An answer of HTTP."""

    status: int
    headers: Any
    body: bytes
    took_s: float


@dataclass(frozen=True)
class Folder:
    """As FolderSync tells of it."""

    server_id: str
    parent_id: str
    name: str
    kind: int


@dataclass
class Told:
    """What a Sync has said of one collection."""

    status: str = ""
    key: str = ""
    adds: dict[str, Element] = field(default_factory=dict)
    changes: dict[str, Element] = field(default_factory=dict)
    deletes: list[str] = field(default_factory=list)
    soft_deletes: list[str] = field(default_factory=list)
    responses: list[Element] = field(default_factory=list)
    has_more: bool = False
    is_empty: bool = False

    def added(self) -> tuple[str, Element]:
        """The only item that came."""
        assert len(self.adds) == 1, list(self.adds)
        return next(iter(self.adds.items()))

    def response(self, tag: str = "Add") -> Element:
        """The only one of its kind."""
        (found,) = [one for one in self.responses if one.tag == tag]
        return found


class Later:
    """A request that hangs, in a thread of its own."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask
        self._said: list[Any] = []
        self.came_at = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._said.append(self._ask())
        except Exception as e:
            self._said.append(e)
        self.came_at = time.monotonic()

    def is_there(self) -> bool:
        return bool(self._said)

    def answer(self, patience_s: float = 15) -> Any:
        self._thread.join(patience_s)
        assert self._said, "no answer came"
        if isinstance(self._said[0], Exception):
            raise self._said[0]
        return self._said[0]


class Device:
    """One phone of one person."""

    def __init__(
        self,
        house: Server,
        name: str,
        device_id: str,
        *,
        password: str = PASSWORD,
        version: str = "16.1",
        is_base64: bool = False,
        device_type: str = "iPhone",
        user_agent: str = "Apple-iPhone14C5/2001.55",
        options: str = "",
        timeout_s: float = 30,
    ) -> None:
        self._connection: http.client.HTTPSConnection | None = None
        self.house, self.name, self.device_id, self.version = house, name, device_id, version
        self.password, self.is_base64, self.device_type = password, is_base64, device_type
        self.user_agent, self.timeout_s, self.options = user_agent, timeout_s, options
        self.policy_key = 0
        self.hierarchy_key = "0"
        self.folders: dict[str, Folder] = {}
        self.keys: dict[str, str] = {}
        self.items: dict[str, dict[str, Element]] = {}

    def twin(self) -> Device:
        """The same phone on a second connection; it knows what this one knows."""
        other = Device.__new__(Device)
        other.__dict__.update(self.__dict__)
        other._connection = None
        return other

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def hang_up(self) -> None:
        """The network is gone while an answer is waited for, in another thread."""
        assert self._connection
        assert self._connection.sock
        self._connection.sock.shutdown(socket.SHUT_RDWR)

    # --- one request

    def post(
        self,
        command: str,
        body: bytes = b"",
        *,
        parameters: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        query: str | None = None,
    ) -> Reply:
        """Send octets; any answer of HTTP is one."""
        login = base64.b64encode(f"{address(self.name)}:{self.password}".encode()).decode()
        said = {"Authorization": f"Basic {login}", "User-Agent": self.user_agent}
        if body:
            said["Content-Type"] = WBXML
        if not self.is_base64:
            said["MS-ASProtocolVersion"] = self.version
            if self.policy_key:
                said["X-MS-PolicyKey"] = str(self.policy_key)
        target = f"{PATH}?{query if query is not None else self.query(command, parameters)}"
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                "127.0.0.1",
                self.house.ports["https"],
                timeout=self.timeout_s,
                context=self.house.tls(),
            )
        begun = time.monotonic()
        try:
            self._connection.request("POST", target, body, {**said, **(headers or {})})
            answer = self._connection.getresponse()
            octets = answer.read()
        except BaseException:
            self.close()
            raise
        if answer.will_close:
            self.close()
        return Reply(answer.status, answer.headers, octets, time.monotonic() - begun)

    def query(self, command: str, parameters: dict[str, str] | None = None) -> str:
        """The address behind the question mark, in this device's form."""
        if self.is_base64:
            return base64_query(
                command,
                self.device_id,
                self.device_type,
                version=self.version,
                policy_key=self.policy_key,
                parameters=parameters,
            )
        words = {
            "Cmd": command,
            "User": address(self.name),
            "DeviceId": self.device_id,
            "DeviceType": self.device_type,
            **(parameters or {}),
        }
        return urlencode(words)

    def command(self, name: str, request: Element | None, **more: Any) -> Element | None:
        """Ask; the answer, which the schemas have seen. None: it had no body."""
        reply = self.post(name, b"" if request is None else encode(request), **more)
        assert reply.status == 200, (reply.status, reply.body[:300])
        if not reply.body:
            return None
        assert reply.headers["Content-Type"] == WBXML
        answer = decode(reply.body)
        check_answer(answer, reply.body)
        return answer

    def ask(self, root: str, inner: str = "", **more: Any) -> Element:
        """The same with text; there must be a body."""
        answer = self.command(root.partition(":")[2], xml(root, inner), **more)
        assert answer is not None, f"{root}: an empty answer"
        assert answer.name == root
        return answer

    # --- setting up

    def provision(self) -> Element:
        """Both round trips; the policy."""
        first = self.ask(
            "Provision:Provision",
            "<Settings:DeviceInformation><Settings:Set><Settings:Model>M1</Settings:Model>"
            f"<Settings:FriendlyName>{self.device_type}</Settings:FriendlyName><Settings:OS>OS 1</Settings:OS>"
            f"<Settings:UserAgent>{self.user_agent}</Settings:UserAgent></Settings:Set></Settings:DeviceInformation>"
            "<Policies><Policy><PolicyType>MS-EAS-Provisioning-WBXML</PolicyType></Policy></Policies>",
        )
        assert first.text_of("Status") == "1"
        policy = first.find("Policies", "Policy")
        assert policy
        second = self.ask(
            "Provision:Provision",
            "<Policies><Policy><PolicyType>MS-EAS-Provisioning-WBXML</PolicyType>"
            f"<PolicyKey>{policy.text_of('PolicyKey')}</PolicyKey><Status>1</Status></Policy></Policies>",
        )
        taken = second.find("Policies", "Policy")
        assert taken
        assert taken.text_of("Status") == "1"
        self.policy_key = int(taken.text_of("PolicyKey"))
        return policy

    def folder_sync(self) -> Element:
        """Bring the folders up to date."""
        answer = self.ask("FolderHierarchy:FolderSync", f"<SyncKey>{self.hierarchy_key}</SyncKey>")
        if answer.text_of("Status") == "1":
            self.take_folders(answer)
        return answer

    def take_folders(self, answer: Element) -> None:
        if self.hierarchy_key == "0":
            self.folders = {}
        self.hierarchy_key = answer.text_of("SyncKey")
        changes = answer.child("Changes")
        assert changes
        assert changes.number_of("Count") == len(changes.children) - 1
        for one in changes.children[1:]:
            server_id = one.text_of("ServerId")
            if one.tag == "Delete":
                del self.folders[server_id]
                continue
            assert (server_id in self.folders) == (one.tag == "Update")
            self.folders[server_id] = Folder(
                server_id,
                one.text_of("ParentId"),
                one.text_of("DisplayName"),
                one.number_of("Type"),
            )

    def folder(self, wanted: int | str) -> str:
        """Its id, by type (2 the inbox) or by name."""
        found = [one.server_id for one in self.folders.values() if wanted in (one.kind, one.name)]
        assert found, f"no folder {wanted}: {self.folders}"
        return found[0]

    def set_up(self) -> Device:
        """Provision and FolderSync."""
        self.provision()
        self.folder_sync()
        return self

    # --- items

    def collection(
        self,
        folder_id: str,
        commands: str = "",
        *,
        options: str | None = None,
        window: int = 50,
        key: str | None = None,
        inner: str = "",
    ) -> str:
        """One Collection of a Sync request, as text."""
        said_key = self.keys.get(folder_id, "0") if key is None else key
        is_start = said_key == "0"
        shown = self.options if options is None else options
        return (
            f"<Collection><SyncKey>{said_key}</SyncKey><CollectionId>{folder_id}</CollectionId>"
            + inner
            + ("" if is_start else f"<GetChanges>1</GetChanges><WindowSize>{window}</WindowSize>")
            + (f"<Options>{shown}</Options>" if shown else "")
            + (f"<Commands>{commands}</Commands>" if commands else "")
            + "</Collection>"
        )

    def sync_text(self, collections: str, after: str = "") -> Element | None:
        """A Sync request of such collections; nothing is remembered."""
        return self.command(
            "Sync", xml("AirSync:Sync", f"<Collections>{collections}</Collections>{after}")
        )

    def sync(self, folder_id: str, commands: str = "", *, after: str = "", **more: Any) -> Told:
        """One Sync of one collection; what is told is remembered."""
        answer = self.sync_text(self.collection(folder_id, commands, **more), after)
        return self.take(folder_id, answer)

    def take(self, folder_id: str, answer: Element | None) -> Told:
        """Read an answer about one collection, and remember it as a phone does."""
        if answer is None:
            return Told("1", self.keys.get(folder_id, "0"), is_empty=True)
        if answer.child("Status"):
            return Told(answer.text_of("Status"))
        holder = answer.child("Collections")
        assert holder
        one = next(c for c in holder.children if c.text_of("CollectionId") == folder_id)
        told = told_from(one)
        if told.status != "1":
            return told
        self.keys[folder_id] = told.key
        kept = self.items.setdefault(folder_id, {})
        kept.update(told.adds)
        for server_id, data in told.changes.items():
            assert server_id in kept, f"Change of {server_id}, which the phone never had"
            kept[server_id] = merged(kept[server_id], data)
        for server_id in (*told.deletes, *told.soft_deletes):
            kept.pop(server_id, None)
        for response in told.responses:
            if (
                response.tag == "Add"
                and response.text_of("Status") == "1"
                and response.child("ServerId")
            ):
                data = response.child("ApplicationData")
                kept[response.text_of("ServerId")] = data or xml("AirSync:ApplicationData")
        return told

    def begin(self, folder_id: str, **more: Any) -> dict[str, Element]:
        """From SyncKey 0 to all there is."""
        self.items[folder_id] = {}
        told = self.sync(folder_id, key="0", **more)
        assert told.status == "1", told
        return self.catch_up(folder_id, **more)

    def catch_up(self, folder_id: str, **more: Any) -> dict[str, Element]:
        """Sync until there is no more."""
        for _ in range(200):
            told = self.sync(folder_id, **more)
            assert told.status == "1", told
            if not told.has_more:
                return self.items.setdefault(folder_id, {})
        raise AssertionError("it never ends")

    def subjects(self, folder_id: str) -> list[str]:
        """Of all items that the phone has, sorted."""
        found = []
        for data in self.items.get(folder_id, {}).values():
            for one in data.children:
                if one.tag == "Subject":
                    found.append(one.text)
        return sorted(found)

    def item(self, folder_id: str, subject: str) -> str:
        """Id of the item of a subject."""
        for server_id, data in self.items.get(folder_id, {}).items():
            if any(one.tag == "Subject" and one.text == subject for one in data.children):
                return server_id
        raise AssertionError(f"no {subject!r} among {self.subjects(folder_id)}")

    def ping(self, *folder_ids: str, heartbeat_s: int = 60) -> Element:
        """Wait for a change."""
        folders = "".join(
            f"<Folder><Id>{one}</Id><Class>Email</Class></Folder>" for one in folder_ids
        )
        return self.ask(
            "Ping:Ping",
            f"<HeartbeatInterval>{heartbeat_s}</HeartbeatInterval><Folders>{folders}</Folders>",
        )

    def send_mail(self, mime: bytes, client_id: str, **more: Any) -> Element | None:
        """SendMail with a copy in Sent Items."""
        request = xml("ComposeMail:SendMail", f"<ClientId>{client_id}</ClientId><SaveInSentItems/>")
        request.add("Mime", mime)
        return self.command("SendMail", request, **more)


def told_from(collection: Element) -> Told:
    """Read one Collection of an answer."""
    told = Told(
        collection.text_of("Status"),
        collection.text_of("SyncKey"),
        has_more=collection.child("MoreAvailable") is not None,
    )
    responses, commands = collection.child("Responses"), collection.child("Commands")
    told.responses = responses.children if responses else []
    for one in commands.children if commands else []:
        server_id = one.text_of("ServerId")
        data = one.child("ApplicationData")
        if one.tag in ("Add", "Change"):
            assert data is not None
            into = told.adds if one.tag == "Add" else told.changes
            assert server_id not in into, f"{server_id} came twice"
            into[server_id] = data
        else:
            assert one.tag in ("Delete", "SoftDelete"), one.tag
            (told.deletes if one.tag == "Delete" else told.soft_deletes).append(server_id)
    return told


def merged(before: Element, change: Element) -> Element:
    """What a phone has of an item after a Change."""
    names = {one.name for one in change.children}
    kept = [one for one in before.children if one.name not in names]
    return xml_of_data([*kept, *change.children])


def xml_of_data(children: list[Element]) -> Element:
    data = xml("AirSync:ApplicationData")
    data.content = children
    return data


def field_of(data: Element, *path: str) -> str:
    """Text of ``Email:Read`` or of an element deeper; "" when it is not there."""
    found = data.find(*path)
    return "" if found is None else found.text
