"""Phones of the directory in memory."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import msgspec

from posthouse.model.errors import Conflict, NotFound
from posthouse.model.ids import DeviceId
from posthouse.model.partnership import FIRST_DEVICE_NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from posthouse.model.ids import PrincipalId
    from posthouse.model.partnership import Partnership


class MemoryPartnerships:
    """Implements ``PartnershipRecords``."""

    def __init__(self, principal: Callable[[PrincipalId], object]) -> None:
        self._owner = principal
        self._phones: dict[tuple[PrincipalId, str], Partnership] = {}
        self._device_numbers = count(FIRST_DEVICE_NUMBER)

    def partnership(self, principal_id: PrincipalId, eas_id: str) -> Partnership | None:
        """One of them."""
        return self._phones.get((principal_id, eas_id))

    def partnerships(self, principal_id: PrincipalId | None) -> Sequence[Partnership]:
        """Those of one person or of all, in order of first sight."""
        return [p for p in self._phones.values() if principal_id in (None, p.principal_id)]

    def keep_partnership(self, partnership: Partnership) -> Partnership:
        """Make it or change it; raises Conflict, NotFound."""
        key = (partnership.principal_id, partnership.eas_id)
        known = self._phones.get(key)
        if (known.revision if known else 0) != partnership.revision:
            raise Conflict("the partnership was changed, made or removed meanwhile")
        if known is not None and known.device_number != partnership.device_number:
            raise Conflict("the partnership was made anew meanwhile")
        if known is None:
            self._owner(partnership.principal_id)
        kept = msgspec.structs.replace(
            partnership,
            device_number=known.device_number if known else DeviceId(next(self._device_numbers)),
            first_seen_at=(known or partnership).first_seen_at,
            revision=partnership.revision + 1,
        )
        self._phones[key] = kept
        return kept

    def note_partnership(self, partnership: Partnership) -> None:
        """Remember its visit."""
        key = (partnership.principal_id, partnership.eas_id)
        known = self._phones.get(key)
        if known is not None and known.device_number == partnership.device_number:
            self._phones[key] = msgspec.structs.replace(
                known,
                user_agent=partnership.user_agent,
                version=partnership.version,
                password_device_id=partnership.password_device_id,
                last_seen_at=partnership.last_seen_at,
                last_host=partnership.last_host,
            )

    def forget_partnership(self, principal_id: PrincipalId, eas_id: str) -> None:
        """Raises NotFound."""
        if self._phones.pop((principal_id, eas_id), None) is None:
            raise NotFound(f"no phone {eas_id}")

    def forget_partnerships(self, principal_id: PrincipalId) -> None:
        """They go with their person."""
        for key in [key for key in self._phones if key[0] == principal_id]:
            del self._phones[key]
