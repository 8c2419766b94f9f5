"""Verify finds what is wrong, and nothing where all is well."""

import hashlib

import pytest

from posthouse.backends.memory.directory import MemoryDirectory
from posthouse.backends.memory.fulltext import MemoryFullText
from posthouse.model.ids import MailboxId
from posthouse.model.people import PrincipalKind
from posthouse.services.directory.audit import Audit
from posthouse.services.upkeep.finds import INBOX, Found
from posthouse.services.upkeep.import_mail import Importer
from posthouse.services.upkeep.verify import Verifier


class CountingChance:
    def __init__(self):
        self.count = 0

    def token_bytes(self, count):
        self.count += 1
        return hashlib.shake_256(b"%d" % self.count).digest(count)


@pytest.fixture
def directory(site):
    made = MemoryDirectory(CountingChance())
    made.add_principal(PrincipalKind.USER, "alice@example.org", "Alice", site.mailbox_id)
    found = [Found("x", INBOX, b"Subject: %d\r\n\r\nbody" % n) for n in range(20)]
    site.run(Importer(site.store, site.mailbox_id).run(found))
    return made


def verify(site, directory, sample=None):
    path = site.data / "audit.jsonl"
    verifier = Verifier(site.records, site.blob_upkeep, directory, path)
    return site.run(verifier.run(sample, CountingChance()))


def test_all_is_well(site, directory):
    audit = Audit(site.data / "audit.jsonl", site.clock)
    audit.record("made")
    audit.close()
    verdict = verify(site, directory)
    assert (verdict.problems, verdict.blobs, verdict.mailboxes) == ([], 20, 1)
    assert verify(site, directory, sample=5).blobs == 5
    assert verify(site, directory, sample=500).blobs == 20


def test_the_search_index_lags(site, directory):
    path = site.data / "audit.jsonl"
    verifier = Verifier(site.records, site.blob_upkeep, directory, path, fulltext=MemoryFullText())
    verdict = site.run(verifier.run(0, CountingChance()))
    assert (verdict.folders_behind, verdict.problems) == (1, [])


def test_damaged_content_is_found(site, directory):
    for pack in (site.data / "store" / "blobs" / "packs").glob("*.pack"):
        raw = pack.read_bytes()
        pack.write_bytes(raw.replace(b"Subject: 7\r\n", b"Subject: 8\r\n"))
    (problem,) = verify(site, directory).problems
    assert "damaged" in problem


def test_people_and_mailboxes_belong_together(site, directory):
    directory.add_principal(PrincipalKind.USER, "bob@example.org", "Bob", MailboxId(77))
    directory.add_principal(PrincipalKind.USER, "carol@example.org", "Carol", site.mailbox_id)
    problems = verify(site, directory, sample=0).problems
    assert any("bob@example.org has no mailbox" in p for p in problems)
    assert any("the same mailbox" in p for p in problems)
    assert any("belongs to nobody" in p for p in verify(site, MemoryDirectory(None)).problems)


def test_a_broken_audit_log_is_found(site, directory):
    audit = Audit(site.data / "audit.jsonl", site.clock)
    audit.record("first")
    audit.record("second")
    audit.close()
    path = site.data / "audit.jsonl"
    path.write_bytes(path.read_bytes().replace(b"first", b"fist"))
    assert any("audit log" in p for p in verify(site, directory, sample=0).problems)
