"""How long the audit log is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.services.directory.audit import rotated_files

if TYPE_CHECKING:
    from pathlib import Path

    from posthouse.services.directory.audit import Audit

KEPT_DAYS = 365
_DAY_MS = 86_400_000


def remove_older(path: Path, audit: Audit, now_ms: int) -> int:
    """Remove rotated files whose last line is more than a year old; says how many.

    Oldest first, so that what is left is one chain. The newest rotated file stays, however old: the
    next one is numbered after it, and an unbroken row of numbers is what tells the end of retention
    from a file that somebody took away.
    """
    before_s = (now_ms - KEPT_DAYS * _DAY_MS) / 1000
    removed = 0
    for file in rotated_files(path)[:-1]:
        if file.stat().st_mtime >= before_s:
            break
        audit.record("audit-log-shortened", file=file.name)
        file.unlink(missing_ok=True)
        removed += 1
    return removed
