"""Passwords: how they are hashed, checked and made.

Spec: RFC 9106 (argon2id).

Notes:
    - A person's own password is hashed by argon2id. That takes tens of milliseconds and 19 MiB,
      so it runs in threads, few at once, behind a bounded queue: guessing cannot take the
      machine.
    - A device password is made here with more than 96 bits of chance. Nobody can guess through
      that, so one SHA-256 is enough, and a poll costs microseconds.
"""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import argon2

from posthouse.model.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.ports.clock import Chance

# No i, l, o, 0, 1: read from a screen and typed on a telephone. 31^20 is 99 bits.
DEVICE_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
DEVICE_GROUPS = 4
DEVICE_GROUP_SIZE = 5


class InThread(Protocol):
    """Runs a blocking function outside the event loop."""

    async def __call__(self, work: Callable[[], bool], /) -> bool:
        """What ``work`` gives."""
        ...


async def _in_default_thread(work: Callable[[], bool], /) -> bool:
    return await asyncio.to_thread(work)


@dataclass(frozen=True, slots=True)
class HashCost:
    """What one argon2id hash takes (OWASP's second choice: about 30 ms here).

    Attributes:
        memory_kib: memory in KiB.
        passes: time cost.
        at_once: hashes under way in one process.
        waiting_max: checks that may wait for their turn; more are answered Unavailable.
    """

    memory_kib: int = 19_456
    passes: int = 2
    at_once: int = 2
    waiting_max: int = 64


USUAL_COST = HashCost()


class Hasher:
    """Makes and checks argon2id hashes.

    Args:
        chance: for the hash that stands in for unknown people.
        cost: what one hash takes.
        in_thread: where checks run.
    """

    def __init__(
        self,
        chance: Chance,
        cost: HashCost = USUAL_COST,
        in_thread: InThread = _in_default_thread,
    ) -> None:
        self._argon2 = argon2.PasswordHasher(
            time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=1
        )
        self._cost = cost
        self._in_thread = in_thread
        self._turns = asyncio.Semaphore(cost.at_once)
        self._waiting = 0
        # No password has this hash: it is not the outcome of hashing, but takes as long to check.
        salt, digest = (
            b64encode(chance.token_bytes(count)).rstrip(b"=").decode() for count in (16, 32)
        )
        self.nobodys_hash = (
            f"$argon2id$v=19$m={cost.memory_kib},t={cost.passes},p=1${salt}${digest}"
        )

    def hash(self, prepared: bytes) -> str:
        """Hash a new password; blocks."""
        return self._argon2.hash(prepared)

    async def rehearse(self) -> None:
        """Check a password once in vain: the first person to come then finds all in place."""
        await self.fits(self.nobodys_hash, b"")

    async def fits(self, password_hash: str, prepared: bytes) -> bool:
        """Whether the password is the one behind the hash.

        Raises:
            Unavailable: too many checks wait already.
        """
        if self._waiting >= self._cost.waiting_max:
            raise Unavailable("too many password checks are waiting", retry_after_s=5)
        self._waiting += 1
        try:
            async with self._turns:
                return await self._in_thread(lambda: self._fits_now(password_hash, prepared))
        finally:
            self._waiting -= 1

    def _fits_now(self, password_hash: str, prepared: bytes) -> bool:
        try:
            return self._argon2.verify(password_hash, prepared)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False


def new_device_password(chance: Chance) -> str:
    """Make a device password: four groups of five, 99 bits."""
    letters: list[str] = []
    count = DEVICE_GROUPS * DEVICE_GROUP_SIZE
    # Octets past the greatest multiple are thrown away, else the first letters would come oftener.
    fair_below = 256 - 256 % len(DEVICE_ALPHABET)
    while len(letters) < count:
        letters += [
            DEVICE_ALPHABET[octet % len(DEVICE_ALPHABET)]
            for octet in chance.token_bytes(2 * count)
            if octet < fair_below
        ]
    groups = (
        "".join(letters[start : start + DEVICE_GROUP_SIZE])
        for start in range(0, count, DEVICE_GROUP_SIZE)
    )
    return "-".join(groups)


def device_hash(prepared: bytes) -> str:
    """Hash a device password; hyphens, blanks and capitals make no difference."""
    plain = prepared.replace(b"-", b"").replace(b" ", b"").lower()
    return hashlib.sha256(plain).hexdigest()
