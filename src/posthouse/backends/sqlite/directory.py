"""The directory in one SQLite file: domains, principals, names, credentials.

Notes:
    How the file is opened, read and changed: ``directory_file``; what the address book adds:
    ``directory_cards``; phones: ``directory_partnerships``.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import apsw

from posthouse.backends.sqlite.directory_cards import DirectoryCards
from posthouse.backends.sqlite.directory_file import BUSY_MS
from posthouse.backends.sqlite.directory_partnerships import DirectoryPartnerships
from posthouse.backends.sqlite.directory_rows import (
    device_from_row,
    principal_from_row,
    secret_from_row,
)
from posthouse.mechanisms.scram import ITERATIONS, SALT_OCTETS
from posthouse.model.errors import NotFound
from posthouse.model.ids import DeviceId, PrincipalId
from posthouse.model.people import Credentials, Device

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.ids import MailboxId
    from posthouse.model.people import Principal, PrincipalKind, Secret

# Noting a last use happens in the event loop: better forgotten than waited for.
BUSY_NOTE_MS = 20
OWN_LABEL = ""


class SqliteDirectory(DirectoryCards, DirectoryPartnerships):
    """``DirectoryRecords`` over ``directory.db``.

    Args:
        path: the file; made when it is not there.
        chance: for salts and the installation's secrets.
    """

    # --- domains
    def domains(self) -> Sequence[str]:
        """Domains we receive mail for, in order of making; the first is the default."""
        return [row[0] for row in self._all("SELECT domain FROM domain ORDER BY position")]

    def add_domain(self, domain: str, catch_all: str = "") -> None:
        """Raises AlreadyExists. ``catch_all``: address that gets mail for unknown ones."""
        with self._change(f"{domain} is a domain already"):
            self._run("INSERT INTO domain (domain, catch_all) VALUES (?, ?)", domain, catch_all)

    def set_catch_all(self, domain: str, address: str) -> None:
        """Raises NotFound."""
        with self._change():
            self._run("UPDATE domain SET catch_all = ? WHERE domain = ?", address, domain)
            self._must_have_changed(f"{domain} is no domain of ours")

    def remove_domain(self, domain: str) -> None:
        """Raises NotFound."""
        with self._change():
            self._run("DELETE FROM domain WHERE domain = ?", domain)
            self._must_have_changed(f"{domain} is no domain of ours")

    def catch_all(self, domain: str) -> str:
        """The catch-all address, "" none."""
        row = self._first("SELECT catch_all FROM domain WHERE domain = ?", domain)
        return row[0] if row else ""

    # --- principals
    def add_principal(
        self,
        kind: PrincipalKind,
        address: str,
        name: str,
        mailbox_id: MailboxId,
        *,
        scram_salt: bytes = b"",
        secret: Secret | None = None,
    ) -> Principal:
        """Make a principal; raises AlreadyExists."""
        salt = scram_salt or self._chance.token_bytes(SALT_OCTETS)
        with self._change(f"{address} is taken"):
            self._run(
                "INSERT INTO principal (kind, address, name, mailbox_id, scram_salt,"
                " scram_iterations) VALUES (?, ?, ?, ?, ?, ?)",
                *(int(kind), address, name, mailbox_id, salt, ITERATIONS),
            )
            principal_id = PrincipalId(self._db.last_insert_rowid())
            self._run("INSERT INTO address VALUES (?, ?, 1)", address, principal_id)
            if secret is not None:
                self._insert_secret(principal_id, DeviceId(0), OWN_LABEL, secret, 0)
        return self.principal(principal_id)

    def principal(self, principal_id: PrincipalId) -> Principal:
        """Raises NotFound."""
        row = self._first("SELECT p.* FROM principal p WHERE principal_id = ?", principal_id)
        if row is None:
            raise NotFound(f"no principal {principal_id}")
        return principal_from_row(row)

    def by_address(self, address: str) -> Principal | None:
        """By primary address or alias."""
        row = self._first(
            "SELECT p.* FROM address a JOIN principal p USING (principal_id) WHERE a.address = ?",
            address,
        )
        return principal_from_row(row) if row else None

    def principals(self, kind: PrincipalKind | None) -> Sequence[Principal]:
        """All, in order of address."""
        rows = self._all(
            "SELECT p.* FROM principal p WHERE ?1 = 0 OR kind = ?1 ORDER BY address",
            int(kind or 0),
        )
        return [principal_from_row(row) for row in rows]

    def change_principal(self, principal: Principal) -> Principal:
        """Store name, is_disabled, forward_to, keeps_copy; the answer has the new version."""
        with self._change():
            self._run(
                "UPDATE principal SET name = ?, is_disabled = ?, forward_to = ?, keeps_copy = ?,"
                " version = version + 1 WHERE principal_id = ?",
                *(principal.name, principal.is_disabled, json.dumps(principal.forward_to)),
                *(principal.keeps_copy, principal.principal_id),
            )
            self._must_have_changed(f"no principal {principal.principal_id}")
        return self.principal(principal.principal_id)

    def remove_principal(self, principal_id: PrincipalId) -> None:
        """With its aliases, memberships, secrets and devices."""
        with self._change():
            self._run(
                "UPDATE principal SET version = version + 1 WHERE principal_id IN (SELECT group_id"
                " FROM member JOIN address ON address = member WHERE principal_id = ?)",
                principal_id,
            )
            self._run(
                "DELETE FROM member WHERE member IN"
                " (SELECT address FROM address WHERE principal_id = ?)",
                principal_id,
            )
            self._run("DELETE FROM principal WHERE principal_id = ?", principal_id)
            self._must_have_changed(f"no principal {principal_id}")

    # --- aliases, members
    def add_alias(self, alias: str, principal_id: PrincipalId) -> None:
        """Raises AlreadyExists."""
        with self._change(f"{alias} is taken"):
            self._touch(principal_id)
            self._run("INSERT INTO address VALUES (?, ?, 0)", alias, principal_id)

    def remove_alias(self, alias: str) -> None:
        """Raises NotFound."""
        with self._change():
            row = self._first(
                "SELECT principal_id FROM address WHERE address = ? AND NOT is_primary", alias
            )
            if row is None:
                raise NotFound(f"{alias} is no alias")
            self._touch(PrincipalId(row[0]))
            self._run("DELETE FROM address WHERE address = ?", alias)

    def aliases(self, principal_id: PrincipalId) -> Sequence[str]:
        """Aliases of a principal, in order."""
        rows = self._all(
            "SELECT address FROM address WHERE principal_id = ? AND NOT is_primary"
            " ORDER BY address",
            principal_id,
        )
        return [row[0] for row in rows]

    def set_members(self, group_id: PrincipalId, members: Sequence[str]) -> None:
        """Members by address; foreign addresses are allowed."""
        with self._change():
            self._touch(group_id)
            self._run("DELETE FROM member WHERE group_id = ?", group_id)
            for position, member in enumerate(dict.fromkeys(members)):
                self._run("INSERT INTO member VALUES (?, ?, ?)", group_id, position, member)

    def members(self, group_id: PrincipalId) -> Sequence[str]:
        """Members, in order."""
        rows = self._all("SELECT member FROM member WHERE group_id = ? ORDER BY position", group_id)
        return [row[0] for row in rows]

    # --- credentials
    def credentials(self, principal_id: PrincipalId) -> Credentials:
        """Raises NotFound."""
        row = self._first(
            "SELECT p.* FROM principal p WHERE principal_id = ?",
            principal_id,
        )
        rows = self._all(
            "SELECT device_id, password_hash, stored_key, server_key, scope FROM secret"
            " WHERE principal_id = ? ORDER BY device_id",
            principal_id,
        )
        if row is None:
            raise NotFound(f"no principal {principal_id}")
        secrets = tuple(secret_from_row(secret_row) for secret_row in rows)
        return Credentials(principal_from_row(row), row[9], row[10], secrets)

    def set_secret(self, principal_id: PrincipalId, secret: Secret) -> None:
        """Set or replace the person's own password (device_id 0)."""
        with self._change():
            self._touch(principal_id)
            self._run("DELETE FROM secret WHERE principal_id = ? AND device_id = 0", principal_id)
            self._insert_secret(principal_id, DeviceId(0), OWN_LABEL, secret, 0)

    def add_device(self, principal_id: PrincipalId, label: str, secret: Secret, at: int) -> Device:
        """Store a device password; raises AlreadyExists for a taken label."""
        with self._change(f"there is a device {label!r} already"):
            self._touch(principal_id)
            row = self._first(
                "UPDATE principal SET last_device_id = last_device_id + 1 WHERE principal_id = ?"
                " RETURNING last_device_id",
                principal_id,
            )
            device_id = DeviceId(row[0] if row else 0)
            self._insert_secret(principal_id, device_id, label, secret, at)
        return Device(device_id, principal_id, label, at, scope=secret.scope)

    def devices(self, principal_id: PrincipalId) -> Sequence[Device]:
        """In order of making."""
        rows = self._all(
            "SELECT device_id, principal_id, label, created_at, last_used_at, last_used_for, scope"
            " FROM secret WHERE principal_id = ? AND device_id > 0 ORDER BY device_id",
            principal_id,
        )
        return [device_from_row(row) for row in rows]

    def revoke_device(self, principal_id: PrincipalId, device_id: DeviceId) -> None:
        """Raises NotFound."""
        with self._change():
            self._touch(principal_id)
            self._run(
                "DELETE FROM secret WHERE principal_id = ? AND device_id = ? AND device_id > 0",
                *(principal_id, device_id),
            )
            self._must_have_changed(f"no device {device_id}")

    def note_use(self, principal_id: PrincipalId, device_id: DeviceId, at: int, door: str) -> None:
        """Remember the last use; does not change ``version``. Given up when another one writes."""
        with suppress(apsw.Error):
            self._db.set_busy_timeout(BUSY_NOTE_MS)
            # Not worth a sync: a lost note is made again within the hour.
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._run(
                "UPDATE secret SET last_used_at = ?, last_used_for = ?"
                " WHERE principal_id = ? AND device_id = ?",
                *(at, door, principal_id, device_id),
            )
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.set_busy_timeout(BUSY_MS)

    # --- secrets of the installation
    def installation_secret(self, name: str) -> bytes:
        """32 random bytes, made at first asking and the same ever after."""
        question = "SELECT secret FROM installation_secret WHERE name = ?"
        row = self._first(question, name)
        if row is None:
            with self._change():
                self._run(
                    "INSERT INTO installation_secret VALUES (?, ?) ON CONFLICT DO NOTHING",
                    *(name, self._chance.token_bytes(32)),
                )
            row = self._first(question, name)
        return row[0] if row else b""

    # --- inside
    def _insert_secret(
        self, principal_id: PrincipalId, device_id: DeviceId, label: str, secret: Secret, at: int
    ) -> None:
        self._run(
            "INSERT INTO secret (principal_id, device_id, label, password_hash, stored_key,"
            " server_key, scope, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *(principal_id, device_id, label, secret.password_hash, secret.scram.stored_key),
            *(secret.scram.server_key, json.dumps(secret.scope), at),
        )
