"""Parameters of MAIL and RCPT.

Spec: RFC 5321 §4.1.1.11; RFC 1870 (SIZE); RFC 6152 (BODY); RFC 6531 §3.4 (SMTPUTF8); RFC 3461 §4
    (RET, ENVID, NOTIFY, ORCPT); RFC 6533 §3 (utf-8 addresses in ORCPT); RFC 4954 §5 (AUTH=, read
    and forgotten).
"""

from __future__ import annotations

from posthouse.model.errors import RemoteProtocolError
from posthouse.model.queue import Notify
from posthouse.protocols.smtp.wire.xtext import text_from_xtext

_ENVELOPE_ID_MAX = 100
_ORIGINAL_MAX = 500
_SIZE_DIGITS_MAX = 20
_NOTIFY_WORDS = {"SUCCESS": Notify.SUCCESS, "FAILURE": Notify.FAILURE, "DELAY": Notify.DELAY}
_VALUE_BAD = "parameter-value"


def words_from_parameters(text: str, known: frozenset[str]) -> dict[str, str]:
    """Split `` KEY=value KEY`` into a table of upper-case keys; a key without value has "".

    Raises:
        RemoteProtocolError: a key is unknown, is there twice, or has an empty value.
    """
    found: dict[str, str] = {}
    for word in text.split():
        key, has_value, value = word.partition("=")
        key = key.upper()
        if key not in known:
            raise RemoteProtocolError("unknown parameter", "parameter")
        if key in found or (has_value and not value):
            raise RemoteProtocolError("parameter twice or empty", _VALUE_BAD)
        found[key] = value
    return found


MAIL_KEYS = frozenset({"SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "AUTH"})
RCPT_KEYS = frozenset({"NOTIFY", "ORCPT"})


def size_from_text(text: str) -> int:
    """SIZE=: RFC 1870 §3 allows 20 digits.

    Raises:
        RemoteProtocolError: not a number.
    """
    if not text.isascii() or not text.isdigit() or len(text) > _SIZE_DIGITS_MAX:
        raise RemoteProtocolError("bad SIZE", _VALUE_BAD)
    return int(text)


def is_8bit_from_text(text: str) -> bool:
    """BODY=.

    Raises:
        RemoteProtocolError: neither 7BIT nor 8BITMIME (BINARYMIME is not offered).
    """
    match text.upper():
        case "7BIT":
            return False
        case "8BITMIME":
            return True
        case _:
            raise RemoteProtocolError("bad BODY", _VALUE_BAD)


def is_headers_only_from_text(text: str) -> bool:
    """RET=.

    Raises:
        RemoteProtocolError: neither FULL nor HDRS.
    """
    match text.upper():
        case "FULL":
            return False
        case "HDRS":
            return True
        case _:
            raise RemoteProtocolError("bad RET", _VALUE_BAD)


def envelope_id_from_text(text: str) -> str:
    """ENVID=, checked and kept as given: it goes out again as it came.

    Raises:
        RemoteProtocolError: not xtext, empty or longer than 100 characters (RFC 3461 §4.4).
    """
    if not 0 < len(text) <= _ENVELOPE_ID_MAX:
        raise RemoteProtocolError("bad ENVID", _VALUE_BAD)
    text_from_xtext(text)
    return text


def notify_from_text(text: str) -> Notify:
    """NOTIFY=.

    Raises:
        RemoteProtocolError: unknown words, or NEVER beside others.
    """
    words = text.upper().split(",")
    if words == ["NEVER"]:
        return Notify.NEVER
    notify = Notify.UNSAID
    for word in words:
        if word not in _NOTIFY_WORDS:
            raise RemoteProtocolError("bad NOTIFY", _VALUE_BAD)
        notify |= _NOTIFY_WORDS[word]
    return notify


def original_from_text(text: str) -> str:
    """ORCPT=, checked and kept as given.

    Raises:
        RemoteProtocolError: no type, not xtext, or longer than 500 characters (RFC 3461 §4.2).
    """
    kind, semicolon, address = text.partition(";")
    is_named = bool(kind) and kind.isascii() and kind.replace("-", "").isalnum()
    if not semicolon or not address or not is_named or len(text) > _ORIGINAL_MAX:
        raise RemoteProtocolError("bad ORCPT", _VALUE_BAD)
    # A utf-8 address may be written without encoding; what is printable was checked with the line.
    if kind.lower() != "utf-8":
        text_from_xtext(address)
    return text
