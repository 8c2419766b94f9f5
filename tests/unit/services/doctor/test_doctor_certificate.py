"""What the doctor says about certificates."""

from datetime import UTC, datetime

import pytest

from posthouse.runtime.tls import make_authority_and_certificate
from posthouse.services.doctor.certificate import certificate
from posthouse.services.doctor.finding import Grade

DAY_MS = 86_400_000
NOW_MS = int(datetime(2026, 5, 1, tzinfo=UTC).timestamp() * 1000)


class OwnClock:
    def now_ms(self):
        return NOW_MS

    def monotonic_s(self):
        return 0.0


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    place = tmp_path_factory.mktemp("tls")
    make_authority_and_certificate(place, ["mail.example.org"], OwnClock())
    return place / "server.pem", place / "server.key"


def told(pair, *, hostname="mail.example.org", days=0):
    found = certificate(*pair, hostname, NOW_MS + int(days * DAY_MS))
    return {finding.what: finding.grade for finding in found}


def matching(found, words):
    return [grade for what, grade in found.items() if words in what]


def test_our_own_certificate_is_good_but_must_be_trusted(pair):
    found = told(pair)
    assert matching(found, "valid until") == [Grade.GOOD]
    assert matching(found, "names mail.example.org") == [Grade.GOOD]
    assert matching(found, "own authority") == [Grade.NOTICE]
    assert Grade.PROBLEM not in found.values()


@pytest.mark.parametrize(
    ("days", "words", "grade"),
    [
        (-2, "valid only from", Grade.PROBLEM),
        (390, "expires in", Grade.NOTICE),
        (800, "expired on", Grade.PROBLEM),
    ],
)
def test_age(pair, days, words, grade):
    assert matching(told(pair, days=days), words) == [grade]


def test_another_name(pair):
    found = told(pair, hostname="mx.example.org")
    assert matching(found, "names mail.example.org, not mx.example.org") == [Grade.PROBLEM]


def test_a_key_that_others_can_read(pair):
    pair[1].chmod(0o644)
    found = certificate(*pair, "mail.example.org", NOW_MS)
    pair[1].chmod(0o600)
    assert [f.paste for f in found if "read by others" in f.what] == [f"chmod 600 {pair[1]}"]


def test_the_wrong_key(pair, tmp_path):
    make_authority_and_certificate(tmp_path, ["mail.example.org"], OwnClock())
    found = told((pair[0], tmp_path / "server.key"))
    assert matching(found, "is not the key of") == [Grade.PROBLEM]


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nx\n"])
def test_no_certificate_is_one_problem(pair, tmp_path, text):
    bad = tmp_path / "bad.pem"
    bad.write_text(text)
    (finding,) = certificate(bad, pair[1], "mail.example.org", NOW_MS)
    assert finding.grade is Grade.PROBLEM
    (finding,) = certificate(tmp_path / "none.pem", pair[1], "mail.example.org", NOW_MS)
    assert "No such file" in finding.what
