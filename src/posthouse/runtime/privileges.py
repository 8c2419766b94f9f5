"""What a process may do, and when it must die: as little as possible, with its parent.

Spec: prctl(2), setuid(2), credentials(7).
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal

from posthouse.model.errors import ConfigurationError

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def drop_root(user: str) -> bool:
    """Become ``user`` for good, with its groups; afterwards no program started by us gains rights.

    Returns:
        Whether anything was done: nothing without a user or when we are not root.

    Raises:
        ConfigurationError: there is no such user.
    """
    if not user or os.geteuid() != 0:
        return False
    try:
        entry = pwd.getpwnam(user)
    except KeyError as error:
        raise ConfigurationError(
            f"[server] user = {user!r}: there is no such user; create it or name another one"
        ) from error
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    gain_nothing()
    return True


def gain_nothing() -> None:
    """From now on neither we nor our children can gain rights by starting a program."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def die_with(parent_pid: int) -> None:
    """Be killed when the parent's thread ends.

    To be called right after the fork, after dropping root.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before we asked
        os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}): {os.strerror(error)}")
