"""Looks at settings that are valid, and yet not what a server in real use should have."""

from __future__ import annotations

import ipaddress
import os
import pwd
from typing import TYPE_CHECKING

from posthouse.services.doctor.finding import Finding, good, notice, problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_FILE = "posthouse.toml"


def doors(
    listeners: Mapping[str, Iterable[tuple[str, int]]], *, allows_plaintext_auth: bool
) -> list[Finding]:
    """Who can reach us, and whether passwords travel in the clear."""
    reachable = [
        f"{door} on {host}:{port}"
        for door, addresses in listeners.items()
        for host, port in addresses
        if door != "admin" and not _is_loopback(host)
    ]
    findings = [good("reach", f"other machines can reach {len(reachable)} doors")]
    if not reachable:
        findings = [
            notice(
                "reach",
                "every door is on loopback: only programs on this machine can come in",
                "good for trying out; for real use bind the standard ports",
                f'{_FILE}: profile = "public"',
            )
        ]
    if not allows_plaintext_auth:
        findings.append(good("passwords", "passwords are taken over TLS only"))
    elif reachable:
        findings.append(
            problem(
                "passwords",
                f"passwords are taken without TLS ({reachable[0]}): anyone on the way reads them",
                "every client of today can do TLS; take the line out",
                f"{_FILE}: allow_plaintext_auth = false",
            )
        )
    else:
        findings.append(
            notice(
                "passwords",
                "passwords are taken without TLS, on loopback",
                "take the line out before other machines may come in",
                f"{_FILE}: allow_plaintext_auth = false",
            )
        )
    return findings + _admin(listeners)


def _admin(listeners: Mapping[str, Iterable[tuple[str, int]]]) -> list[Finding]:
    open_to_all = [host for host, _ in listeners.get("admin", ()) if not _is_loopback(host)]
    if not open_to_all:
        return []
    return [
        problem(
            "admin",
            f"health and metrics are shown to everyone on {open_to_all[0]}: there is no login",
            "keep them on this machine",
            f'{_FILE}: [listen] admin = "127.0.0.1:8088"',
        )
    ]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def owner(data: Path, user: str) -> list[Finding]:
    """Whether the server, once it is ``user``, may work on its data directory."""
    owner_uid = data.stat().st_uid
    if user:
        try:
            uid = pwd.getpwnam(user).pw_uid
        except KeyError:
            return [
                problem(
                    "user",
                    f"there is no user {user}",
                    "make it, or name another one",
                    f"useradd --system --home-dir {data} {user}",
                )
            ]
    else:
        uid = os.getuid() or owner_uid
        user = f"uid {uid}"
    if uid != owner_uid:
        return [
            problem(
                "user",
                f"{data} belongs to uid {owner_uid}; the server runs as {user} and cannot open it",
                "give it to whom the server runs as",
                f"chown -R {user.removeprefix('uid ')}: {data}",
            )
        ]
    return [good("user", f"{data} belongs to whom the server runs as")]
