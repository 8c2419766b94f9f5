"""What a request says outside its body: the query of the address, plain or base64, and headers.

Spec: [MS-ASHTTP] v22 §2.2.1.1.1.1 (base64), §2.2.1.1.1.2 (plain), §2.2.1.1.2.

Notes:
    Names of plain parameters are taken in any case, unknown ones are passed over, and text that is
    not UTF-8 is read as ISO 8859-1, which Outlook sends. A plus sign is a plus sign. In the base64
    form a device id may be a GUID, 16 octets: it becomes 32 hexadecimal digits. Numbers are little
    endian there, as the example in §2.2.1.1.1.1 has it.
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from posthouse.model.errors import RemoteProtocolError

if TYPE_CHECKING:
    from typing import NoReturn

COMMANDS: Final = {
    0: "Sync",
    1: "SendMail",
    2: "SmartForward",
    3: "SmartReply",
    4: "GetAttachment",
    9: "FolderSync",
    10: "FolderCreate",
    11: "FolderDelete",
    12: "FolderUpdate",
    13: "MoveItems",
    14: "GetItemEstimate",
    15: "MeetingResponse",
    16: "Search",
    17: "Settings",
    18: "Ping",
    19: "ItemOperations",
    20: "Provision",
    21: "ResolveRecipients",
    22: "ValidateCert",
    23: "Find",
}
"""By their code in the base64 form."""

_OLD_COMMANDS = ("GetHierarchy", "CreateCollection", "DeleteCollection", "MoveCollection")
_COMMAND_NAMES: Final = frozenset((*COMMANDS.values(), *_OLD_COMMANDS))

_PARAMETERS: Final = {
    0: "attachmentname",
    1: "collectionid",
    3: "itemid",
    4: "longid",
    6: "occurrence",
    8: "user",
}
_OPTIONS = 7
_SAVE_IN_SENT = 0x01
_ACCEPT_MULTIPART = 0x02

_QUERY_CHARACTERS_MAX = 8_192
_PARAMETERS_MAX = 32
_POLICY_KEY_OCTETS = 4
_POLICY_KEY_MAX = 0xFFFF_FFFF
_GUID_OCTETS = 16
_DEVICE_ID: Final = re.compile(r"[A-Za-z0-9._{}-]{1,64}")
_DEVICE_TYPE_CHARACTERS_MAX = 64
_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_VERSION: Final = re.compile(r"[0-9]{1,2}\.[0-9]")
_POLICY_KEY: Final = re.compile(r"[0-9]{1,10}")


class RequestHeaders(Struct, frozen=True):
    """The headers that say what the base64 form has in itself, as sent; "" when not sent.

    Attributes:
        version: MS-ASProtocolVersion.
        policy_key: X-MS-PolicyKey.
        accept_multipart: MS-ASAcceptMultiPart.
    """

    version: str = ""
    policy_key: str = ""
    accept_multipart: str = ""


class RequestLine(Struct, frozen=True):
    """Which command, by which device.

    Attributes:
        command: a name of ``COMMANDS``, or of a command older than the base64 form.
        device_id: 1 to 64 letters, digits and ``._{}-``.
        device_type: at most 64 printable characters; "" when not said.
        user: who they say they are; the login is what counts.
        version: of the protocol, as ``16.1``; "" when not said.
        policy_key: None when not said.
        locale: a Windows language number, 0x0409 for instance; None in the plain form.
        collection_id: SmartForward, SmartReply: folder of the message.
        item_id: SmartForward, SmartReply: the message.
        long_id: SmartForward, SmartReply: the message as a search named it.
        occurrence: SmartForward, SmartReply: which one of a recurring meeting.
        attachment_name: GetAttachment.
        saves_in_sent: a copy goes to Sent Items.
        accepts_multipart: ItemOperations may answer in parts.
    """

    command: str
    device_id: str
    device_type: str = ""
    user: str = ""
    version: str = ""
    policy_key: int | None = None
    locale: int | None = None
    collection_id: str = ""
    item_id: str = ""
    long_id: str = ""
    occurrence: str = ""
    attachment_name: str = ""
    saves_in_sent: bool = False
    accepts_multipart: bool = False


_NO_HEADERS: Final = RequestHeaders()


@lru_cache(maxsize=4_096)
def request_from_query(query: str, headers: RequestHeaders = _NO_HEADERS) -> RequestLine:
    """Read either form.

    Args:
        query: what stands behind the question mark, still percent-encoded.
        headers: what the base64 form says itself counts there.

    Raises:
        RemoteProtocolError: ``reply_hint`` is ``command`` for an unknown one, ``device`` if the
            device is not said or has no proper name, ``query`` for all else.
    """
    if len(query) > _QUERY_CHARACTERS_MAX or not query.isascii():
        _refuse("the query is too long, or not ASCII")
    if _BAD_PERCENT.search(query):
        _refuse("a percent sign without two digits")
    if "=" in query.replace("%3D", "=").replace("%3d", "=").rstrip("="):
        return _from_plain(query, headers)
    return _from_base64(query, headers)


def _refuse(what: str, hint: str = "query") -> NoReturn:
    raise RemoteProtocolError(what, hint)


def _from_plain(query: str, headers: RequestHeaders) -> RequestLine:
    fields = query.split("&")
    if len(fields) > _PARAMETERS_MAX:
        _refuse("too many parameters")
    found: dict[str, str] = {}
    for field in fields:
        name, equals, value = field.partition("=")
        key = name.lower()
        if not equals or key in found:
            _refuse(f"a parameter without value, or twice: {name}")
        found[key] = _text(unquote_to_bytes(value))
    command = found.get("cmd", "")
    if command not in _COMMAND_NAMES:
        _refuse(f"unknown command {command}", "command")
    return RequestLine(
        command,
        _device_id(found.get("deviceid", "")),
        _device_type(found.get("devicetype", "")),
        found.get("user", ""),
        _version(headers),
        _policy_key(headers),
        collection_id=found.get("collectionid", ""),
        item_id=found.get("itemid", ""),
        long_id=found.get("longid", ""),
        occurrence=found.get("occurrence", ""),
        attachment_name=found.get("attachmentname", ""),
        saves_in_sent=_is_true(found.get("saveinsent", "")),
        accepts_multipart=_is_true(headers.accept_multipart),
    )


def _from_base64(query: str, headers: RequestHeaders) -> RequestLine:
    octets = _Octets(_octets_from_base64(query))
    version = octets.number(1)
    code = octets.number(1)
    if code not in COMMANDS:
        _refuse(f"unknown command {code}", "command")
    locale = octets.number(2)
    device_id = octets.counted()
    raw_key = octets.counted()
    if len(raw_key) not in (0, _POLICY_KEY_OCTETS):
        _refuse(f"a policy key of {len(raw_key)} octets")
    device_type = _text(octets.counted())
    found, options = _parameters(octets)
    return RequestLine(
        COMMANDS[code],
        _device_id(_device_text(device_id)),
        _device_type(device_type),
        found.get("user", ""),
        f"{version // 10}.{version % 10}",
        int.from_bytes(raw_key, "little") if raw_key else _policy_key(headers),
        locale,
        found.get("collectionid", ""),
        found.get("itemid", ""),
        found.get("longid", ""),
        found.get("occurrence", ""),
        found.get("attachmentname", ""),
        bool(options & _SAVE_IN_SENT),
        bool(options & _ACCEPT_MULTIPART),
    )


def _octets_from_base64(query: str) -> bytes:
    letters = unquote_to_bytes(query).rstrip(b"=")
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4), validate=True)
    except ValueError as e:
        raise RemoteProtocolError("the query is neither parameters nor base64", "query") from e


class _Octets:
    """Takes fields from the front."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_used_up(self) -> bool:
        return self._at == len(self._data)

    def take(self, size: int) -> bytes:
        field = self._data[self._at : self._at + size]
        if len(field) < size:
            _refuse("the query is cut short")
        self._at += size
        return field

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def counted(self) -> bytes:
        """A field behind one octet that says its size."""
        return self.take(self.number(1))


