"""Response codes: what a client program should make of an answer.

Spec: RFC 2449 §8, RFC 3206 §4, RFC 6856 §5.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """The text in brackets."""

    AUTH = "AUTH"
    SYS_TEMP = "SYS/TEMP"
    SYS_PERM = "SYS/PERM"
    LOGIN_DELAY = "LOGIN-DELAY"
    IN_USE = "IN-USE"
    UTF8 = "UTF8"
