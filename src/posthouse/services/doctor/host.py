"""Looks at this machine: data directory, disk, clock, ports."""

from __future__ import annotations

import ctypes
import shutil
import socket
import stat
from typing import TYPE_CHECKING

from posthouse.services.doctor.finding import Finding, good, notice, problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_NETWORK_FILE_SYSTEMS = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "fuse.sshfs",
    "ceph",
    "glusterfs",
}
_TIME_ERROR = 5
_TIMEX_OCTETS = 512
_GREETINGS = {"pop3": b"+OK", "smtp": b"220", "submission": b"220", "lmtp": b"220", "admin": b""}


def data_directory(data: Path, space_floor: int) -> list[Finding]:
    """Rights, kind of file system and free space of the data directory."""
    findings = []
    mode = stat.S_IMODE(data.stat().st_mode)
    if mode & 0o077:
        findings.append(
            problem(
                "data",
                f"{data} can be read by others (mode {mode:04o})",
                "close it",
                f"chmod 700 {data}",
            )
        )
    else:
        findings.append(good("data", f"{data} is closed to others"))
    kind = _file_system(data)
    if kind in _NETWORK_FILE_SYSTEMS:
        findings.append(
            problem(
                "disk",
                f"{data} lies on {kind}",
                "move it to a local disk: locks and syncs are not safe there",
            )
        )
    usage = shutil.disk_usage(data)
    free = usage.free
    text = f"{free / (1 << 30):.1f} GiB free of {usage.total / (1 << 30):.1f}"
    if free < space_floor:
        findings.append(
            problem(
                "disk",
                f"{text}: below the floor, no mail is taken in",
                "make room, or lower limits.space_floor",
            )
        )
    elif free < 2 * space_floor or free < usage.total // 20:
        findings.append(notice("disk", text, "make room soon"))
    else:
        findings.append(good("disk", text))
    return findings


def _file_system(path: Path) -> str:
    """Type of the file system that holds ``path``, by the longest mount point."""
    best, kind = "", ""
    try:
        with open("/proc/mounts", encoding="utf-8", errors="replace") as mounts:  # noqa: PTH123
            for line in mounts:
                _, point, name, *_ = line.split(" ")
                inside = str(path.resolve()).startswith(point.rstrip("/") + "/") or point == "/"
                if inside and len(point) >= len(best):
                    best, kind = point, name
    except OSError:
        pass
    return kind


def clock() -> list[Finding]:
    """Whether the kernel believes its clock to be synchronised (adjtimex(2))."""
    try:
        buffer = ctypes.create_string_buffer(_TIMEX_OCTETS)
        state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    except (OSError, AttributeError):
        return [
            notice(
                "clock",
                "the kernel does not say whether the clock is right",
                "compare it by hand: date -u",
            )
        ]
    if state in (_TIME_ERROR, -1):
        return [
            notice(
                "clock",
                "the clock is not kept right by anybody",
                "mail with wrong dates is distrusted: run a time service",
                "apt install chrony",
            )
        ]
    return [good("clock", "the clock is synchronised")]


def ports(listeners: Mapping[str, Iterable[tuple[str, int]]]) -> list[Finding]:
    """For each door: answered by us, free, or taken by another program."""
    findings = []
    for door, addresses in listeners.items():
        for host, port in addresses:
            findings.append(_port(door, host, port))
    return findings


def _port(door: str, host: str, port: int) -> Finding:
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  not bound, compared
    where = f"{door} on {host}:{port}"
    try:
        with socket.create_connection((target, port), timeout=2) as connection:
            expected = _GREETINGS.get(door)
            if expected:
                connection.settimeout(3)
                greeting = connection.recv(512)
                if not greeting.startswith(expected) or b"Posthouse" not in greeting:
                    return problem(
                        "ports",
                        f"{where}: another program answers",
                        "stop it, or choose another port in [listen]",
                    )
            return good("ports", f"{where} answers")
    except TimeoutError:
        return problem("ports", f"{where}: connects but says nothing", "is another program there?")
    except ConnectionRefusedError:
        return _bindable(where, host, port)
    except OSError as e:
        return notice("ports", f"{where}: {e.strerror or e}", "check the address in [listen]")


def _bindable(where: str, host: str, port: int) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except PermissionError:
        return notice(
            "ports",
            f"{where}: needs root to bind",
            "start with systemd or as root; it drops root itself",
        )
    except OSError as e:
        return problem("ports", f"{where}: {e.strerror}", "choose another address in [listen]")
    return notice(
        "ports",
        f"{where} is free",
        "the server is not running",
        "posthouse serve",
    )
