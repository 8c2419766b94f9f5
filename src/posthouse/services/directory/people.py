"""People, rooms, devices: what the operator does with them.

Notes:
    - Making somebody: first the mailbox, then the principal with its password in one change. A
      crash between the two leaves an empty mailbox that nobody owns and no half person; see
      orphans.py.
    - Removing somebody: disabled, then the mailbox, then the principal. A crash leaves a disabled
      person, and removing it again ends the work.
    - Every act is in the audit log, synced, before the answer.
    - Errors say what is wrong and what to do; they are shown to the operator as they are.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace as replace_fields

from posthouse.mechanisms.saslprep import prepared_for_keeping
from posthouse.mechanisms.scram import ITERATIONS, SALT_OCTETS, verifier_from_password
from posthouse.model.batch import Batch, ChangeMailbox, Commit
from posthouse.model.errors import AlreadyExists, ConfigurationError, NotFound
from posthouse.model.folder import MailboxKind
from posthouse.model.ids import DeviceId
from posthouse.model.people import PrincipalKind, Secret
from posthouse.services.directory.passwords import device_hash, new_device_password
from posthouse.services.directory.photos import photo_from_octets
from posthouse.services.directory.roster import Roster, event_word, shown_name, word_of
from posthouse.store.settings import change_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from posthouse.model.book import Details, Photo
    from posthouse.model.folder import Mailbox
    from posthouse.model.ids import MailboxId
    from posthouse.model.people import Device, Principal
    from posthouse.ports.clock import Chance, Clock
    from posthouse.ports.directory import DirectoryRecords
    from posthouse.ports.records import Records
    from posthouse.services.directory.audit import Audit
    from posthouse.services.directory.passwords import Hasher

LABEL_MAX = 64
DETAIL_MAX = 255

_MAILBOX_KINDS = {
    PrincipalKind.USER: MailboxKind.USER,
    PrincipalKind.ROOM: MailboxKind.ROOM,
    PrincipalKind.SHARED: MailboxKind.SHARED,
}
MAILBOX_OWNERS = tuple(_MAILBOX_KINDS)


@dataclass(frozen=True, slots=True)
class Overview:
    """One principal with everything about it.

    Attributes:
        principal: itself.
        aliases: in order.
        mailbox: None for groups, and when a removal was cut short.
        devices: in order of making.
        has_password: a password of its own.
    """

    principal: Principal
    aliases: tuple[str, ...]
    mailbox: Mailbox | None
    devices: tuple[Device, ...]
    has_password: bool


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A device password just made; the only time that the secret is seen."""

    device: Device
    password: str = field(repr=False)


class _PopSettings(msgspec.Struct):
    pop_delete: str = "hide"
    pop_folders: tuple[str, ...] = ()


