"""The directory in memory: the verified fake that tests lean on."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING

from posthouse.backends.memory.directory_partnerships import MemoryPartnerships
from posthouse.mechanisms.scram import ITERATIONS, SALT_OCTETS
from posthouse.model.book import BookEntry, Details
from posthouse.model.errors import AlreadyExists, NotFound
from posthouse.model.ids import DeviceId, PrincipalId
from posthouse.model.people import Credentials, Device, Principal
from posthouse.ports.directory import SendGrant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.book import Photo
    from posthouse.model.ids import MailboxId
    from posthouse.model.people import PrincipalKind, Secret
    from posthouse.model.rights import Rights
    from posthouse.ports.clock import Chance


@dataclass(slots=True)
class _Kept:
    """Everything about one principal."""

    principal: Principal
    scram_salt: bytes
    secrets: dict[DeviceId, Secret] = field(default_factory=dict)
    devices: dict[DeviceId, Device] = field(default_factory=dict)
    members: tuple[str, ...] = ()
    last_device_id: int = 0
    details: Details = field(default_factory=Details)
    photo: Photo | None = None
    send_grants: dict[PrincipalId, Rights] = field(default_factory=dict)

    def touch(self) -> None:
        self.principal = replace(self.principal, version=self.principal.version + 1)


class MemoryDirectory(MemoryPartnerships):
    """``DirectoryRecords`` without a file."""

    def __init__(self, chance: Chance) -> None:
        super().__init__(self._found)
        self._chance = chance
        self._version = 1
        self._numbers = count(1)
        self._domains: dict[str, str] = {}
        self._kept: dict[PrincipalId, _Kept] = {}
        self._addresses: dict[str, PrincipalId] = {}
        self._installation_secrets: dict[str, bytes] = {}

    def close(self) -> None:
        """Nothing to let go of."""

    def version(self) -> int:
        """Changes whenever anything in the directory did."""
        return self._version

    # --- domains
    def domains(self) -> Sequence[str]:
        """In order of making."""
        return list(self._domains)

    def add_domain(self, domain: str, catch_all: str = "") -> None:
        """Raises AlreadyExists."""
        if domain in self._domains:
            raise AlreadyExists(f"{domain} is a domain already")
        self._domains[domain] = catch_all
        self._version += 1

    def set_catch_all(self, domain: str, address: str) -> None:
        """Raises NotFound."""
        if domain not in self._domains:
            raise NotFound(f"{domain} is no domain of ours")
        self._domains[domain] = address
        self._version += 1

    def remove_domain(self, domain: str) -> None:
        """Raises NotFound."""
        if domain not in self._domains:
            raise NotFound(f"{domain} is no domain of ours")
        del self._domains[domain]
        self._version += 1

    def catch_all(self, domain: str) -> str:
        """The catch-all address, "" none."""
        return self._domains.get(domain, "")

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
        """Raises AlreadyExists."""
        if address in self._addresses:
            raise AlreadyExists(f"{address} is taken")
        principal_id = PrincipalId(next(self._numbers))
        principal = Principal(principal_id, kind, address, name, mailbox_id, version=1)
        kept = _Kept(principal, scram_salt or self._chance.token_bytes(SALT_OCTETS))
        if secret is not None:
            kept.secrets[DeviceId(0)] = replace(secret, device_id=DeviceId(0))
        self._kept[principal_id] = kept
        self._addresses[address] = principal_id
        self._version += 1
        return principal

    def principal(self, principal_id: PrincipalId) -> Principal:
        """Raises NotFound."""
        return self._found(principal_id).principal

    def by_address(self, address: str) -> Principal | None:
        """By primary address or alias."""
        principal_id = self._addresses.get(address)
        return self._kept[principal_id].principal if principal_id is not None else None

    def principals(self, kind: PrincipalKind | None) -> Sequence[Principal]:
        """All, in order of address."""
        found = [k.principal for k in self._kept.values() if kind in (None, k.principal.kind)]
        return sorted(found, key=lambda principal: principal.address)

    def change_principal(self, principal: Principal) -> Principal:
        """Store name, is_disabled, forward_to, keeps_copy."""
        kept = self._found(principal.principal_id)
        kept.principal = replace(
            kept.principal,
            name=principal.name,
            is_disabled=principal.is_disabled,
            forward_to=principal.forward_to,
            keeps_copy=principal.keeps_copy,
        )
        self._touch(kept)
        return kept.principal

    def remove_principal(self, principal_id: PrincipalId) -> None:
        """With its aliases, memberships, secrets and devices."""
        self._found(principal_id)
        names = {name for name, owner in self._addresses.items() if owner == principal_id}
        for kept in self._kept.values():
            if names.intersection(kept.members):
                kept.members = tuple(m for m in kept.members if m not in names)
                kept.touch()
            kept.send_grants.pop(principal_id, None)
        for name in names:
            del self._addresses[name]
        self.forget_partnerships(principal_id)
        del self._kept[principal_id]
        self._version += 1

    # --- aliases, members
    def add_alias(self, alias: str, principal_id: PrincipalId) -> None:
        """Raises AlreadyExists."""
        kept = self._found(principal_id)
        if alias in self._addresses:
            raise AlreadyExists(f"{alias} is taken")
        self._addresses[alias] = principal_id
        self._touch(kept)

    def remove_alias(self, alias: str) -> None:
        """Raises NotFound."""
        principal = self.by_address(alias)
        if principal is None or principal.address == alias:
            raise NotFound(f"{alias} is no alias")
        del self._addresses[alias]
        self._touch(self._kept[principal.principal_id])

    def aliases(self, principal_id: PrincipalId) -> Sequence[str]:
        """Aliases of a principal, in order."""
        return sorted(
            name
            for name, owner in self._addresses.items()
            if owner == principal_id and name != self._kept[owner].principal.address
        )

    def set_members(self, group_id: PrincipalId, members: Sequence[str]) -> None:
        """Members by address."""
        kept = self._found(group_id)
        kept.members = tuple(dict.fromkeys(members))
        self._touch(kept)

    def members(self, group_id: PrincipalId) -> Sequence[str]:
        """Members, in order."""
        kept = self._kept.get(group_id)
        return kept.members if kept else ()

    # --- credentials
    def credentials(self, principal_id: PrincipalId) -> Credentials:
        """Raises NotFound."""
        kept = self._found(principal_id)
        secrets = tuple(kept.secrets[device_id] for device_id in sorted(kept.secrets))
        return Credentials(kept.principal, kept.scram_salt, ITERATIONS, secrets)

    def set_secret(self, principal_id: PrincipalId, secret: Secret) -> None:
        """Set or replace the person's own password."""
        kept = self._found(principal_id)
        kept.secrets[DeviceId(0)] = replace(secret, device_id=DeviceId(0))
        self._touch(kept)

    def add_device(self, principal_id: PrincipalId, label: str, secret: Secret, at: int) -> Device:
        """Raises AlreadyExists for a taken label."""
        kept = self._found(principal_id)
        if label in {device.label for device in kept.devices.values()}:
            raise AlreadyExists(f"there is a device {label!r} already")
        kept.last_device_id += 1
        device_id = DeviceId(kept.last_device_id)
        kept.secrets[device_id] = replace(secret, device_id=device_id)
        kept.devices[device_id] = Device(device_id, principal_id, label, at, scope=secret.scope)
        self._touch(kept)
        return kept.devices[device_id]

    def devices(self, principal_id: PrincipalId) -> Sequence[Device]:
        """In order of making."""
        kept = self._kept.get(principal_id)
        return list(kept.devices.values()) if kept else []

    def revoke_device(self, principal_id: PrincipalId, device_id: DeviceId) -> None:
        """Raises NotFound."""
        kept = self._found(principal_id)
        if device_id not in kept.devices:
            raise NotFound(f"no device {device_id}")
        del kept.devices[device_id]
        del kept.secrets[device_id]
        self._touch(kept)

    def note_use(self, principal_id: PrincipalId, device_id: DeviceId, at: int, door: str) -> None:
        """Remember the last use; does not change ``version``."""
        with suppress(KeyError):
            devices = self._kept[principal_id].devices
            devices[device_id] = replace(devices[device_id], last_used_at=at, last_used_for=door)

    # --- the address book
    def by_mailbox(self, mailbox_id: MailboxId) -> Principal | None:
        """Whose mailbox it is."""
        for kept in self._kept.values():
            if mailbox_id and kept.principal.mailbox_id == mailbox_id:
                return kept.principal
        return None

    def groups_of(self, principal_id: PrincipalId) -> Sequence[PrincipalId]:
        """Groups that name this principal by any of its addresses."""
        names = {name for name, owner in self._addresses.items() if owner == principal_id}
        return sorted(
            group_id for group_id, kept in self._kept.items() if names.intersection(kept.members)
        )

    def principal_versions(self) -> Sequence[tuple[PrincipalId, int]]:
        """Number and version of every principal."""
        return [(number, kept.principal.version) for number, kept in self._kept.items()]

    def book_entries(
        self, principal_ids: Sequence[PrincipalId] | None = None
    ) -> Sequence[BookEntry]:
        """Entries of all principals, or of those that exist of the ones asked for."""
        wanted = self._kept if principal_ids is None else set(principal_ids) & set(self._kept)
        return [
            BookEntry(
                self._kept[number].principal,
                tuple(self.aliases(number)),
                self._kept[number].details,
                self._kept[number].photo is not None,
            )
            for number in wanted
        ]

    def set_details(self, principal_id: PrincipalId, details: Details) -> None:
        """Raises NotFound."""
        kept = self._found(principal_id)
        kept.details = details
        self._touch(kept)

    def photo(self, principal_id: PrincipalId) -> Photo | None:
        """The picture of somebody."""
        kept = self._kept.get(principal_id)
        return kept.photo if kept else None

    def set_photo(self, principal_id: PrincipalId, photo: Photo | None) -> None:
        """Raises NotFound."""
        kept = self._found(principal_id)
        kept.photo = photo
        self._touch(kept)

    # --- who may send as whom
    def send_grants(self, principal_id: PrincipalId) -> Sequence[SendGrant]:
        """Who may use the addresses of a principal, in order of grantee."""
        kept = self._kept.get(principal_id)
        grants = sorted(kept.send_grants.items()) if kept else []
        return [SendGrant(principal_id, grantee_id, rights) for grantee_id, rights in grants]

    def set_send_grant(
        self, principal_id: PrincipalId, grantee_id: PrincipalId, rights: Rights
    ) -> None:
        """Raises NotFound."""
        kept, grantee = self._found(principal_id), self._found(grantee_id)
        kept.send_grants.pop(grantee_id, None)
        if rights:
            kept.send_grants[grantee_id] = rights
        self._touch(kept)
        self._touch(grantee)

    # --- secrets of the installation
    def installation_secret(self, name: str) -> bytes:
        """32 random bytes, made at first asking."""
        if name not in self._installation_secrets:
            self._installation_secrets[name] = self._chance.token_bytes(32)
            self._version += 1
        return self._installation_secrets[name]

    def _found(self, principal_id: PrincipalId) -> _Kept:
        try:
            return self._kept[principal_id]
        except KeyError:
            raise NotFound(f"no principal {principal_id}") from None

    def _touch(self, kept: _Kept) -> None:
        kept.touch()
        self._version += 1
