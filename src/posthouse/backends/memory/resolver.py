"""A resolver that answers from a table."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from posthouse.ports.resolver import Answer, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping


class TableResolver:
    """Answers what it was told; other names do not exist.

    Args:
        table: by lower-case name, then by record type; an ``Outcome`` instead of values is that
            outcome. A name that is in the table has no data of the types not given.
        authentic: names whose answers are authentic.
    """

    def __init__(
        self,
        table: Mapping[str, Mapping[str, tuple[str, ...] | Outcome]],
        authentic: frozenset[str] = frozenset(),
    ) -> None:
        self.table = dict(table)
        self.authentic = authentic
        self.asked: list[tuple[str, str]] = []

    async def ask(self, name: str, record_type: str) -> Answer:
        """Look it up."""
        name = name.rstrip(".").lower()
        self.asked.append((name, record_type))
        is_authentic = name in self.authentic
        if name not in self.table:
            return Answer(Outcome.NO_SUCH_NAME, is_authentic=is_authentic)
        found = self.table[name].get(record_type, Outcome.NO_DATA)
        if isinstance(found, Outcome):
            return Answer(found, is_authentic=is_authentic and found is not Outcome.TEMPORARY)
        return Answer(Outcome.FOUND, found, is_authentic=is_authentic)

    async def addresses(self, host: str) -> Answer:
        """Look both kinds up."""
        literal = host.removeprefix("[").removesuffix("]")
        try:
            return Answer(Outcome.FOUND, (str(ip_address(literal.removeprefix("ipv6:"))),))
        except ValueError:
            pass
        six, four = await self.ask(host, "AAAA"), await self.ask(host, "A")
        if values := (*six.values, *four.values):
            return Answer(Outcome.FOUND, values, six.is_authentic and four.is_authentic)
        return six if six.outcome is Outcome.TEMPORARY else four
