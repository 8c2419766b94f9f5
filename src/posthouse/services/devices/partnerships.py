"""Partnerships: phones as they come, are described, provisioned and wiped.

Spec: [MS-ASPROV] §3.2.5; [MS-ASCMD] §2.2.2 (status codes).

Notes:
    - An answer of these methods is the partnership as it now stands; who holds an older one drops
      it. A change that somebody else made meanwhile is never undone: ours is made again on top.
    - Nothing is written but a new partnership, what a phone newly says of itself, a policy handed
      out or taken, the steps of a wipe, and a visit every quarter of an hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import asdict, replace

from posthouse.model.errors import AccessDenied, Conflict, NotFound, Unavailable
from posthouse.model.partnership import DeviceInformation, Partnership, Wipe
from posthouse.services.devices.policies import (
    DeviceRules,
    Standing,
    Taken,
    handed_out,
    standing,
    taken,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.model.people import Login
    from posthouse.ports.clock import Chance, Clock
    from posthouse.ports.partnerships import PartnershipRecords

NOTED_EVERY_MS: Final = 15 * 60 * 1000
TEXT_MAX: Final = 256
"""Characters that are kept of what a header or the device says."""
_TRIES = 5


class TooManyDevices(AccessDenied):
    """The person has as many phones as may be; one must be forgotten first."""


class Partnerships:
    """Phones of an installation. One per process.

    Args:
        directory: where they are kept.
        clock: for first and last sight.
        chance: for policy keys.
        rules: what is wanted of them.
    """

    def __init__(
        self,
        directory: PartnershipRecords,
        clock: Clock,
        chance: Chance,
        rules: DeviceRules,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._chance = chance
        self.rules = rules

    def meet(
        self,
        login: Login,
        eas_id: str,
        *,
        device_type: str = "",
        user_agent: str = "",
        host: str = "",
        version: int = 0,
    ) -> Partnership:
        """The partnership that a request belongs to; made when the device is new.

        Args:
            login: who asks.
            eas_id: 1 to 64 characters.
            device_type: "" not said.
            user_agent: header of the request.
            host: address it comes from.
            version: of the protocol, as 161; 0 not said.

        Returns:
            With this visit, whether it was noted or not.

        Raises:
            TooManyDevices: it is new, and there are too many.
        """
        principal_id = login.principal.principal_id
        now = self._clock.now_ms()
        known = self._directory.partnership(principal_id, eas_id)
        seen = replace(
            known or Partnership(principal_id=principal_id, eas_id=eas_id),
            user_agent=user_agent[:TEXT_MAX],
            version=version,
            password_device_id=login.device_id,
            last_seen_at=now,
            last_host=host,
        )
        if known is None:
            if len(self._directory.partnerships(principal_id)) >= self.rules.devices_max:
                raise TooManyDevices(f"{login.principal.address} has too many phones")
            kind, access = device_type[:TEXT_MAX], self.rules.new_devices
            return self._make(replace(seen, first_seen_at=now, device_type=kind, access=access))
        if not 0 <= now - known.last_seen_at < NOTED_EVERY_MS:
            self._directory.note_partnership(seen)
        return seen

    def standing(self, partnership: Partnership, key: int | None) -> Standing:
        """Whether a request may go on.

        Args:
            partnership: as ``meet`` answered it.
            key: policy key of the request, 0 not said; None where the protocol has none (Ping).
        """
        return standing(partnership, key, self.rules)

    def describe(self, partnership: Partnership, information: DeviceInformation) -> Partnership:
        """Keep what a phone says of itself; what it does not say stays."""
        said = {name: value[:TEXT_MAX] for name, value in asdict(information).items() if value}
        # The header is what the program says with each request.
        said.pop("user_agent", None)
        return self._change(partnership, lambda known: replace(known, **said))

    def begin_provision(self, partnership: Partnership) -> Partnership:
        """Hand out the policy; ``pending_policy_key`` goes with it."""
        return self._change(partnership, lambda known: handed_out(known, self.rules, self._chance))

    def acknowledge(
        self, partnership: Partnership, key: int, taking: int
    ) -> tuple[Taken, Partnership]:
        """A phone's word on the policy it was handed.

        Args:
            partnership: of the device.
            key: the pending one.
            taking: number of ``policies.Taking``.

        Returns:
            What is said to that; if OK, ``policy_key`` is the key from now on.
        """
        results: list[Taken] = []

        def take(known: Partnership) -> Partnership:
            result, given = taken(known, key, taking, self.rules, self._chance)
            results.append(result)
            return given

        after = self._change(partnership, take)
        return results[-1], after

    def note_wipe_sent(self, partnership: Partnership) -> Partnership:
        """The phone is being told to erase."""
        return self._move_wipe(partnership, Wipe.REQUESTED, Wipe.SENT)

    def note_wipe_done(self, partnership: Partnership) -> Partnership:
        """The phone says that it has erased; it stays outside until the operator allows it."""
        asked = self._move_wipe(partnership, Wipe.REQUESTED, Wipe.DONE)
        return self._move_wipe(asked, Wipe.SENT, Wipe.DONE)

    # --- inside

    def _move_wipe(self, partnership: Partnership, before: Wipe, after: Wipe) -> Partnership:
        now = self._clock.now_ms()

        def move(known: Partnership) -> Partnership:
            # Taken back by the operator, or gone further: as it is.
            return replace(known, wipe=after, wipe_at=now) if known.wipe is before else known

        return self._change(partnership, move)

    def _make(self, new: Partnership) -> Partnership:
        try:
            return self._directory.keep_partnership(new)
        except Conflict:
            # The device's first requests come side by side, to several processes.
            return self._read(new)

    def _change(
        self, partnership: Partnership, change: Callable[[Partnership], Partnership]
    ) -> Partnership:
        """Keep what ``change`` makes of it; a second look when somebody else was faster."""
        known = partnership
        for _ in range(_TRIES):
            changed = change(known)
            if changed == known:
                return known
            try:
                return self._directory.keep_partnership(changed)
            except Conflict:
                known = replace(self._read(partnership), version=partnership.version)
        raise Unavailable("the partnership is changed all the time", 1.0)

    def _read(self, partnership: Partnership) -> Partnership:
        known = self._directory.partnership(partnership.principal_id, partnership.eas_id)
        if known is None:
            raise NotFound("the partnership has been forgotten")
        return known
