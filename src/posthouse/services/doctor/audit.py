"""Looks at the end of the audit log's chain; `posthouse verify` follows all of it."""

from __future__ import annotations

import hashlib
import os
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from posthouse.services.doctor.finding import Finding, good, problem

if TYPE_CHECKING:
    from pathlib import Path

_TAIL_OCTETS = 1 << 20


class _Link(msgspec.Struct):
    prev: str


def audit_log(path: Path) -> list[Finding]:
    """Whether the newest lines (a megabyte of them at most) follow each other."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_OCTETS))
            raw = file.read(_TAIL_OCTETS)
    except FileNotFoundError:
        return [
            problem(
                "audit",
                f"{path} is not there: acts of operators and logins are not on record",
                "somebody took it away; a backup may have it",
            )
        ]
    except OSError as e:
        return [problem("audit", f"{path}: {e.strerror}", "check its owner and mode")]
    if size > _TAIL_OCTETS:
        raw = raw.partition(b"\n")[2]
    lines = raw.split(b"\n")
    # What follows the last end of line is being written now, or a crash tore it.
    wrong = sum(not _follows(*pair) for pair in pairwise(lines[:-1]))
    if wrong:
        return [
            problem(
                "audit",
                f"{wrong} of the newest {len(lines) - 1} lines of {path} do not follow the line"
                " before: lines were changed, removed or inserted",
                "find out who; posthouse verify names the lines",
            )
        ]
    return [good("audit", f"the audit log ends in one chain ({len(lines) - 1} lines looked at)")]


def _follows(before: bytes, line: bytes) -> bool:
    try:
        link = msgspec.json.decode(line, type=_Link)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return link.prev == hashlib.sha256(before).hexdigest()
