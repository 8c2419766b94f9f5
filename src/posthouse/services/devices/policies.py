"""Policies for phones: what an installation demands, and how policy keys come about.

Spec: [MS-ASPROV] §3.1.5.1, §3.2.5.1 (the two round trips).

Notes:
    - A key is handed out with the policy, another one is given for the word that it was taken.
      Asking again, or saying so again, brings the same keys as long as the policy is the same: a
      lost answer costs nothing, and a phone that asks for ever makes us write nothing.
    - Whoever has taken a policy is asked to take the next one, also when that demands nothing: it
      lifts what the last one demanded.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from posthouse.model.partnership import DeviceAccess, DevicePolicy, Partnership, Wipe

if TYPE_CHECKING:
    from posthouse.ports.clock import Chance

ACCOUNT_WIPE_SINCE: Final = 161
"""Version of the protocol that knows how to erase the account alone."""
_KEYS: Final = 2**32 - 1
"""How many there are: all of 32 bits but 0."""


class DeviceRules(Struct, frozen=True):
    """What an installation wants of phones.

    Attributes:
        new_devices: whether one seen for the first time comes in.
        devices_max: of one person.
        enforces: those that do not take the policy stay outside, if it demands anything.
        accepts_partial: taking it in part will do.
        policy: see there.
    """

    new_devices: DeviceAccess = DeviceAccess.ALLOWED
    devices_max: int = 100
    enforces: bool = True
    accepts_partial: bool = False
    policy: DevicePolicy = DevicePolicy()


class Standing(IntEnum):
    """Whether a request may go on; the numbers are [MS-ASCMD]'s status codes."""

    GOOD = 1
    BLOCKED = 129
    """By the operator, or after a wipe."""
    WIPE = 140
    """It is to be erased: Provision tells it so."""
    NEEDED = 142
    """It must take the policy first."""
    REFRESH = 143
    """It has taken an older policy."""
    INVALID = 144
    """That key was not given to it."""


class Taking(IntEnum):
    """What a phone says of the policy it was handed ([MS-ASPROV] §2.2.2.54.1)."""

    WHOLE = 1
    IN_PART = 2
    NOT_AT_ALL = 3
    MANAGED_ELSEWHERE = 4


class Taken(IntEnum):
    """What is said to that."""

    OK = 1
    WRONG_KEY = 5
    """Of the policy: that key was not handed out."""
    NOT_IN_FULL = 139
    """Of the command, as the next one: it does not come in like that."""
    MANAGED_ELSEWHERE = 145


@lru_cache(maxsize=8)
def version_of(policy: DevicePolicy) -> str:
    """Tells one policy from another; the same in all processes and releases."""
    # Without what is as made: a new field changes nothing for those who do not use it.
    return hashlib.sha256(msgspec.json.encode(policy)).hexdigest()[:16]


def must_take_policy(rules: DeviceRules) -> bool:
    """Whether phones stay outside that have not taken the policy."""
    return rules.enforces and rules.policy != DevicePolicy()


def standing(partnership: Partnership, key: int | None, rules: DeviceRules) -> Standing:
    """Whether a request may go on; what a phone in quarantine may ask is the door's to say.

    Args:
        partnership: of the device, with the version it speaks now.
        key: policy key of the request; None where the protocol has none (Ping, OPTIONS).
        rules: in force.
    """
    if partnership.wipe in (Wipe.REQUESTED, Wipe.SENT) and can_be_wiped(partnership):
        return Standing.WIPE
    # A wish to wipe that this version does not know: at least nothing more goes there.
    if partnership.wipe or partnership.access is DeviceAccess.BLOCKED:
        return Standing.BLOCKED
    if key is None or key == partnership.policy_key != 0:
        key = partnership.policy_key
        if key and partnership.policy_version != version_of(rules.policy):
            return Standing.REFRESH
    if key == partnership.policy_key != 0 or not must_take_policy(rules):
        return Standing.GOOD
    return Standing.INVALID if key else Standing.NEEDED


def can_be_wiped(partnership: Partnership) -> bool:
    """Whether the wipe wanted of it is one that its version knows."""
    return partnership.wipes_device or partnership.version >= ACCOUNT_WIPE_SINCE


def handed_out(partnership: Partnership, rules: DeviceRules, chance: Chance) -> Partnership:
    """With a pending key for the policy in force: the same one as long as that stays."""
    version = version_of(rules.policy)
    if partnership.pending_policy_key and partnership.pending_policy_version == version:
        return partnership
    key = _new_key(chance, partnership)
    return replace(partnership, pending_policy_key=key, pending_policy_version=version)


def taken(
    partnership: Partnership, key: int, taking: int, rules: DeviceRules, chance: Chance
) -> tuple[Taken, Partnership]:
    """What a phone's word on the policy leads to.

    Args:
        partnership: of the device.
        key: the one it says it was handed.
        taking: a number of ``Taking``; others are like NOT_AT_ALL.
        rules: in force.
        chance: for its key.
    """
    if not key or key != partnership.pending_policy_key:
        return Taken.WRONG_KEY, partnership
    if must_take_policy(rules) and taking != Taking.WHOLE:
        if taking == Taking.MANAGED_ELSEWHERE:
            return Taken.MANAGED_ELSEWHERE, partnership
        if taking != Taking.IN_PART or not rules.accepts_partial:
            return Taken.NOT_IN_FULL, partnership
    version = partnership.pending_policy_version
    if partnership.policy_key and partnership.policy_version == version:
        return Taken.OK, partnership
    given = replace(partnership, policy_key=_new_key(chance, partnership), policy_version=version)
    return Taken.OK, given


def _new_key(chance: Chance, partnership: Partnership) -> int:
    """Random, not 0, and none of those that the phone has."""
    key = int.from_bytes(chance.token_bytes(4), "big") % _KEYS + 1
    while key in (partnership.policy_key, partnership.pending_policy_key):
        key = key % _KEYS + 1
    return key
