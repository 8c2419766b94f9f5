"""The roster: domains, names, aliases, groups, forwarding; all that needs no mailbox.

Notes:
    Errors say what is wrong and what to do; they are shown to the operator as they are. Every act
    is in the audit log, synced, before the answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from posthouse.model.address import Address, domain_from_text
from posthouse.model.errors import AlreadyExists, ConfigurationError, Conflict, NotFound
from posthouse.model.ids import MailboxId
from posthouse.model.people import PrincipalKind
from posthouse.services.directory.expansion import EXPANSION_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.people import Principal
    from posthouse.ports.directory import DirectoryRecords
    from posthouse.services.directory.audit import Audit, Value

NAME_MAX = 255

_WORDS = {
    PrincipalKind.USER: "user",
    PrincipalKind.GROUP: "group",
    PrincipalKind.ROOM: "room",
    PrincipalKind.SHARED: "shared mailbox",
}
_LISTED_BY = {PrincipalKind.GROUP: "group", PrincipalKind.ROOM: "room"}


class Roster:
    """Changes of the directory alone.

    Attributes:
        actor: who does it, for the audit log.
    """

    def __init__(self, directory: DirectoryRecords, audit: Audit) -> None:
        self._directory = directory
        self._audit = audit
        self.actor = "operator"

    # --- domains

    def domains(self) -> Sequence[tuple[str, str]]:
        """Domains we receive mail for and their catch-alls ("" none); the default one first."""
        return [(name, self._directory.catch_all(name)) for name in self._directory.domains()]

    def add_domain(self, domain: str) -> str:
        """Receive mail for a domain; the first one is the default of login names."""
        name = _read_domain(domain)
        self._directory.add_domain(name)
        self._audit.record("domain-added", by=self.actor, domain=name)
        return name

    def remove_domain(self, domain: str) -> str:
        """Receive no mail for a domain any more.

        Raises:
            NotFound: it is not ours.
            Conflict: somebody still has an address in it, or it is the only one.
        """
        name = _read_domain(domain)
        names = self._directory.domains()
        if name not in names:
            raise NotFound(f"{name} is no domain of ours; see `posthouse domain list`")
        if len(names) == 1:
            raise Conflict(f"{name} is the only domain; add another one first")
        for principal in self._directory.principals(None):
            known = (principal.address, *self._directory.aliases(principal.principal_id))
            for address in known:
                if address.endswith(f"@{name}"):
                    raise Conflict(f"{address} is still there; remove or rename it first")
        self._directory.remove_domain(name)
        self._audit.record("domain-removed", by=self.actor, domain=name)
        return name

    def set_catch_all(self, domain: str, address: str) -> tuple[str, str]:
        """Who gets mail for unknown addresses of a domain; "" nobody. Raises NotFound."""
        name = _read_domain(domain)
        target = str(read_address(address)) if address else ""
        self._directory.set_catch_all(name, target)
        self._audit.record("catch-all-changed", by=self.actor, domain=name, address=target)
        return name, target

    # --- finding

    def find(self, address: str, *kinds: PrincipalKind) -> Principal:
        """By primary address or alias; ``kinds``: which are meant (none: any).

        Raises:
            NotFound: with the remedy.
        """
        principal = self._directory.by_address(read_address(address).key)
        if principal is None or (kinds and principal.kind not in kinds):
            word = _WORDS[kinds[0]] if kinds else "user, group or room"
            listing = _LISTED_BY.get(kinds[0], "user") if kinds else "user"
            raise NotFound(
                f"there is no {word} {address}; see what there is with `posthouse {listing} list`"
            )
        return principal

    def is_known(self, address: str) -> bool:
        """Whether somebody has the address, as primary or alias."""
        return self._directory.by_address(read_address(address).key) is not None

    def all_of(self, *kinds: PrincipalKind) -> Sequence[Principal]:
        """Principals of these kinds, in order of address."""
        return [p for p in self._directory.principals(None) if p.kind in kinds]

    # --- groups

    def add_group(self, address: str, name: str, members: Sequence[str]) -> Principal:
        """Make a group; members may be addresses of ours or anybody's."""
        key = self._new_key(address)
        checked = self._read_members(members)
        principal = self._directory.add_principal(
            PrincipalKind.GROUP, key, shown_name(name, key), MailboxId(0)
        )
        self._directory.set_members(principal.principal_id, checked)
        self._record("group-added", principal, members=checked)
        return principal

    # --- names

    def add_alias(self, alias: str, principal: Principal) -> str:
        """Give a principal a further address."""
        key = self._new_key(alias)
        self._directory.add_alias(key, principal.principal_id)
        self._record("alias-added", principal, alias=key)
        return key

    def remove_alias(self, alias: str) -> None:
        """Take an alias away."""
        key = read_address(alias).key
        principal = self._directory.by_address(key)
        if principal is None or principal.address == key:
            raise NotFound(f"{alias} is no alias; see `posthouse alias list`")
        self._directory.remove_alias(key)
        self._record("alias-removed", principal, alias=key)

    def aliases(self, principal: Principal) -> Sequence[str]:
        """In order."""
        return self._directory.aliases(principal.principal_id)

    def members(self, group: Principal) -> Sequence[str]:
        """In order."""
        return self._directory.members(group.principal_id)

    def change_members(
        self, group: Principal, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> Sequence[str]:
        """Add and remove members; the answer is how they stand."""
        before = self._directory.members(group.principal_id)
        gone = {self._spelled(read_address(member)) for member in remove}
        if missing := gone.difference(before):
            raise NotFound(f"{min(missing)} is no member of {group.address}")
        kept = [member for member in before if member not in gone]
        members = tuple(dict.fromkeys((*kept, *self._read_members(add))))
        if len(members) > EXPANSION_MAX:
            raise ConfigurationError(f"a group has at most {EXPANSION_MAX} members")
        self._directory.set_members(group.principal_id, members)
        added = tuple(member for member in members if member not in before)
        self._record("group-changed", group, added=added, removed=tuple(sorted(gone)))
        return members

    def rename(self, principal: Principal, name: str) -> Principal:
        """Change the name shown to people."""
        shown = shown_name(name, principal.address)
        changed = self._directory.change_principal(replace(principal, name=shown))
        self._record("name-changed", changed, name=shown)
        return changed

    def forward(
        self, principal: Principal, forward_to: tuple[str, ...], *, keeps_copy: bool
    ) -> Principal:
        """Send a user's mail on; no addresses: keep it only."""
        targets = self._read_members(forward_to)
        if principal.address in targets:
            raise ConfigurationError(f"{principal.address} cannot forward to itself")
        changed = self._directory.change_principal(
            replace(principal, forward_to=targets, keeps_copy=keeps_copy or not targets)
        )
        self._record("forward-changed", changed, forward_to=targets, keeps_copy=changed.keeps_copy)
        return changed

    # --- inside

    def _new_key(self, text: str) -> str:
        address = read_address(text)
        domains = self._directory.domains()
        if address.domain not in domains:
            ours = ", ".join(domains) or "none yet"
            raise NotFound(f"{address.domain} is no domain of this server (it has {ours})")
        taken = self._directory.by_address(address.key)
        if taken is not None:
            word = word_of(taken) if taken.address == address.key else "alias"
            of = "" if taken.address == address.key else f" of {taken.address}"
            raise AlreadyExists(f"{address.key} is taken: there is a {word}{of} of that name")
        return address.key

    def _read_members(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Addresses as they are kept; one of ours must belong to somebody."""
        addresses = [read_address(text) for text in texts]
        domains = self._directory.domains()
        for address in addresses:
            if address.domain in domains:
                self._must_exist(address)
        return tuple(dict.fromkeys(map(self._spelled, addresses)))

    def _spelled(self, address: Address) -> str:
        """As it is kept: only of our own addresses we know that letter case makes no difference."""
        is_ours = address.domain in self._directory.domains()
        return address.key if is_ours else str(address)

    def _must_exist(self, address: Address) -> None:
        base, _ = address.without_detail()
        for candidate in (address, base):
            if self._directory.by_address(candidate.key) is not None:
                return
        raise NotFound(f"there is nobody at {address.key}; add them first, or check the spelling")

    def _record(self, event: str, principal: Principal, **fields: Value) -> None:
        self._audit.record(event, by=self.actor, address=principal.address, **fields)


def word_of(principal: Principal) -> str:
    """What the operator calls it."""
    return _WORDS[principal.kind]


def event_word(principal: Principal) -> str:
    """The same as the beginning of an event's name."""
    return _WORDS[principal.kind].replace(" ", "-")


def read_address(text: str) -> Address:
    """Read an address that the operator typed."""
    try:
        return Address.parse(text.strip())
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is no mail address; write it as name@example.org"
        ) from None


def shown_name(name: str, key: str) -> str:
    """The name that people see; made of the address when there is none."""
    shown = " ".join(name.split()) or key.partition("@")[0]
    if len(shown) > NAME_MAX or not shown.isprintable():
        raise ConfigurationError(f"a name has at most {NAME_MAX} printable characters")
    return shown


def _read_domain(text: str) -> str:
    try:
        return domain_from_text(text)
    except ValueError:
        raise ConfigurationError(f"{text!r} is no domain name; try example.org") from None
