"""POP3 commands: what each looks like, and in which state it may be said.

Spec: RFC 1939 §3, §5, §6, §7; RFC 2449 §4, §5; RFC 2595 §4; RFC 5034 §4; RFC 6856 §2.1, §3.2.

Notes:
    - Keywords are read without regard to case. Spaces at the end of a line are forgiven, since old
      clients send them; spaces within are not.
    - A message number too large for any maildrop is grammar all the same: it names no message.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.model.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBER_DIGITS_MAX = 10
BEYOND = 10**NUMBER_DIGITS_MAX
"""Stands for every number of more digits than we read."""
LANGUAGE_RANGE_MAX = 64


class State(Enum):
    """Where a session stands (RFC 1939 §3), and between which lines of SASL or TLS."""

    # Members are compared by identity; Enum's own hash is a function in Python.
    __hash__ = object.__hash__

    AUTHORIZATION = auto()
    SASL = auto()
    TLS = auto()
    TRANSACTION = auto()
    UPDATE = auto()
    CLOSED = auto()


class Fault(StrEnum):
    """How a line can be wrong; ``errors.py`` has the answer to each."""

    SYNTAX = "syntax"
    UNKNOWN = "unknown"
    STATE = "state"
    LINE_END = "line-end"
    TOO_LONG = "too-long"
    FOREIGN = "foreign"
    SASL = "sasl"


@dataclass(frozen=True, slots=True)
class Stat:
    """STAT."""


class List(Struct, frozen=True):
    """LIST; ``msg_no`` None asks for all."""

    msg_no: int | None


class Retr(Struct, frozen=True):
    """RETR."""

    msg_no: int


class Dele(Struct, frozen=True):
    """DELE."""

    msg_no: int


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP."""


@dataclass(frozen=True, slots=True)
class Rset:
    """RSET."""


@dataclass(frozen=True, slots=True)
class Quit:
    """QUIT, in either state."""


class Top(Struct, frozen=True):
    """TOP: the header and ``lines`` lines of the body."""

    msg_no: int
    lines: int


class Uidl(Struct, frozen=True):
    """UIDL; ``msg_no`` None asks for all."""

    msg_no: int | None


@dataclass(frozen=True, slots=True)
class User:
    """USER; the name may hold spaces, since folder names do."""

    name: str


@dataclass(frozen=True, slots=True)
class Pass:
    """PASS; everything after the first space, spaces included."""

    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Apop:
    """APOP, whatever follows."""


@dataclass(frozen=True, slots=True)
class Capa:
    """CAPA."""


@dataclass(frozen=True, slots=True)
class Stls:
    """STLS."""


