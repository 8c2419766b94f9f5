"""Memberships: as whom somebody acts who logs in: themselves, and every group they are in.

Notes:
    Groups hold groups; circles end by themselves. A member counts when the group names one of its
    addresses exactly: ``alice+x@`` in a group brings Alice its mail, not its rights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posthouse.model.ids import PrincipalId
    from posthouse.ports.directory import DirectoryRecords

_CACHED_MAX = 50_000


class Memberships:
    """Answers, cached until the directory's version moves. One per process."""

    def __init__(self, directory: DirectoryRecords) -> None:
        self._directory = directory
        self._version = -1
        self._known: dict[PrincipalId, frozenset[PrincipalId]] = {}

    def identities(self, principal_id: PrincipalId) -> frozenset[PrincipalId]:
        """The principal itself and all groups that it is in, directly or through others."""
        version = self._directory.version()
        if version != self._version or len(self._known) >= _CACHED_MAX:
            self._known.clear()
            self._version = version
        known = self._known.get(principal_id)
        if known is None:
            known = self._known[principal_id] = self._found(principal_id)
        return known

    def _found(self, principal_id: PrincipalId) -> frozenset[PrincipalId]:
        found = {principal_id}
        order = [principal_id]
        for one in order:  # grows while we walk
            above = set(self._directory.groups_of(one)) - found
            found |= above
            order += above
        return frozenset(found)
