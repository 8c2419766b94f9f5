"""How long the audit log is kept: a year, oldest first, never so that the chain breaks."""

import os

import pytest

from posthouse.services.directory.audit import Audit, rotated_files
from posthouse.services.directory.audit_check import verify
from posthouse.services.directory.audit_retention import remove_older

DAY_MS = 86_400_000
NOW_MS = 1_700_000_000_000


class OwnClock:
    def now_ms(self):
        return NOW_MS

    def monotonic_s(self):
        return 0.0


@pytest.fixture
def log(tmp_path):
    """Five rotated files, 500, 400, 370, 360 and 10 days old, and the current one."""
    path = tmp_path / "audit.jsonl"
    audit = Audit(path, OwnClock(), size_octets_max=1)
    for number in range(6):
        audit.record("thing", number=number)
    for file, days in zip(rotated_files(path), (500, 400, 370, 360, 10), strict=True):
        at_s = (NOW_MS - days * DAY_MS) / 1000
        os.utime(file, (at_s, at_s))
    audit = Audit(path, OwnClock())
    yield path, audit
    audit.close()


def names(path):
    return [file.name.rpartition(".")[2] for file in rotated_files(path)]


def test_what_is_older_than_a_year_goes_and_is_on_record(log):
    path, audit = log
    assert remove_older(path, audit, NOW_MS) == 3
    assert names(path) == ["000004", "000005"]
    assert path.read_text().count('"audit-log-shortened"') == 3
    assert verify(path) == []
    assert remove_older(path, audit, NOW_MS) == 0


def test_a_younger_file_keeps_those_after_it(log):
    path, audit = log
    os.utime(rotated_files(path)[1])
    assert remove_older(path, audit, NOW_MS) == 1
    assert names(path)[0] == "000002"


def test_the_newest_stays_and_the_next_is_numbered_after_it(log):
    path, audit = log
    assert remove_older(path, audit, NOW_MS + 1000 * DAY_MS) == 4
    assert names(path) == ["000005"]
    small = Audit(path, OwnClock(), size_octets_max=1)
    small.record("thing", number=7)
    small.close()
    assert names(path) == ["000005", "000006"]
    assert verify(path) == []
