"""Verify: looks for anything wrong with the stored data, and says it in plain words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from posthouse.model.errors import NotFound, PosthouseError
from posthouse.model.ids import BlobHash, MailboxId
from posthouse.services.directory import audit_check
from posthouse.services.search.indexer import folders_behind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from posthouse.ports.blobs import BlobUpkeep
    from posthouse.ports.clock import Chance
    from posthouse.ports.directory import DirectoryRecords
    from posthouse.ports.fulltext import FullText
    from posthouse.ports.records import Records

_SLICE = 500
_PROBLEMS_MAX = 1_000
_HASH_BYTES = 32


@dataclass(slots=True)
class Verdict:
    """What was looked at and found.

    Attributes:
        blobs: whose content was hashed again.
        mailboxes: looked at.
        principals: looked at.
        folders_behind: folders whose latest changes the search index has not seen yet; the
            indexer sees to them.
        problems: a sentence each; empty when all is well.
    """

    blobs: int = 0
    mailboxes: int = 0
    principals: int = 0
    folders_behind: int = 0
    problems: list[str] = field(default_factory=list)


class Verifier:
    """Looks at everything in turn.

    Args:
        records: the engine.
        blobs: the blob area.
        directory: the people.
        audit_path: the audit log's current file.
        tell: hears of the progress.
        fulltext: the search index; None when there is none yet.
    """

    def __init__(
        self,
        records: Records,
        blobs: BlobUpkeep,
        directory: DirectoryRecords,
        audit_path: Path,
        tell: Callable[[Verdict], None] = lambda _: None,
        *,
        fulltext: FullText | None = None,
    ) -> None:
        self._fulltext = fulltext
        self._records = records
        self._blobs = blobs
        self._directory = directory
        self._audit_path = audit_path
        self._tell = tell
        self._verdict = Verdict()

    async def run(self, sample: int | None, chance: Chance) -> Verdict:
        """Look.

        Args:
            sample: how many blobs to hash, chosen at random; None: all.
            chance: chooses them.
        """
        verdict = self._verdict
        verdict.problems += await self._records.check()
        mailboxes = await self._mailbox_ids()
        self._check_directory(mailboxes)
        if self._fulltext is not None:
            for mailbox_id in mailboxes:
                verdict.folders_behind += await self._folders_behind(mailbox_id)
        if self._audit_path.exists():
            verdict.problems += [
                f"audit log: {problem}" for problem in audit_check.verify(self._audit_path)
            ]
        if sample is None:
            await self._hash_all()
        else:
            await self._hash_sample(sample, chance)
        return verdict

    # --- content

    async def _hash_all(self) -> None:
        after = BlobHash(b"")
        while hashes := await self._blobs.hashes(after, _SLICE):
            after = hashes[-1]
            if not await self._hash(hashes):
                return

    async def _hash_sample(self, count: int, chance: Chance) -> None:
        """From random places in the order of hashes, which is a random order of blobs."""
        seen: set[BlobHash] = set()
        tries = 0
        while len(seen) < count and tries < 2 * count:
            tries += 1
            start = BlobHash(chance.token_bytes(_HASH_BYTES))
            found = await self._blobs.hashes(start, 10) or await self._blobs.hashes(
                BlobHash(b""), 10
            )
            if not found:
                return
            fresh = [blob_hash for blob_hash in found if blob_hash not in seen]
            seen.update(fresh)
            if not await self._hash(fresh[: count - self._verdict.blobs]):
                return

    async def _hash(self, hashes: Sequence[BlobHash]) -> bool:
        """False when there are so many problems that more would help nobody."""
        for blob_hash in hashes:
            try:
                is_sound = await self._blobs.verify(blob_hash)
            except NotFound:
                continue  # deleted meanwhile
            except PosthouseError as e:
                is_sound = False
                self._verdict.problems.append(f"content {blob_hash.hex()}: {e}")
            else:
                if not is_sound:
                    self._verdict.problems.append(
                        f"content {blob_hash.hex()} is damaged or missing: restore it from a backup"
                    )
            self._verdict.blobs += 1
            self._tell(self._verdict)
            if len(self._verdict.problems) > _PROBLEMS_MAX:
                return False
        return True

    # --- people

    async def _folders_behind(self, mailbox_id: MailboxId) -> int:
        if self._fulltext is None:
            return 0
        try:
            return await folders_behind(self._records, self._fulltext, mailbox_id)
        except NotFound:
            return 0  # deleted meanwhile

    def _check_directory(self, mailboxes: set[MailboxId]) -> None:
        """Every person has a mailbox, and every mailbox a person."""
        verdict = self._verdict
        verdict.mailboxes = len(mailboxes)
        owned: dict[MailboxId, str] = {}
        for principal in self._directory.principals(None):
            verdict.principals += 1
            mailbox_id = principal.mailbox_id
            if not mailbox_id:
                continue
            if mailbox_id not in mailboxes:
                verdict.problems.append(f"{principal.address} has no mailbox ({mailbox_id})")
            elif mailbox_id in owned:
                verdict.problems.append(
                    f"{principal.address} and {owned[mailbox_id]} have the same mailbox"
                )
            owned[mailbox_id] = principal.address
        verdict.problems += [
            f"mailbox {mailbox_id} belongs to nobody" for mailbox_id in mailboxes - owned.keys()
        ]

    async def _mailbox_ids(self) -> set[MailboxId]:
        found: set[MailboxId] = set()
        after = MailboxId(0)
        while page := await self._records.mailbox_ids(after, _SLICE):
            found.update(page)
            after = page[-1]
        return found
