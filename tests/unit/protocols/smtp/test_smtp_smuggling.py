"""SMTP smuggling: whatever imitates the end of DATA, what stands behind it is never obeyed."""

from __future__ import annotations

import itertools

import pytest
from smtp_fakes import House, codes_of, in_loop

EOLS = (b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\0\n", b"")
ENDINGS = [
    before + b"." + after
    for before, after in itertools.product(EOLS, EOLS)
    if (before, after) != (b"\r\n", b"\r\n") and before
] + [
    b"\r\n\x00.\r\n",
    b"\r\n.\x00\r\n",
    b"\r\n. \r\n",
    b"\r\n .\r\n",
    b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n",
]
SMUGGLED = (
    b"MAIL FROM:<ceo@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: 2\r\n\r\nx"
)


@pytest.mark.parametrize("ending", ENDINGS, ids=repr)
@pytest.mark.parametrize("piece", [0, 1])
@in_loop
async def test_no_other_ending_is_obeyed(ending, piece):
    house = House()
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    said = await client.say(
        b"Subject: 1\r\n\r\nfirst" + ending + SMUGGLED + b"\r\n.\r\nQUIT\r\n", piece
    )
    senders = [str(received.sender) for received in house.mailflow.received]
    assert "ceo@example.org" not in senders
    rest = ending.replace(b"\r\n", b"")
    if b"\r" in rest or b"\n" in rest:
        assert codes_of(said) == [550]
        assert b"550 5.5.2" in said
        assert house.mailflow.received == []
        assert client.is_closed
    else:
        assert codes_of(said) == [250, 221]
        assert SMUGGLED in house.mailflow.contents[0]


@pytest.mark.parametrize("eol", [b"\n", b"\r", b"\r\r\n", b"\n\r"], ids=repr)
@in_loop
async def test_a_bare_line_end_anywhere_refuses_the_message(eol):
    for content in (b"Subject: x" + eol + b"\r\nbody\r\n.\r\n", b"a\r\nb" + eol + b"c\r\n.\r\n"):
        house = House()
        client = house.connect()
        await client.mail()
        await client.say(b"DATA\r\n")
        assert await client.codes(content) == [550]
        assert client.is_closed
        assert house.mailflow.received == []


@pytest.mark.parametrize("eol", [b"\n", b"\r", b"\r\r\n", b"\n\r"], ids=repr)
@in_loop
async def test_the_same_by_bdat(eol):
    house = House()
    client = house.connect()
    await client.mail()
    content = b"a\r\n" + eol + b"." + eol + SMUGGLED
    said = await client.codes(b"BDAT %d LAST\r\n%b" % (len(content), content))
    assert said == [550]
    assert house.mailflow.received == []
    assert await client.codes(b"NOOP\r\n") == [250]


@in_loop
async def test_a_client_of_bare_lf_hears_why_and_is_not_left_waiting():
    house = House()
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    assert await client.codes(b"Subject: x\n\nbody\n.\n") == [550]
    assert client.is_closed


@in_loop
async def test_a_stuffed_terminator_is_content():
    house = House()
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    content = b"x\r\n..\r\n" + SMUGGLED.replace(b"\r\n", b"\r\n") + b"\r\n.\r\n"
    assert await client.codes(content) == [250]
    assert house.mailflow.contents == [b"x\r\n.\r\n" + SMUGGLED + b"\r\n"]


@in_loop
async def test_dots_come_through_exactly():
    house = House()
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    assert await client.codes(b"..\r\n...a\r\n.b\r\n..\r\n.\r\n") == [250]
    assert house.mailflow.contents == [b".\r\n..a\r\nb\r\n.\r\n"]


@in_loop
async def test_content_behind_a_refused_data_is_never_read_as_commands():
    house = House()
    client = house.connect()
    said = await client.say(b"EHLO x\r\nDATA\r\n" + SMUGGLED + b"\r\n.\r\n")
    assert codes_of(said)[-1] == 503
    assert house.mailflow.received == []
    assert client.is_closed


@pytest.mark.parametrize("line", [b"NOOP\nMAIL FROM:<x@y.z>\r\n", b"NOOP\rRSET\r\n", b"EHLO a\n"])
@in_loop
async def test_bare_line_ends_in_commands_close(line):
    client = House().connect()
    said = await client.say(line)
    assert codes_of(said) == [500]
    assert client.is_closed
