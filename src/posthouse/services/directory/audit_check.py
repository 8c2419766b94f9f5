"""Checks that the audit log's chain is whole."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from posthouse.services.directory.audit import FIRST, rotated_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROBLEMS_MAX = 100


class _Link(msgspec.Struct):
    prev: str


def verify(path: Path) -> list[str]:
    """Follow the chain through the rotated files and the current one.

    Returns:
        One sentence per problem, at most 100; empty when the chain is whole.
    """
    problems: list[str] = []
    for problem in _problems(path):
        problems.append(problem)
        if len(problems) == PROBLEMS_MAX:
            break
    return problems


def _problems(path: Path) -> Iterator[str]:
    older = rotated_files(path)
    numbers = [int(file.name.rpartition(".")[2]) for file in older]
    for number, following in pairwise(numbers):
        if following != number + 1:
            yield f"{path.name}: rotated files {number + 1} to {following - 1} are missing"
    # Where the oldest files have been put away, the chain begins with what we find.
    expected = "" if numbers and numbers[0] > 1 else FIRST
    for file in (*older, path):
        if not file.exists():
            if file == path and older:
                continue
            yield f"{file.name}: there is no such file"
            return
        with file.open("rb") as lines:
            for number, raw_line in enumerate(lines, 1):
                line = raw_line.removesuffix(b"\n")
                problem = _problem(line, expected, is_ended=len(line) < len(raw_line))
                if problem:
                    yield f"{file.name}, line {number}: {problem}"
                expected = hashlib.sha256(line).hexdigest()


def _problem(line: bytes, expected: str, *, is_ended: bool) -> str:
    if not is_ended:
        return "the line is not ended"
    try:
        link = msgspec.json.decode(line, type=_Link)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "not a line of this log"
    if expected and link.prev != expected:
        return "does not follow the line before it: lines were changed, removed or inserted"
    return ""
