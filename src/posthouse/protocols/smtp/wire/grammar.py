"""Reads one command line.

Spec: RFC 5321 §4.1.1; RFC 2033 §4.1; RFC 3030 §2; RFC 3207 §4; RFC 4954 §4.

Notes:
    A line reaches this file without its CRLF. Whatever is not printable (NUL, control characters,
    malformed UTF-8) is refused here in one stroke, so that no later code meets it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.errors import RemoteProtocolError
from posthouse.model.queue import Notify
from posthouse.protocols.smtp.wire.commands import (
    Auth,
    Bdat,
    Command,
    Data,
    Expn,
    Hello,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    Starttls,
    Vrfy,
)
from posthouse.protocols.smtp.wire.parameters import (
    MAIL_KEYS,
    RCPT_KEYS,
    envelope_id_from_text,
    is_8bit_from_text,
    is_headers_only_from_text,
    notify_from_text,
    original_from_text,
    size_from_text,
    words_from_parameters,
)
from posthouse.protocols.smtp.wire.paths import address_from_path, split_path

if TYPE_CHECKING:
    from collections.abc import Callable

_HELLO_OCTETS_MAX = 255
_CHUNK_DIGITS_MAX = 20
_HTTP_VERBS = frozenset(
    {
        "GET",
        "POST",
        "PUT",
        "HEAD",
        "OPTIONS",
        "DELETE",
        "CONNECT",
        "PATCH",
        "TRACE",
        "PROPFIND",
        "PRI",
    }
)
"""What a browser tricked into speaking to us says first. None of them is a word of SMTP."""


def command_from_line(line: bytes) -> Command:
    """Read a command.

    Raises:
        RemoteProtocolError: ``reply_hint`` is a key of ``replies.GRAMMAR_REPLIES``.
    """
    text = text_from_line(line)
    verb, _, rest = text.partition(" ")
    read = _READERS.get(verb)
    if read is None:
        verb = verb.upper() if verb.isascii() else ""
        read = _READERS.get(verb)
        if read is None:
            raise RemoteProtocolError(
                "unknown command", "http" if verb in _HTTP_VERBS else "unknown"
            )
    return read(rest)


def text_from_line(line: bytes) -> str:
    """Decode a line.

    Raises:
        RemoteProtocolError: it is not printable UTF-8.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as e:
        raise RemoteProtocolError("command is not UTF-8", "syntax") from e
    if not text.isprintable():
        raise RemoteProtocolError("control character in command", "syntax")
    return text


def _hello(verb: str) -> Callable[[str], Hello]:
    def read(rest: str) -> Hello:
        name = rest.strip()
        if not name or " " in name or not name.isascii() or len(name) > _HELLO_OCTETS_MAX:
            raise RemoteProtocolError("bad name in hello", "argument")
        return Hello(verb, name)

    return read


def _mail(rest: str) -> Mail:
    if rest[:5].upper() != "FROM:":
        raise RemoteProtocolError("MAIL without FROM:", "argument")
    path, parameters = split_path(rest[5:], "sender")
    sender = address_from_path(path, "sender") if path else None
    if not parameters:
        return Mail(sender)
    words = words_from_parameters(parameters, MAIL_KEYS)
    if words.get("SMTPUTF8"):
        raise RemoteProtocolError("SMTPUTF8 takes no value", "parameter-value")
    return Mail(
        sender,
        size_from_text(words["SIZE"]) if "SIZE" in words else 0,
        "BODY" in words and is_8bit_from_text(words["BODY"]),
        "SMTPUTF8" in words,
        "RET" in words and is_headers_only_from_text(words["RET"]),
        envelope_id_from_text(words["ENVID"]) if "ENVID" in words else "",
    )


def _rcpt(rest: str) -> Rcpt:
    if rest[:3].upper() != "TO:":
        raise RemoteProtocolError("RCPT without TO:", "argument")
    path, parameters = split_path(rest[3:], "recipient")
    address = address_from_path(path, "recipient")
    if not parameters:
        return Rcpt(address, path)
    words = words_from_parameters(parameters, RCPT_KEYS)
    return Rcpt(
        address,
        path,
        notify_from_text(words["NOTIFY"]) if "NOTIFY" in words else Notify.UNSAID,
        original_from_text(words["ORCPT"]) if "ORCPT" in words else "",
    )


def _bdat(rest: str) -> Bdat:
    size, _, last = rest.strip().partition(" ")
    is_number = size.isascii() and size.isdigit() and len(size) <= _CHUNK_DIGITS_MAX
    if not is_number or last.strip().upper() not in ("", "LAST"):
        raise RemoteProtocolError("bad BDAT", "chunk")
    return Bdat(int(size), bool(last))


def _auth(rest: str) -> Auth:
    mechanism, _, initial = rest.strip().partition(" ")
    if not mechanism or " " in initial:
        raise RemoteProtocolError("bad AUTH", "argument")
    return Auth(mechanism.upper(), initial or None)


def _bare(command: Command) -> Callable[[str], Command]:
    def read(rest: str) -> Command:
        if rest.strip():
            raise RemoteProtocolError("argument where none is allowed", "no-argument")
        return command

    return read


def _any(command: Command) -> Callable[[str], Command]:
    return lambda _rest: command


def _asked(command: Command) -> Callable[[str], Command]:
    def read(rest: str) -> Command:
        if not rest.strip():
            raise RemoteProtocolError("argument missing", "argument")
        return command

    return read


_READERS: dict[str, Callable[[str], Command]] = {
    "EHLO": _hello("EHLO"),
    "HELO": _hello("HELO"),
    "LHLO": _hello("LHLO"),
    "MAIL": _mail,
    "RCPT": _rcpt,
    "DATA": _bare(Data()),
    "BDAT": _bdat,
    "RSET": _bare(Rset()),
    "NOOP": _any(Noop()),
    "QUIT": _bare(Quit()),
    "HELP": _any(Help()),
    "VRFY": _asked(Vrfy()),
    "EXPN": _asked(Expn()),
    "STARTTLS": _bare(Starttls()),
    "AUTH": _auth,
}
