"""Phones as the operator sees them: listed, let in, shut out, wiped, forgotten.

Notes:
    Errors say what is wrong and what to do; they are shown to the operator as they are. Every act
    is in the audit log, synced, before the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from posthouse.model.errors import ConfigurationError, Conflict, NotFound
from posthouse.model.partnership import DeviceAccess, Wipe
from posthouse.services.devices.policies import ACCOUNT_WIPE_SINCE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from posthouse.model.partnership import Partnership
    from posthouse.model.people import Principal
    from posthouse.ports.clock import Clock
    from posthouse.ports.partnerships import PartnershipRecords
    from posthouse.services.directory.audit import Audit

_TRIES = 5


class Phones:
    """Used by commands, one at a time, beside a running server.

    Args:
        directory: where they are kept.
        audit: where every act is logged.
        clock: for when a wipe was asked for.
        actor: who does it, for the audit log.
    """

    def __init__(
        self, directory: PartnershipRecords, audit: Audit, clock: Clock, actor: str
    ) -> None:
        self._directory = directory
        self._audit = audit
        self._clock = clock
        self._actor = actor

    def of(self, principal: Principal | None) -> Sequence[Partnership]:
        """Of one person or of all, in order of first sight."""
        return self._directory.partnerships(principal.principal_id if principal else None)

    def find(self, principal: Principal, eas_id: str) -> Partnership:
        """By its id, in any letter case where that names only one.

        Raises:
            NotFound: with the remedy.
        """
        exact = self._directory.partnership(principal.principal_id, eas_id)
        if exact is not None:
            return exact
        wanted = eas_id.casefold()
        found = [p for p in self.of(principal) if p.eas_id.casefold() == wanted]
        if len(found) != 1:
            raise NotFound(
                f"{principal.address} has no phone {eas_id};"
                f" see `posthouse phone list {principal.address}`"
            )
        return found[0]

    def set_access(self, principal: Principal, eas_id: str, access: DeviceAccess) -> Partnership:
        """Let in, shut out or put off; letting in takes a wipe back that is not done yet."""

        def change(known: Partnership) -> Partnership:
            changed = replace(known, access=access)
            if access is DeviceAccess.ALLOWED and known.wipe:
                changed = replace(changed, wipe=Wipe.NONE, wipes_device=False, wipe_at=self._now())
            return changed

        kept = self._change(principal, eas_id, change)
        self._record(f"phone-{access.name.lower()}", principal, kept)
        return kept

    def wipe(self, principal: Principal, eas_id: str, *, whole_device: bool) -> Partnership:
        """Tell a phone, when it comes next, to erase the account or everything.

        Raises:
            ConfigurationError: it does not know how to erase the account alone.
        """

        def change(known: Partnership) -> Partnership:
            if not whole_device and known.version < ACCOUNT_WIPE_SINCE:
                raise ConfigurationError(
                    f"{known.eas_id} speaks an ActiveSync that cannot erase the account alone"
                    " (16.1 can): shut it out with `posthouse phone block`, or erase everything on"
                    " it with --whole-device"
                )
            return replace(
                known, wipe=Wipe.REQUESTED, wipes_device=whole_device, wipe_at=self._now()
            )

        kept = self._change(principal, eas_id, change)
        self._record("phone-wiped", principal, kept, whole_device=whole_device)
        return kept

    def forget(self, principal: Principal, eas_id: str) -> Partnership:
        """As if it had never been here; the next time it comes it is new."""
        known = self.find(principal, eas_id)
        self._directory.forget_partnership(principal.principal_id, known.eas_id)
        self._record("phone-forgotten", principal, known)
        return known

    def _change(
        self, principal: Principal, eas_id: str, change: Callable[[Partnership], Partnership]
    ) -> Partnership:
        for _ in range(_TRIES):
            try:
                return self._directory.keep_partnership(change(self.find(principal, eas_id)))
            except Conflict:
                continue
        raise Conflict(f"{eas_id} is changed all the time; try again")

    def _now(self) -> int:
        return self._clock.now_ms()

    def _record(self, event: str, principal: Principal, phone: Partnership, **fields: bool) -> None:
        self._audit.record(
            event, by=self._actor, address=principal.address, phone=phone.eas_id, **fields
        )