class People(Roster):
    """Changes the directory and makes mailboxes. Used by commands, one at a time.

    Args:
        directory: the people.
        records: their mailboxes.
        audit: where every act is logged.
        clock: for what carries a time.
        chance: for secrets and salts.
        hasher: argon2id.
    """

    def __init__(
        self,
        directory: DirectoryRecords,
        records: Records,
        audit: Audit,
        clock: Clock,
        chance: Chance,
        hasher: Hasher,
    ) -> None:
        super().__init__(directory, audit)
        self._records = records
        self._clock = clock
        self._chance = chance
        self._hasher = hasher

    async def overview(self, principal: Principal) -> Overview:
        """Everything about one principal."""
        mailbox: Mailbox | None = None
        if principal.mailbox_id:
            with suppress(NotFound):
                mailbox = await self._records.mailbox(principal.mailbox_id)
        secrets = self._directory.credentials(principal.principal_id).secrets
        return Overview(
            principal,
            tuple(self._directory.aliases(principal.principal_id)),
            mailbox,
            tuple(self._directory.devices(principal.principal_id)),
            has_password=any(secret.device_id == 0 for secret in secrets),
        )

    # --- making and removing

    async def add(
        self,
        kind: PrincipalKind,
        address: str,
        name: str = "",
        password: str | None = None,
        quota_bytes: int = 0,
    ) -> Principal:
        """Make a user, room or shared mailbox, with its mailbox.

        Args:
            kind: not GROUP.
            address: primary address, in a domain of ours.
            name: as shown to people; "" makes one of the address.
            password: of a user; None: only device passwords can come in.
            quota_bytes: of the mailbox; 0 none.
        """
        key = self._new_key(address)
        salt = self._chance.token_bytes(SALT_OCTETS)
        secret = self._own_secret(password, salt, ITERATIONS) if password is not None else None
        mailbox = await self._records.create_mailbox(
            _MAILBOX_KINDS[kind],
            self._chance.token_bytes(16),
            self._clock.now_ms() // 1000,
            quota_bytes=quota_bytes,
        )
        try:
            principal = self._directory.add_principal(
                kind,
                key,
                shown_name(name, key),
                mailbox.mailbox_id,
                scram_salt=salt,
                secret=secret,
            )
        except AlreadyExists:
            await self._records.delete_mailbox(mailbox.mailbox_id)
            raise
        self._record(f"{event_word(principal)}-added", principal)
        return principal

    async def remove(self, principal: Principal) -> None:
        """Remove with everything it has; the mail is gone."""
        if principal.mailbox_id:
            # Nobody comes in from here on, whatever happens next.
            self._directory.change_principal(replace(principal, is_disabled=True))
            # Not there when an earlier removal came that far.
            with suppress(NotFound):
                await self._records.delete_mailbox(principal.mailbox_id)
        self._directory.remove_principal(principal.principal_id)
        self._record(f"{event_word(principal)}-removed", principal)

    # --- credentials

    def set_password(self, principal: Principal, password: str) -> None:
        """Replace a user's own password; sessions made with the old one end."""
        if principal.kind is not PrincipalKind.USER:
            raise ConfigurationError(f"{principal.address} is a {word_of(principal)}: no login")
        kept = self._directory.credentials(principal.principal_id)
        secret = self._own_secret(password, kept.scram_salt, kept.scram_iterations)
        self._directory.set_secret(principal.principal_id, secret)
        self._record("password-changed", principal)

    def add_device(
        self, principal: Principal, label: str = "", scope: tuple[str, ...] = ()
    ) -> NewDevice:
        """Make a device password.

        Args:
            principal: a user.
            label: what its owner calls it; "" numbers it.
            scope: doors it opens; none means all.
        """
        if principal.kind is not PrincipalKind.USER:
            raise ConfigurationError(f"{principal.address} is a {word_of(principal)}: no login")
        kept = self._directory.credentials(principal.principal_id)
        password = new_device_password(self._chance)
        prepared = prepared_for_keeping(password)
        verifier = verifier_from_password(prepared, kept.scram_salt, kept.scram_iterations)
        secret = Secret(DeviceId(0), device_hash(prepared), verifier, scope)
        shown = self._shown_label(principal, label)
        at = self._clock.now_ms()
        device = self._directory.add_device(principal.principal_id, shown, secret, at)
        self._record("device-added", principal, device=shown, scope=scope)
        return NewDevice(device, password)

    def devices(self, principal: Principal) -> Sequence[Device]:
        """In order of making."""
        return self._directory.devices(principal.principal_id)

    def revoke_device(self, principal: Principal, label: str) -> Device:
        """End a device password by its label; its sessions end, too."""
        for device in self._directory.devices(principal.principal_id):
            if device.label == label:
                self._directory.revoke_device(principal.principal_id, device.device_id)
                self._record("device-revoked", principal, device=label)
                return device
        raise NotFound(
            f"{principal.address} has no device {label!r};"
            f" see `posthouse device list {principal.address}`"
        )

    def set_disabled(self, principal: Principal, *, is_disabled: bool) -> Principal:
        """Shut out (every credential, every live session) or let in again; mail still arrives."""
        changed = self._directory.change_principal(replace(principal, is_disabled=is_disabled))
        event = "disabled" if is_disabled else "enabled"
        self._record(f"{event_word(principal)}-{event}", principal)
        return changed

    # --- the address book

    def details(self, principal: Principal) -> Details:
        """What the address book says of somebody besides name and addresses."""
        (entry,) = self._directory.book_entries([principal.principal_id])
        return entry.details

    def change_details(self, principal: Principal, changes: Mapping[str, str | bool]) -> Details:
        """Change some of it.

        Args:
            principal: of whom.
            changes: field of ``Details`` -> what it says from now on; "" takes it away.
        """
        for name, value in changes.items():
            if isinstance(value, str) and (len(value) > DETAIL_MAX or not value.isprintable()):
                raise ConfigurationError(f"{name} has at most {DETAIL_MAX} printable characters")
        details = replace_fields(self.details(principal), **changes)
        self._directory.set_details(principal.principal_id, details)
        self._record("details-changed", principal, **changes)
        return details

    def set_photo(self, principal: Principal, data: bytes | None) -> Photo | None:
        """Give somebody a picture (JPEG or PNG, at most 500 KiB); None takes it away."""
        photo = None if data is None else photo_from_octets(data, self._clock.now_ms())
        self._directory.set_photo(principal.principal_id, photo)
        self._record("photo-changed", principal, size_bytes=len(data or b""))
        return photo

    # --- the mailbox

    async def set_quota(self, principal: Principal, quota_bytes: int) -> None:
        """Limit the mailbox; 0 takes the limit away."""
        await self._change_mailbox(principal, ChangeMailbox(quota_bytes=quota_bytes))
        self._record("quota-changed", principal, quota_bytes=quota_bytes)

    async def set_keeps_sent(self, principal: Principal, *, keeps_sent: bool) -> None:
        """Whether a mailbox gets a copy of what others send in its name."""
        await self._change_settings(principal, keeps_sent=keeps_sent)
        self._record("keeps-sent-changed", principal, keeps_sent=keeps_sent)

    async def set_pop_policy(
        self, principal: Principal, delete: str = "", folders: tuple[str, ...] | None = None
    ) -> None:
        """What POP clients may do and see.

        Args:
            principal: whose mailbox.
            delete: "hide", "trash" or "expunge"; "" leaves it.
            folders: paths of folders shown besides the inbox; None leaves them.
        """
        settings: dict[str, object] = {}
        if delete:
            settings["pop_delete"] = delete
        if folders is not None:
            settings["pop_folders"] = folders
        text = await self._change_settings(principal, **settings)
        self._record("pop-policy-changed", principal, settings=text)

    def pop_policy(self, mailbox: Mailbox | None) -> tuple[str, tuple[str, ...]]:
        """What ``set_pop_policy`` set: delete ("hide" by default) and folders."""
        text = mailbox.settings if mailbox else ""
        settings = msgspec.json.decode(text or "{}", type=_PopSettings)
        return settings.pop_delete, settings.pop_folders

    async def _change_settings(self, principal: Principal, **settings: object) -> str:
        """All settings of the mailbox, as they are then."""
        mailbox_id = _mailbox_of(principal)
        return await change_settings(self._records, mailbox_id, lambda all_: all_.update(settings))

    async def _change_mailbox(self, principal: Principal, change: ChangeMailbox) -> None:
        await self._records.apply(Commit((Batch(_mailbox_of(principal), (change,)),)))

    # --- inside

    def _own_secret(self, password: str, salt: bytes, iterations: int) -> Secret:
        try:
            prepared = prepared_for_keeping(password)
        except ValueError as e:
            raise ConfigurationError(f"this password cannot be used: {e}") from None
        verifier = verifier_from_password(prepared, salt, iterations)
        return Secret(DeviceId(0), self._hasher.hash(prepared), verifier)

    def _shown_label(self, principal: Principal, label: str) -> str:
        label = label.strip()
        taken = {device.label for device in self._directory.devices(principal.principal_id)}
        if not label:
            return next(name for n in range(1, 10**6) if (name := f"Device {n}") not in taken)
        if len(label) > LABEL_MAX or not label.isprintable():
            raise ConfigurationError(f"a label has at most {LABEL_MAX} printable characters")
        if label in taken:
            raise AlreadyExists(
                f"{principal.address} has a device {label!r} already;"
                " revoke it first, or choose another label"
            )
        return label


def _mailbox_of(principal: Principal) -> MailboxId:
    if not principal.mailbox_id:
        raise ConfigurationError(f"{principal.address} is a group: it has no mailbox")
    return principal.mailbox_id
