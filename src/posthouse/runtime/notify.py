"""Tells the service supervisor of the machine how we are doing.

Spec: sd_notify(3): datagrams of ``NAME=value`` lines to the socket named by NOTIFY_SOCKET.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

READY = "READY=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"


def notify(*lines: str) -> bool:
    """Send one datagram; says whether anybody asked for it and got it.

    Never blocks, never raises.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0)
        sock.sendto("\n".join(lines).encode(), address.replace("@", "\0", 1))
        return True
    return False


def watchdog_interval_s() -> float:
    """How often WATCHDOG should be sent: half of what the service supervisor waits; 0 never."""
    wanted = os.environ.get("WATCHDOG_USEC", "")
    pid = os.environ.get("WATCHDOG_PID", "")
    if not wanted.isdecimal() or (pid and pid != str(os.getpid())):
        return 0.0
    return int(wanted) / 2_000_000
