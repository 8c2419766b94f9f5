"""Who a command is while it works on a data directory: its owner.

Spec: setresuid(2), capset(2), capabilities(7).

Notes:
    A command that root runs would leave files that the server, running as somebody else, cannot
    open: SQLite's journal, a new pack. So it takes the owner's effective ids, and what it makes is
    the owner's. It keeps root's right to read and write everywhere, since what is imported or
    backed up may lie in root's own places.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_VERSION_3 = 0x20080522
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2
_KEPT = 1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH
_KEEP = -1


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))


@contextmanager
def as_owner(data: Path) -> Iterator[None]:
    """Act as the owner of a directory, when we are root and it belongs to somebody else.

    To be entered before threads are started: each has its own capabilities.
    """
    stranger = _stranger(data)
    if stranger is None:
        yield
        return
    uid, gid = stranger
    groups = os.getgroups()
    os.setgroups([gid])
    os.setresgid(_KEEP, gid, _KEEP)
    os.setresuid(_KEEP, uid, _KEEP)
    _raise_kept_capabilities()
    try:
        yield
    finally:
        os.setresuid(_KEEP, 0, _KEEP)
        os.setresgid(_KEEP, 0, _KEEP)
        os.setgroups(groups)


def server_user(data: Path) -> str:
    """The name of the owner for whom root starts the server; "" nobody else, or without a name."""
    stranger = _stranger(data)
    if stranger is None:
        return ""
    try:
        return pwd.getpwuid(stranger[0]).pw_name
    except KeyError:
        return ""


def _stranger(data: Path) -> tuple[int, int] | None:
    """Uid and gid of the owner, when we are root and it is not."""
    if os.geteuid() != 0:
        return None
    try:
        owner = data.stat()
    except OSError:
        return None  # not there yet: it will be ours
    return (owner.st_uid, owner.st_gid) if owner.st_uid else None


def _raise_kept_capabilities() -> None:
    """Make effective again, of what the change of ids switched off, what is in ``_KEPT``."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = _Header(_VERSION_3, 0), (_Sets * 2)()
    if libc.capget(ctypes.byref(header), sets) == 0:
        sets[0].effective |= sets[0].permitted & _KEPT
        # Refused in a sandbox: then root may do here what the owner may.
        libc.capset(ctypes.byref(header), sets)
