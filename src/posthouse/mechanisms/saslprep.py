"""SASLprep: one spelling for passwords that look the same.

Spec: RFC 4013, RFC 3454.

Notes:
    Plain printable ASCII is its own preparation, so the usual password costs two C calls.
"""

from __future__ import annotations

import contextlib
import stringprep
import unicodedata
from functools import partial

PASSWORD_OCTETS_MAX = 1024

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str, *, is_stored: bool = False) -> str:
    """Prepare a password or user name for comparison.

    Args:
        text: as typed.
        is_stored: True for what will be kept ("stored string", RFC 3454 §7): code points that
            Unicode 3.2 did not know are refused, since a later version may normalise them
            otherwise.

    Raises:
        ValueError: a character is prohibited, or the direction rules are broken.
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(_mapped(c) for c in text)
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    for c in prepared:
        if any(is_in_table(c) for is_in_table in _PROHIBITED):
            raise ValueError("a control, private or otherwise prohibited character")
        if is_stored and stringprep.in_table_a1(c):
            raise ValueError("a character that is not in Unicode 3.2")
    _check_direction(prepared)
    return prepared


def _mapped(c: str) -> str:
    if stringprep.in_table_c12(c):
        return " "
    return "" if stringprep.in_table_b1(c) else c


def _check_direction(text: str) -> None:
    """RFC 3454 §6: right-to-left text stands alone and at both ends."""
    if not any(map(stringprep.in_table_d1, text)):
        return
    if any(map(stringprep.in_table_d2, text)):
        raise ValueError("left-to-right characters among right-to-left ones")
    if not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])):
        raise ValueError("right-to-left text has to begin and end with such a character")


def password_from_octets(raw_password: bytes) -> str:
    """Read what a client sent as a password: UTF-8, else Windows-1252, else Latin-1; never raises.

    Departs: RFC 4616 §2, because old clients send the character set of their desktop.
    """
    for decode in (partial(raw_password.decode, "utf-8"), partial(raw_password.decode, "cp1252")):
        try:
            return decode()
        except UnicodeDecodeError:
            continue
    return raw_password.decode("latin-1")


def prepared_for_check(password: bytes | str) -> bytes:
    """What an offered password is compared by; where SASLprep refuses it, as it came."""
    text = password_from_octets(password) if isinstance(password, bytes) else password
    with contextlib.suppress(ValueError):
        text = saslprep(text)
    return text.encode("utf-8", "surrogatepass")


def prepared_for_keeping(password: str) -> bytes:
    """What a new password is hashed by.

    Raises:
        ValueError: empty, too long, or not to be typed the same everywhere; the text says which.
    """
    prepared = saslprep(password, is_stored=True).encode()
    if not prepared:
        raise ValueError("an empty password")
    if len(prepared) > PASSWORD_OCTETS_MAX:
        raise ValueError(f"more than {PASSWORD_OCTETS_MAX} octets")
    return prepared
