"""The directory: people, addresses, credentials, as a backend keeps them.

Notes:
    Small and read all the time. ``version()`` is a cheap question (no table scan); whoever caches
    compares it. All changes are durable when the call returns. Changes are synchronous: they are
    rare and made by the operator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from posthouse.ports.partnerships import PartnershipRecords

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.book import BookEntry, Details, Photo
    from posthouse.model.ids import DeviceId, MailboxId, PrincipalId
    from posthouse.model.people import Credentials, Device, Principal, PrincipalKind, Secret
    from posthouse.model.rights import Rights


@dataclass(frozen=True, slots=True)
class SendGrant:
    """Who may use whose addresses as sender.

    Attributes:
        principal_id: whose addresses.
        grantee_id: a person, or a group for all who are in it.
        rights: SEND_AS, SEND_ON_BEHALF or both.
    """

    principal_id: PrincipalId
    grantee_id: PrincipalId
    rights: Rights


class DirectoryRecords(PartnershipRecords, Protocol):
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
        """With its aliases, memberships, secrets, devices, phones, send grants, entry in the book.

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

    # --- the address book
    def by_mailbox(self, mailbox_id: MailboxId) -> Principal | None:
        """Whose mailbox it is."""
        ...

    def groups_of(self, principal_id: PrincipalId) -> Sequence[PrincipalId]:
        """Groups that name this principal by any of its addresses, in order; not those above."""
        ...

    def principal_versions(self) -> Sequence[tuple[PrincipalId, int]]:
        """Number and version of every principal: what has changed, for whoever keeps entries."""
        ...

    def book_entries(
        self, principal_ids: Sequence[PrincipalId] | None = None
    ) -> Sequence[BookEntry]:
        """Entries of all principals, or of those that exist of the ones asked for; in no order."""
        ...

    def set_details(self, principal_id: PrincipalId, details: Details) -> None:
        """Replace what the address book says of somebody. Raises NotFound."""
        ...

    def photo(self, principal_id: PrincipalId) -> Photo | None:
        """The picture of somebody, None without one."""
        ...

    def set_photo(self, principal_id: PrincipalId, photo: Photo | None) -> None:
        """Set or take away a picture. Raises NotFound."""
        ...

    # --- who may send as whom
    def send_grants(self, principal_id: PrincipalId) -> Sequence[SendGrant]:
        """Who may use the addresses of a principal, in order of grantee."""
        ...

    def set_send_grant(
        self, principal_id: PrincipalId, grantee_id: PrincipalId, rights: Rights
    ) -> None:
        """Set SEND_AS, SEND_ON_BEHALF or both; NONE takes the grant away.

        Goes with either of the two when they are removed. Raises NotFound.
        """
        ...

    # --- secrets of the installation
    def installation_secret(self, name: str) -> bytes:
        """32 random bytes, made at first asking and the same ever after."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...
