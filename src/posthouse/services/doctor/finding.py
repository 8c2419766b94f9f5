"""What the doctor says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How bad it is."""

    GOOD = "good"
    NOTICE = "notice"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: "configuration", "disk", "clock", "ports", "tls", "dns mx" ...
        grade: how bad it is.
        what: one sentence.
        remedy: what to do about it ("" when good).
        paste: lines to paste, and where ("" none): a zone line, a configuration line, a command.
    """

    topic: str
    grade: Grade
    what: str
    remedy: str = ""
    paste: str = ""


def good(topic: str, what: str) -> Finding:
    """All is well."""
    return Finding(topic, Grade.GOOD, what)


def notice(topic: str, what: str, remedy: str, paste: str = "") -> Finding:
    """Works, but could be better."""
    return Finding(topic, Grade.NOTICE, what, remedy, paste)


def problem(topic: str, what: str, remedy: str, paste: str = "") -> Finding:
    """Does not work."""
    return Finding(topic, Grade.PROBLEM, what, remedy, paste)
