"""The address book's part of the directory: details, photos, and who may send as whom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from posthouse.backends.sqlite.directory_file import DirectoryFile
from posthouse.backends.sqlite.directory_rows import principal_from_row
from posthouse.model.book import BookEntry, Details, Photo
from posthouse.model.ids import PrincipalId
from posthouse.model.rights import Rights
from posthouse.ports.directory import SendGrant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.backends.sqlite.directory_rows import Row
    from posthouse.model.ids import MailboxId
    from posthouse.model.people import Principal

# ?1 is a JSON array of the principals meant, or '' for all.
_MEANT = "(?1 = '' OR principal_id IN (SELECT value FROM json_each(?1)))"
_ENTRIES = (
    "SELECT p.*, d.details, f.principal_id IS NOT NULL FROM principal p"  # noqa: S608 - of constants
    " LEFT JOIN principal_detail d USING (principal_id) LEFT JOIN photo f USING (principal_id)"
    f" WHERE {_MEANT}"
)
_ALIASES = (
    f"SELECT principal_id, address FROM address WHERE NOT is_primary AND {_MEANT}"  # noqa: S608 - of constants
    " ORDER BY address"
)
_DETAILS = msgspec.json.Decoder(Details)


class DirectoryCards(DirectoryFile):
    """Everything that makes an entry of the address book, and send grants."""

    # --- finding
    def by_mailbox(self, mailbox_id: MailboxId) -> Principal | None:
        """Whose mailbox it is."""
        row = self._first(
            "SELECT p.* FROM principal p WHERE mailbox_id = ? AND mailbox_id > 0", mailbox_id
        )
        return principal_from_row(row) if row else None

    def groups_of(self, principal_id: PrincipalId) -> Sequence[PrincipalId]:
        """Groups that name this principal by any of its addresses, in order."""
        rows = self._all(
            "SELECT DISTINCT group_id FROM address JOIN member ON member = address"
            " WHERE principal_id = ? ORDER BY group_id",
            principal_id,
        )
        return [PrincipalId(row[0]) for row in rows]

    # --- the address book
    def principal_versions(self) -> Sequence[tuple[PrincipalId, int]]:
        """Number and version of every principal."""
        rows = self._all("SELECT principal_id, version FROM principal")
        return [(PrincipalId(principal_id), version) for principal_id, version in rows]

    def book_entries(
        self, principal_ids: Sequence[PrincipalId] | None = None
    ) -> Sequence[BookEntry]:
        """Entries of all principals, or of those that exist of the ones asked for."""
        meant = "" if principal_ids is None else json.dumps(list(principal_ids))
        aliases: dict[int, list[str]] = {}
        for principal_id, address in self._all(_ALIASES, meant):
            aliases.setdefault(principal_id, []).append(address)
        rows = self._all(_ENTRIES, meant)
        return [_entry_from_row(row, aliases.get(row[0], [])) for row in rows]

    def set_details(self, principal_id: PrincipalId, details: Details) -> None:
        """Raises NotFound."""
        with self._change():
            self._touch(principal_id)
            self._run(
                "INSERT INTO principal_detail VALUES (?1, ?2)"
                " ON CONFLICT (principal_id) DO UPDATE SET details = ?2",
                *(principal_id, msgspec.json.encode(details).decode()),
            )

    def photo(self, principal_id: PrincipalId) -> Photo | None:
        """The picture of somebody."""
        row = self._first(
            "SELECT media_type, data, changed_at FROM photo WHERE principal_id = ?", principal_id
        )
        return Photo(*row) if row else None

    def set_photo(self, principal_id: PrincipalId, photo: Photo | None) -> None:
        """Raises NotFound. None takes it away."""
        with self._change():
            self._touch(principal_id)
            self._run("DELETE FROM photo WHERE principal_id = ?", principal_id)
            if photo is not None:
                self._run(
                    "INSERT INTO photo VALUES (?, ?, ?, ?)",
                    *(principal_id, photo.media_type, photo.data, photo.changed_at),
                )

    # --- who may send as whom
    def send_grants(self, principal_id: PrincipalId) -> Sequence[SendGrant]:
        """Who may use the addresses of a principal, in order of grantee."""
        rows = self._all(
            "SELECT principal_id, grantee_id, rights FROM send_grant WHERE principal_id = ?"
            " ORDER BY grantee_id",
            principal_id,
        )
        return [SendGrant(PrincipalId(a), PrincipalId(b), Rights(c)) for a, b, c in rows]

    def set_send_grant(
        self, principal_id: PrincipalId, grantee_id: PrincipalId, rights: Rights
    ) -> None:
        """Raises NotFound."""
        with self._change():
            self._touch(principal_id)
            self._touch(grantee_id)
            self._run(
                "DELETE FROM send_grant WHERE principal_id = ? AND grantee_id = ?",
                *(principal_id, grantee_id),
            )
            if rights:
                self._run(
                    "INSERT INTO send_grant VALUES (?, ?, ?)",
                    *(principal_id, grantee_id, rights.value),
                )


def _entry_from_row(row: Row, aliases: Sequence[str]) -> BookEntry:
    """``row``: the columns of ``principal``, details, whether there is a photo."""
    *_, details, has_photo = row
    known = _DETAILS.decode(details) if details else Details()
    return BookEntry(principal_from_row(row), tuple(aliases), known, bool(has_photo))
