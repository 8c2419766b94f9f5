"""Phones, as a backend keeps them: a part of the directory.

Notes:
    Asked with every request of a phone, in the event loop: reading one is a look-up by key. What
    an operator changes must hold from the next request on, in every process, so nobody caches
    them; and no change of a phone moves the directory's ``version``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.ids import PrincipalId
    from posthouse.model.partnership import Partnership


class PartnershipRecords(Protocol):
    """They go with their person."""

    def partnership(self, principal_id: PrincipalId, eas_id: str) -> Partnership | None:
        """One of them."""
        ...

    def partnerships(self, principal_id: PrincipalId | None) -> Sequence[Partnership]:
        """Those of one person or of all, in order of first sight."""
        ...

    def keep_partnership(self, partnership: Partnership) -> Partnership:
        """Make it (``revision`` 0) or change it, durably.

        ``device_number`` and ``first_seen_at`` stay as they were made.

        Returns:
            As it now stands, with its number and the next revision.

        Raises:
            Conflict: it was changed or removed since it was read, or made meanwhile; nothing was
                done.
            NotFound: there is no such person.
        """
        ...

    def note_partnership(self, partnership: Partnership) -> None:
        """Remember its visit: user_agent, version, password_device_id, last_seen_at, last_host.

        Changes nothing else, and no ``revision``. May be lost: when another one writes, or in a
        crash.
        """
        ...

    def forget_partnership(self, principal_id: PrincipalId, eas_id: str) -> None:
        """Raises NotFound."""
        ...
