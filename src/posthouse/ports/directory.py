"""The directory: people, addresses, credentials, as a backend keeps them.

Notes:
    Small and read all the time. ``version()`` is a cheap question (no table scan); whoever caches
    compares it. All changes are durable when the call returns. Changes are synchronous: they are
    rare and made by the operator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.ids import DeviceId, MailboxId, PrincipalId
    from posthouse.model.people import Credentials, Device, Principal, PrincipalKind, Secret


class DirectoryRecords(Protocol):
    """Keys of addresses are ``Address.key``: lower-case ``local@domain``."""

    def version(self) -> int:
        """Changes whenever anything in the directory did, by any process."""
        ...

    # --- domains
    def domains(self) -> Sequence[str]:
        """Domains we receive mail for, in order of making; the first is the default."""
        ...

    def add_domain(self, domain: str, catch_all: str = "") -> None:
        """Raises AlreadyExists.

        ``catch_all``: address that gets mail for unknown ones ("" none).
        """
        ...

    def set_catch_all(self, domain: str, address: str) -> None:
        """Raises NotFound."""
        ...

    def remove_domain(self, domain: str) -> None:
        """Raises NotFound. Addresses in it are the caller's to look for."""
        ...

    def catch_all(self, domain: str) -> str:
        """The catch-all address, "" none."""
        ...

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
        """Make a principal, with its own password (device_id 0) in the same go when one is given.

        Args:
            kind: what it is.
            address: primary address.
            name: as shown to people.
            mailbox_id: 0 for groups.
            scram_salt: under which ``secret`` was made; b"": one is chosen at random.
            secret: the person's own password; None: none yet.

        Raises:
            AlreadyExists: the address, or an alias of that name, is taken.
        """
        ...

    def principal(self, principal_id: PrincipalId) -> Principal:
        """Raises NotFound."""
        ...

    def by_address(self, address: str) -> Principal | None:
        """By primary address or alias."""
        ...

    def principals(self, kind: PrincipalKind | None) -> Sequence[Principal]:
        """All, in order of address."""
        ...

    def change_principal(self, principal: Principal) -> Principal:
        """Store name, is_disabled, forward_to, keeps_copy; the answer has the new version."""
        ...

    def remove_principal(self, principal_id: PrincipalId) -> None:
        """With its aliases, memberships, secrets and devices.

        The mailbox is the store's business.
        """
        ...

    # --- aliases, members
    def add_alias(self, alias: str, principal_id: PrincipalId) -> None:
        """Raises AlreadyExists."""
        ...

    def remove_alias(self, alias: str) -> None:
        """Raises NotFound."""
        ...

    def aliases(self, principal_id: PrincipalId) -> Sequence[str]:
        """Aliases of a principal, in order."""
        ...

    def set_members(self, group_id: PrincipalId, members: Sequence[str]) -> None:
        """Members by address; foreign addresses are allowed."""
        ...

    def members(self, group_id: PrincipalId) -> Sequence[str]:
        """Members, in order."""
        ...

    # --- credentials
    def credentials(self, principal_id: PrincipalId) -> Credentials:
        """Raises NotFound."""
        ...

    def set_secret(self, principal_id: PrincipalId, secret: Secret) -> None:
        """Set or replace the person's own password (device_id 0)."""
        ...

    def add_device(self, principal_id: PrincipalId, label: str, secret: Secret, at: int) -> Device:
        """Store a device password; ``secret.device_id`` is ignored.

        Raises AlreadyExists for a taken label.
        """
        ...

    def devices(self, principal_id: PrincipalId) -> Sequence[Device]:
        """In order of making."""
        ...

    def revoke_device(self, principal_id: PrincipalId, device_id: DeviceId) -> None:
        """Raises NotFound."""
        ...

    def note_use(self, principal_id: PrincipalId, device_id: DeviceId, at: int, door: str) -> None:
        """Remember the last use; does not change ``version``.

        Called at most once an hour a device.
        """
        ...

    # --- secrets of the installation
    def installation_secret(self, name: str) -> bytes:
        """32 random bytes, made at first asking and the same ever after."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...
