"""Addresses: who gets mail for one, and who may send as one.

Spec: RFC 5321 §4.5.1 (postmaster), RFC 2142 §4 (abuse), RFC 5233 §1 (detail after a separator).

Notes:
    - The order: the address as written (a person, alias or group may have a ``+`` in its name),
      then without its detail, then postmaster and abuse, then the domain's catch-all.
    - ``postmaster@`` and ``abuse@`` of our domains always reach somebody: whoever has that
      address or alias, else the person made first who is not disabled. To change that, give
      somebody the alias.
    - Who may use an address as sender: whoever has it, and by a send grant on whoever has it a
      person or all of a group. To send on behalf is to be named as Sender beside that address.
    - Answers are cached until the directory's version moves. With a clock, an address that was
      found is believed for 5 ms without looking at the version; nobody is turned away unlooked.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from posthouse.model.address import Address
from posthouse.model.errors import NotFound
from posthouse.model.people import PrincipalKind
from posthouse.model.rights import Rights
from posthouse.services.directory.expansion import Expander
from posthouse.services.directory.memberships import Memberships

if TYPE_CHECKING:
    from posthouse.model.ids import MailboxId
    from posthouse.model.people import Principal
    from posthouse.ports.clock import Clock
    from posthouse.ports.directory import DirectoryRecords

CACHED_MAX = 50_000
BELIEVED_S = 0.005
DUTIES = frozenset({"postmaster", "abuse"})


class SendRight(IntEnum):
    """How far somebody may use an address as sender; each includes those before it.

    NONE: not at all.
    ON_BEHALF: as author, with an address of their own as Sender beside it.
    AS: as if it were theirs.
    OWN: it is theirs.
    """

    NONE = 0
    ON_BEHALF = 1
    AS = 2
    OWN = 3


@dataclass(frozen=True, slots=True)
class LocalTarget:
    """One mailbox that gets the mail.

    Attributes:
        principal: whose.
        mailbox_id: where.
        address: the address that was asked about.
        detail: its part after the separator; only when it names this principal itself.
    """

    principal: Principal
    mailbox_id: MailboxId
    address: Address
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Resolution:
    """Who gets mail for an address.

    Attributes:
        is_local: the domain is ours.
        deliveries: each mailbox once.
        forwards: foreign addresses that get it too, each once.
    """

    is_local: bool
    deliveries: tuple[LocalTarget, ...] = ()
    forwards: tuple[str, ...] = ()


FOREIGN = Resolution(is_local=False)


class Addresses:
    """Answers about addresses. One per process.

    Args:
        directory: the people.
        detail_separator: what separates ``alice`` from the detail; one character.
        clock: the time; None: look at the directory's version each time.
    """

    def __init__(
        self,
        directory: DirectoryRecords,
        detail_separator: str = "+",
        clock: Clock | None = None,
    ) -> None:
        self._directory = directory
        self._separator = detail_separator
        self._clock = clock
        self._believed_until = 0.0
        self._version = -1
        self._domains: frozenset[str] = frozenset()
        self._resolutions: dict[Address, Resolution | None] = {}
        self._memberships = Memberships(directory)
        self._senders: dict[tuple[int, Address], SendRight] = {}

    def is_local_domain(self, domain: str) -> bool:
        """Whether we receive mail for it; ``domain`` in the form of ``Address.domain``."""
        self._refresh()
        return domain in self._domains

    def resolve(self, address: Address) -> Resolution:
        """Who gets mail for an address.

        Raises:
            NotFound: the domain is ours, but nobody is behind the address.
            AccessDenied: a group that stands for too many addresses.
        """
        if self._clock is not None and self._clock.monotonic_s() < self._believed_until:
            known = self._resolutions.get(address)
            if known is not None:
                return known
        self._refresh()
        if address.domain not in self._domains:
            return FOREIGN
        if address in self._resolutions:
            resolution = self._resolutions[address]
        else:
            resolution = self._resolved(address)
            if len(self._resolutions) >= CACHED_MAX:
                self._resolutions.clear()
            self._resolutions[address] = resolution
        if resolution is None:
            raise NotFound(f"nobody is behind {address}")
        return resolution

    def owner(self, address: Address) -> Principal | None:
        """Whose address it is: a person, group, room or shared mailbox; None nobody's here."""
        self._refresh()
        if address.domain not in self._domains:
            return None
        return self._find(address)

    def may_send_as(self, principal: Principal, address: Address) -> bool:
        """Whether mail of this person may carry the address as if it were theirs."""
        return self.send_right(principal, address) >= SendRight.AS

    def send_right(self, principal: Principal, address: Address) -> SendRight:
        """How far this person may use the address as sender: the one place that decides."""
        self._refresh()
        key = (principal.principal_id, address)
        answer = self._senders.get(key)
        if answer is None:
            answer = self._send_right(principal, address)
            if len(self._senders) >= CACHED_MAX:
                self._senders.clear()
            self._senders[key] = answer
        return answer

    def _send_right(self, principal: Principal, address: Address) -> SendRight:
        owner = self.owner(address)
        if owner is None:
            return SendRight.NONE
        if owner.principal_id == principal.principal_id:
            return SendRight.OWN
        granted = Rights.NONE
        identities = self._memberships.identities(principal.principal_id)
        for grant in self._directory.send_grants(owner.principal_id):
            if grant.grantee_id in identities:
                granted |= grant.rights
        if granted & Rights.SEND_AS:
            return SendRight.AS
        return SendRight.ON_BEHALF if granted & Rights.SEND_ON_BEHALF else SendRight.NONE

    def _refresh(self) -> None:
        version = self._directory.version()
        if self._clock is not None:
            self._believed_until = self._clock.monotonic_s() + BELIEVED_S
        if version == self._version:
            return
        self._domains = frozenset(self._directory.domains())
        self._resolutions.clear()
        self._senders.clear()
        self._version = version

    def _resolved(self, address: Address) -> Resolution | None:
        principal, detail = self._find_with_detail(address)
        if principal is None:
            return self._caught(address)
        return self._expanded(principal, address, detail)

    def _caught(self, address: Address) -> Resolution | None:
        """What the domain's catch-all makes of an address nobody has."""
        text = self._directory.catch_all(address.domain)
        if not text:
            return None
        target = Address.parse(text)
        if target.domain not in self._domains:
            return Resolution(is_local=True, forwards=(str(target),))
        principal = self._find(target)
        return self._expanded(principal, address, "") if principal else None

    def _expanded(self, principal: Principal, address: Address, detail: str) -> Resolution | None:
        # The domains as they were when the cache was last looked at: what is worked out now is kept
        # for that version of the directory.
        is_local_domain = self._domains.__contains__
        try:
            expansion = Expander(self._directory, self._find, is_local_domain).expand(principal)
        except NotFound:
            return None
        deliveries = tuple(
            LocalTarget(
                recipient,
                recipient.mailbox_id,
                address,
                detail if recipient.principal_id == principal.principal_id else "",
            )
            for recipient in expansion.recipients
        )
        return Resolution(is_local=True, deliveries=deliveries, forwards=tuple(expansion.forwards))

    def _find(self, address: Address) -> Principal | None:
        return self._find_with_detail(address)[0]

    def _find_with_detail(self, address: Address) -> tuple[Principal | None, str]:
        principal = self._directory.by_address(address.key)
        if principal is not None:
            return principal, ""
        base, detail = address.without_detail(self._separator)
        if base != address:
            principal = self._directory.by_address(base.key)
        if principal is None and base.local.casefold() in DUTIES:
            principal = self._first_person()
            detail = ""
        return principal, detail

    def _first_person(self) -> Principal | None:
        people = self._directory.principals(PrincipalKind.USER)
        able = [person for person in people if not person.is_disabled]
        return min(able or people, key=lambda person: person.principal_id, default=None)
