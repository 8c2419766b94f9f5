"""Credentials that were verified a short while ago, so that a poll does not pay for argon2 again.

Notes:
    Neither name nor password is kept, only their keyed digest; the key is random per process and
    never leaves it. An entry dies after ten minutes, and at once when the principal's version
    moves (password, devices, aliases, disabled, removed).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from posthouse.model.errors import NotFound

if TYPE_CHECKING:
    from posthouse.model.people import Login
    from posthouse.ports.clock import Chance, Clock
    from posthouse.ports.directory import DirectoryRecords


@dataclass(slots=True)
class Verified:
    """One remembered login.

    Attributes:
        login: what it gave.
        account: the address that the name meant.
        scope: doors the credential opens; empty means all.
        directory_version: the directory, when the entry was last known to be right.
        ends_at: monotonic.
    """

    login: Login
    account: str
    scope: tuple[str, ...]
    directory_version: int
    ends_at: float


class VerifiedCredentials:
    """The cache of one process."""

    def __init__(
        self,
        directory: DirectoryRecords,
        clock: Clock,
        chance: Chance,
        *,
        lifetime_s: float = 600.0,
        entries_max: int = 50_000,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._lifetime_s = lifetime_s
        self._entries_max = entries_max
        self._entries: dict[bytes, Verified] = {}
        self._keyed = hashlib.blake2b(key=chance.token_bytes(64), digest_size=16)

    def digest(self, login: str, password: bytes | str) -> bytes:
        """The keyed digest that stands for name and password."""
        keyed = self._keyed.copy()
        raw_login = login.encode("utf-8", "surrogatepass")
        raw_password = (
            password.encode("utf-8", "surrogatepass") if isinstance(password, str) else password
        )
        # The length keeps ("ab", "c") apart from ("a", "bc").
        keyed.update(b"%d:%b%b" % (len(raw_login), raw_login, raw_password))
        return keyed.digest()

    def find(self, digest: bytes) -> Verified | None:
        """The entry, if it is still right."""
        entry = self._entries.get(digest)
        if entry is None:
            return None
        if entry.ends_at <= self._clock.monotonic_s() or not self._is_current(entry):
            del self._entries[digest]
            return None
        return entry

    def ends_at(self) -> float:
        """When an entry made now dies."""
        return self._clock.monotonic_s() + self._lifetime_s

    def remember(self, digest: bytes, entry: Verified) -> None:
        """Keep what was verified.

        Its ``directory_version`` is that before the credential was read, so that a change made
        while it was being verified is noticed.
        """
        self._entries.pop(digest, None)
        self._entries[digest] = entry
        if len(self._entries) > self._entries_max:
            del self._entries[next(iter(self._entries))]

    def _is_current(self, entry: Verified) -> bool:
        version = self._directory.version()
        if version == entry.directory_version:
            return True
        try:
            principal = self._directory.principal(entry.login.principal.principal_id)
        except NotFound:
            return False
        if principal.version != entry.login.principal.version:
            return False
        entry.directory_version = version
        return True
