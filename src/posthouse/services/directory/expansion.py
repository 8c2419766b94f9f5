"""Expansion: from one principal to every mailbox and foreign address that its mail goes to.

Notes:
    - Groups hold people, groups and foreign addresses; people forward to any of them. Every
      principal is looked at once, so circles end by themselves.
    - Nothing gets lost in a circle: who forwards without keeping a copy keeps one all the same if
      none of the forwards ends anywhere (two people forwarding to each other, a removed colleague).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from posthouse.model.address import Address
from posthouse.model.errors import AccessDenied, NotFound
from posthouse.model.people import Principal, PrincipalKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from posthouse.model.ids import PrincipalId
    from posthouse.ports.directory import DirectoryRecords

EXPANSION_MAX = 10_000


@dataclass(slots=True)
class _Node:
    principal: Principal
    next_ids: list[PrincipalId] = field(default_factory=list)
    goes_abroad: bool = False
    delivers: bool = False


@dataclass(slots=True)
class Expansion:
    """Where mail to one principal goes.

    Attributes:
        recipients: principals with a mailbox that gets it, in order of discovery.
        forwards: foreign addresses, each once.
    """

    recipients: list[Principal] = field(default_factory=list)
    forwards: list[str] = field(default_factory=list)


class Expander:
    """Expands one principal; used once.

    Args:
        directory: groups and their members.
        find: who is behind an address of ours; None nobody.
        is_local_domain: whether a domain is ours.
    """

    def __init__(
        self,
        directory: DirectoryRecords,
        find: Callable[[Address], Principal | None],
        is_local_domain: Callable[[str], bool],
    ) -> None:
        self._directory = directory
        self._find = find
        self._is_local_domain = is_local_domain
        self._nodes: dict[PrincipalId, _Node] = {}
        self._forwards: dict[str, None] = {}

    def expand(self, start: Principal) -> Expansion:
        """Follow groups and forwards.

        Raises:
            NotFound: it leads nowhere (an empty group).
            AccessDenied: it leads to more than 10 000 places.
        """
        self._nodes[start.principal_id] = _Node(start)
        # The dictionary grows while it is walked, hence by position.
        order = [start.principal_id]
        for principal_id in order:
            self._visit(self._nodes[principal_id], order)
            if len(order) + len(self._forwards) > EXPANSION_MAX:
                raise AccessDenied(
                    f"{start.address} stands for more than {EXPANSION_MAX} addresses"
                )
        self._keep_what_leads_nowhere()
        recipients = [
            self._nodes[principal_id].principal
            for principal_id in order
            if self._nodes[principal_id].delivers
        ]
        if not recipients and not self._forwards:
            raise NotFound(f"{start.address} has no members")
        return Expansion(recipients, list(self._forwards))

    def _visit(self, node: _Node, order: list[PrincipalId]) -> None:
        principal = node.principal
        if principal.kind is PrincipalKind.GROUP:
            targets = self._directory.members(principal.principal_id)
        else:
            targets = principal.forward_to
            node.delivers = principal.keeps_copy or not targets
        for target in self._read(targets):
            if not self._is_local_domain(target.domain):
                node.goes_abroad = True
                self._forwards[str(target)] = None
                continue
            found = self._find(target)
            if found is None:
                continue
            node.next_ids.append(found.principal_id)
            if found.principal_id not in self._nodes:
                self._nodes[found.principal_id] = _Node(found)
                order.append(found.principal_id)

    def _read(self, targets: Sequence[str]) -> list[Address]:
        addresses: list[Address] = []
        for target in targets:
            try:
                addresses.append(Address.parse(target))
            except ValueError:
                # Checked when it was written down; one bad row must not stop the others' mail.
                continue
        return addresses

    def _keep_what_leads_nowhere(self) -> None:
        nodes = self._nodes.values()
        if all(node.delivers or node.principal.kind is PrincipalKind.GROUP for node in nodes):
            return
        ends = self._leading_somewhere()
        for node in nodes:
            if node.principal.kind is not PrincipalKind.GROUP:
                node.delivers = node.delivers or node.principal.principal_id not in ends

    def _leading_somewhere(self) -> set[PrincipalId]:
        """Walk back from every end: who delivers or goes abroad."""
        before: dict[PrincipalId, list[PrincipalId]] = {}
        for node in self._nodes.values():
            for next_id in node.next_ids:
                before.setdefault(next_id, []).append(node.principal.principal_id)
        ends = {
            node.principal.principal_id
            for node in self._nodes.values()
            if node.delivers or node.goes_abroad
        }
        pending = list(ends)
        while pending:
            for earlier in before.get(pending.pop(), ()):
                if earlier not in ends:
                    ends.add(earlier)
                    pending.append(earlier)
        return ends