def _parameters(octets: _Octets) -> tuple[dict[str, str], int]:
    """The parameters by name, and the options."""
    found: dict[str, str] = {}
    options = 0
    seen: set[int] = set()
    while not octets.is_used_up:
        tag = octets.number(1)
        value = octets.counted()
        if tag in seen:
            _refuse(f"parameter {tag} stands twice")
        seen.add(tag)
        if tag == _OPTIONS:
            if len(value) != 1:
                _refuse(f"options of {len(value)} octets")
            options = value[0]
        elif tag in _PARAMETERS:
            found[_PARAMETERS[tag]] = _text(value)
    return found, options


def _text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    if not text.isprintable():
        _refuse("a control character in the query")
    return text


def _device_text(raw: bytes) -> str:
    text = raw.decode("latin-1")
    is_guid = len(raw) == _GUID_OCTETS and not _DEVICE_ID.fullmatch(text)
    return raw.hex() if is_guid else text


def _device_id(text: str) -> str:
    if not _DEVICE_ID.fullmatch(text):
        _refuse("no proper device id", "device")
    return text


def _device_type(text: str) -> str:
    if len(text) > _DEVICE_TYPE_CHARACTERS_MAX:
        _refuse("device type is too long", "device")
    return text


def _version(headers: RequestHeaders) -> str:
    if headers.version and not _VERSION.fullmatch(headers.version):
        _refuse("MS-ASProtocolVersion is no version")
    return headers.version


def _policy_key(headers: RequestHeaders) -> int | None:
    if not headers.policy_key:
        return None
    if not _POLICY_KEY.fullmatch(headers.policy_key):
        _refuse("X-MS-PolicyKey is no number")
    key = int(headers.policy_key)
    if key > _POLICY_KEY_MAX:
        _refuse("X-MS-PolicyKey has more than 32 bits")
    return key


def _is_true(text: str) -> bool:
    if text not in ("", "T", "F"):
        _refuse("neither T nor F")
    return text == "T"
