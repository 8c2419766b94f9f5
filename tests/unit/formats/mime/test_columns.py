"""Columns from header blocks, usual and hostile."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.mime.columns import columns_from_head, normalised_subject
from posthouse.formats.mime.dates import date_text, from_line_date_text, ms_from_date

USUAL = b"""Received: from x\r
\tby y; Mon, 1 Jan 2001 00:00:00 +0000\r
From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\r
To: Alice <alice@example.org>,\r
 Bob <bob@example.org>\r
Subject: =?utf-8?q?=C3=9Cbersicht?=\r
 der Woche\r
Date: Mon, 23 Nov 2026 21:12:00 +0100\r
Message-ID: <one@example.org>\r
References: <root@example.org>\r
 <two@example.org>\r
Importance: High\r
Content-Type: Multipart/Mixed;\r
 boundary=x\r
\r
Subject: not this one\r
"""


def test_usual_message() -> None:
    columns = columns_from_head(USUAL)
    assert columns.sender == "Jörg <joerg@example.org>"
    assert columns.recipients == "Alice <alice@example.org>, Bob <bob@example.org>"
    assert columns.subject == "Übersicht der Woche"
    assert columns.sent_at == 1_795_464_720_000
    assert columns.message_id == "one@example.org"
    assert columns.importance == 2
    assert columns.has_attachments


def thread(*lines: str) -> int:
    return columns_from_head("\r\n".join([*lines, "", ""]).encode()).thread


def test_threads() -> None:
    root = thread("Message-ID: <root@x>")
    assert thread("Message-ID: <b@x>", "In-Reply-To: <root@x>") == root
    assert thread("Message-ID: <c@x>", "In-Reply-To: <b@x>", "References: <root@x> <b@x>") == root
    assert thread("Message-ID: <b@x>") != root
    assert thread("Subject: AW: Re[2]: [list] Plan") == thread("Subject: plan") != 0
    assert thread() == 0
    assert 0 < root < 1 << 63


@pytest.mark.parametrize(
    ("subject", "base"),
    [("Re: Fwd: a  b", "a b"), ("[tag] Re: X", "x"), ("Recall", "recall"), ("Re:", "")],
)
def test_subject_without_marks(subject: str, base: str) -> None:
    assert normalised_subject(subject) == base


@pytest.mark.parametrize(
    ("raw", "ms"),
    [
        (b" Thu, 01 Jan 1970 00:00:01 +0000", 1000),
        (b"1 Jan 1970 01:00:01 +0100", 1000),
        (b"Thu Jan  1 00:00:01 1970", 1000),
        (b"Thu,  1-Jan-70 00:00:01 GMT", 1000),
        (b"1 Jan 1970 00:01 -0001 (comment)", 120_000),
        (b"Wed, 31 Dec 1969 19:00:01 EST", 1000),
        (b"Mon, 31 Feb 2020 00:00:00 +0000", 0),
        (b"31 Dec 1969 23:59:59 +0000", 0),
        (b"yesterday", 0),
        (b"9" * 1000, 0),
        (b"1 Jan 2020 99:00:00 +0000", 0),
        (b"31 Dec 2016 23:59:60 +0000", 1_483_228_800_000),
    ],
)
def test_dates(raw: bytes, ms: int) -> None:
    assert ms_from_date(raw) == ms


@given(st.integers(0, 253_402_300_799))
def test_written_dates_are_read_again(second: int) -> None:
    assert ms_from_date(date_text(second * 1000).encode()) == second * 1000
    assert ms_from_date(from_line_date_text(second * 1000).encode()) == second * 1000


NAMES = [b"From:", b"To:", b"Subject:", b"Date:", b"Message-ID:", b"References:", b"X-Priority:"]
PIECES = [
    *NAMES,
    b"=?utf-8?q?",
    b"?=",
    b"<",
    b">",
    b"1 Jan",
    b"2020",
    b"\r\n",
    b"\n",
    b" ",
    b"\xff",
]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)), max_size=40))
def test_any_bytes(pieces: list[bytes]) -> None:
    columns = columns_from_head(b"".join(pieces))
    for text in (columns.subject, columns.sender, columns.recipients):
        assert len(text.encode()) <= 4 * 255
        assert not any(c < " " for c in text)
    assert " " not in columns.message_id
    assert len(columns.message_id) <= 998
    assert 0 <= columns.thread < 1 << 63


@pytest.mark.parametrize(
    "bomb",
    [
        b"From: " + b"(" * 20_000,
        b"Subject: " + b"=?utf-8?q?a?= " * 60_000,
        b"Content-Type: a/b" + b"".join(b"; n*%d=x" % n for n in range(50_000)),
        b"References: " + b"<a@b> " * 100_000,
        b"Subject: " + b"Re: [a] " * 100_000,
        b"Message-ID: " + b"<" * 500_000,
        b"To: a@b\r\n" * 100_000,
    ],
    ids=["comments", "words", "parameters", "references", "replies", "brackets", "fields"],
)
def test_bombs_are_cheap(bomb: bytes) -> None:
    begun = time.process_time()
    columns_from_head(bomb + b"\r\n\r\n")
    assert time.process_time() - begun < 0.5
