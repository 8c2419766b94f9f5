"""People and mail for the benchmarks, the same on both sides."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from posthouse.app.wiring import open_house
from posthouse.model.people import PrincipalKind

if TYPE_CHECKING:
    from pathlib import Path

    from house import House


def accounts(house: House, count: int, prefix: str = "u") -> None:
    """People ``u0`` .. with the password ``pw``; those that are there stay."""
    with open_house(house.data) as inside:
        people = inside.people
        known = {p.address for p in inside.directory.principals(None)}
        model = None
        for i in range(count):
            address = f"{prefix}{i}@{house.domain}"
            if address in known:
                continue
            if model is None:
                inside.run(people.add(PrincipalKind.USER, address, f"User {i}", "pw"))
                found = inside.directory.by_address(address)
                assert found
                model = inside.directory.credentials(found.principal_id)
                continue
            # One argon2 hash serves all: hashing ten thousand passwords is not what is measured.
            made = inside.run(people.add(PrincipalKind.USER, address, f"User {i}"))
            for secret in model.secrets:
                inside.directory.set_secret(made.principal_id, secret)


def _import(house: House, user: str, where: Path) -> None:
    house.command("import", f"{user}@{house.domain}", str(where), "--json")


def fill(house: House, user: str, count: int) -> None:
    """A mailbox of ``count`` small messages, for the growth table (ours alone)."""
    with open_house(house.data) as inside:
        if inside.directory.by_address(f"{user}@{house.domain}") is None:
            inside.run(inside.people.add(PrincipalKind.USER, f"{user}@{house.domain}", user, "pw"))
    where = house.data.parent / f"grow{count}.mbox"
    if not where.exists():
        with where.open("w", newline="") as out:
            for i in range(count):
                out.write(
                    f"From x@example.org Sat Jan  3 10:00:00 2026\r\nFrom: <x{i}@example.org>\r\nTo: <{user}@{house.domain}>\r\n"
                    f"Subject: number {i}\r\nDate: Sat, 03 Jan 2026 10:00:00 +0000\r\nMessage-ID: <grow{i}@example.org>\r\n\r\n"
                    + "A line of text that says nothing in particular.\r\n" * 8
                    + "\r\n"
                )
    _import(house, user, where)


def standard(
    house: House, work: Path, peer: dict[str, str] | None, kit: Path, only: set[str]
) -> None:
    """The mailboxes that the scenarios read."""
    accounts(house, 200)
    accounts(house, 200, "idle")  # nothing in their mailboxes: the connection is what is weighed
    wanted = (
        ("u20", "mix", 2000, {"drain", "drain-tls"}),
        ("u21", "f2k", 10_000, {"poll"}),
        ("u23", "f100k", 100_000, {"first"}),
    )
    for user, name, count, users in wanted:
        if only and not only & users:
            continue
        where = work / name
        if not where.exists():
            subprocess.run(
                [sys.executable, "corpus.py", str(where), str(count), "--profile", "fixed:1200"],
                cwd=kit,
                check=True,
            )
        _import(house, user, where)
        if peer:
            subprocess.run(
                [
                    sys.executable,
                    "load.py",
                    f"127.0.0.1:{peer['IMAP']}",
                    user,
                    "pw",
                    str(where),
                    str(count),
                ],
                cwd=kit,
                check=True,
                stdout=subprocess.DEVNULL,
            )