@dataclass(frozen=True, slots=True)
class Auth:
    """AUTH.

    Attributes:
        mechanism: upper case; "" asks which there are (RFC 1734's old way).
        initial: the initial response; None when there is none.
    """

    mechanism: str
    initial: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SaslResponse:
    """The client's answer to a challenge."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SaslCancel:
    """The client gives the exchange up with ``*``."""


@dataclass(frozen=True, slots=True)
class Utf8:
    """UTF8."""


@dataclass(frozen=True, slots=True)
class Lang:
    """LANG; "" asks which there are, ``*`` leaves the choice to us."""

    language_range: str


Command = (
    Stat
    | List
    | Retr
    | Dele
    | Noop
    | Rset
    | Quit
    | Top
    | Uidl
    | User
    | Pass
    | Apop
    | Capa
    | Stls
    | Auth
    | SaslResponse
    | SaslCancel
    | Utf8
    | Lang
)


def number_from_octets(argument: bytes) -> int:
    """Read a number; more digits than any maildrop needs give ``BEYOND``.

    Raises:
        RemoteProtocolError: not a number.
    """
    if argument.isdigit():
        return int(argument) if len(argument) <= NUMBER_DIGITS_MAX else BEYOND
    stripped = argument.rstrip(b" ")
    if stripped != argument and stripped.isdigit():
        return number_from_octets(stripped)
    raise RemoteProtocolError("a number was expected", Fault.SYNTAX)


def _optional_number(argument: bytes) -> int | None:
    return number_from_octets(argument) if argument.rstrip(b" ") else None


def _bare(command: Command) -> Callable[[bytes], Command]:
    """Reads a command without arguments: always the same value."""

    def parse(argument: bytes) -> Command:
        if argument.strip(b" "):
            raise RemoteProtocolError("no argument was expected", Fault.SYNTAX)
        return command

    return parse


def _retr(argument: bytes) -> Command:
    return Retr(number_from_octets(argument))


def _dele(argument: bytes) -> Command:
    return Dele(number_from_octets(argument))


def _list(argument: bytes) -> Command:
    return List(_optional_number(argument))


def _uidl(argument: bytes) -> Command:
    return Uidl(_optional_number(argument))


def _top(argument: bytes) -> Command:
    msg_no, _, lines = argument.partition(b" ")
    return Top(number_from_octets(msg_no), number_from_octets(lines))


def _user(argument: bytes) -> Command:
    name = _text(argument).strip(" ")
    if not name:
        raise RemoteProtocolError("USER without a name", Fault.SYNTAX)
    return User(name)


def _pass(argument: bytes) -> Command:
    if not argument:
        raise RemoteProtocolError("PASS without a password", Fault.SYNTAX)
    return Pass(argument)


def _apop(_argument: bytes) -> Command:
    return Apop()


def _auth(argument: bytes) -> Command:
    mechanism, space, initial = argument.rstrip(b" ").partition(b" ")
    name = _text(mechanism).upper()
    return Auth(name, base64_from_octets(initial) if space else None)


def _lang(argument: bytes) -> Command:
    text = _text(argument).strip(" ")
    plain = text.replace("-", "")
    well_formed = text in ("", "*") or (plain.isascii() and plain.isalnum())
    if not well_formed or len(text) > LANGUAGE_RANGE_MAX:
        raise RemoteProtocolError("not a language range", Fault.SYNTAX)
    return Lang(text)


def base64_from_octets(data: bytes) -> bytes:
    """Decode a SASL message; ``=`` alone is the empty one (RFC 5034 §4).

    Raises:
        RemoteProtocolError: not base64.
    """
    if data == b"=":
        return b""
    try:
        return b64decode(data, validate=True)
    except binascii.Error as e:
        raise RemoteProtocolError("not base64", Fault.SASL) from e


def _text(argument: bytes) -> str:
    try:
        return argument.decode()
    except UnicodeDecodeError as e:
        raise RemoteProtocolError("not UTF-8", Fault.SYNTAX) from e


@dataclass(frozen=True, slots=True)
class Rule:
    """How one keyword is read, and in which states.

    Attributes:
        parse: from the octets after the keyword and one space to the command.
        states: where it may be said.
    """

    parse: Callable[[bytes], Command]
    states: tuple[State, ...]


# Tuples, since looking a member of an Enum up in a set calls its hash in Python.
_BEFORE = (State.AUTHORIZATION,)
_INSIDE = (State.TRANSACTION,)
_BOTH = _BEFORE + _INSIDE

RULES: dict[bytes, Rule] = {
    b"RETR": Rule(_retr, _INSIDE),
    b"UIDL": Rule(_uidl, _INSIDE),
    b"LIST": Rule(_list, _INSIDE),
    b"DELE": Rule(_dele, _INSIDE),
    b"TOP": Rule(_top, _INSIDE),
    b"STAT": Rule(_bare(Stat()), _INSIDE),
    b"NOOP": Rule(_bare(Noop()), _INSIDE),
    b"RSET": Rule(_bare(Rset()), _INSIDE),
    b"QUIT": Rule(_bare(Quit()), _BOTH),
    b"CAPA": Rule(_bare(Capa()), _BOTH),
    b"USER": Rule(_user, _BEFORE),
    b"PASS": Rule(_pass, _BEFORE),
    b"APOP": Rule(_apop, _BEFORE),
    b"AUTH": Rule(_auth, _BEFORE),
    b"STLS": Rule(_bare(Stls()), _BEFORE),
    b"UTF8": Rule(_bare(Utf8()), _BEFORE),
    b"LANG": Rule(_lang, _BOTH),
}

FOREIGN = frozenset(
    {
        b"GET",
        b"POST",
        b"HEAD",
        b"PUT",
        b"DELETE",
        b"OPTIONS",
        b"PATCH",
        b"TRACE",
        b"CONNECT",
        b"PRI",
    }
)
"""Another protocol's first words: such a connection is closed at once (cross-protocol attacks)."""
