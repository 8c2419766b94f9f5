"""The directory's values: domains, people, groups, rooms, devices."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posthouse.model.ids import DeviceId, MailboxId, PrincipalId


class PrincipalKind(IntEnum):
    """What may hold rights or receive mail."""

    USER = 1
    GROUP = 2
    ROOM = 3
    SHARED = 4


@dataclass(frozen=True, slots=True)
class Principal:
    """A person, group, room or shared mailbox.

    Attributes:
        principal_id: its number.
        kind: what it is.
        address: primary address, ``local@domain`` in key form (lower case).
        name: as shown to people.
        mailbox_id: 0 for groups.
        is_disabled: no credential of it works; mail still arrives.
        forward_to: addresses that get a copy of its mail.
        keeps_copy: with forward_to: whether the mailbox keeps one too.
        version: grows with every change of the principal, its password or its devices.
    """

    principal_id: PrincipalId
    kind: PrincipalKind
    address: str
    name: str
    mailbox_id: MailboxId
    is_disabled: bool = False
    forward_to: tuple[str, ...] = ()
    keeps_copy: bool = True
    version: int = 0


@dataclass(frozen=True, slots=True)
class ScramVerifier:
    """What SCRAM-SHA-256 needs instead of a password (RFC 5802 §3, RFC 7677).

    Attributes:
        stored_key: H(ClientKey), 32 bytes.
        server_key: 32 bytes.
    """

    stored_key: bytes
    server_key: bytes


@dataclass(frozen=True, slots=True)
class Device:
    """A device password, without the secret.

    Attributes:
        device_id: its number; 0 stands for the person's own password.
        principal_id: whose.
        label: "Phone", "Laptop at home".
        created_at: ms.
        last_used_at: ms; 0 never (kept to the day).
        last_used_for: protocol of the last use.
        scope: doors it opens, e.g. ``("pop3", "smtp")``; empty means all.
    """

    device_id: DeviceId
    principal_id: PrincipalId
    label: str
    created_at: int
    last_used_at: int = 0
    last_used_for: str = ""
    scope: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Secret:
    """A credential as the directory keeps it; never logged, never shown.

    Attributes:
        device_id: 0 for the person's own password.
        password_hash: argon2id string for the own password, hex SHA-256 for a device password.
        scram: verifier under the principal's salt.
        scope: doors it opens; empty means all.
    """

    device_id: DeviceId
    password_hash: str
    scram: ScramVerifier
    scope: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Credentials:
    """All credentials of one principal.

    Attributes:
        principal: whose.
        scram_salt: one for all of them, since SCRAM names the person but not the device.
        scram_iterations: PBKDF2 rounds.
        secrets: own password and device passwords.
    """

    principal: Principal
    scram_salt: bytes
    scram_iterations: int
    secrets: tuple[Secret, ...]


@dataclass(frozen=True, slots=True)
class Login:
    """Who came in, and with what.

    Attributes:
        principal: the person.
        device_id: which device password; 0 for the person's own.
        credential_mark: tells the credential used from a later one in its place; not a secret.
    """

    principal: Principal
    device_id: DeviceId
    credential_mark: bytes = field(default=b"", repr=False)
