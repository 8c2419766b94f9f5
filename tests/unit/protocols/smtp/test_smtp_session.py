"""Whole sessions of the receiving side over a connection in memory."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from dataclasses import replace

import pytest
from smtp_fakes import House, codes_of, in_loop, small_limits

from posthouse.model.errors import (
    AccessDenied,
    InsufficientSpace,
    LoginDelayed,
    MailLoop,
    QuotaExceeded,
    Unavailable,
)
from posthouse.protocols.smtp.settings import SmtpLimits, SmtpRole

EHLO = b"EHLO client.example\r\n"
MAIL = b"MAIL FROM:<a@client.example>\r\n"
RCPT = b"RCPT TO:<bob@example.org>\r\n"
MESSAGE = b"Subject: x\r\n\r\nbody\r\n.\r\n"
PLAIN = b"AUTH PLAIN " + b64encode(b"\0alice\0wonderland") + b"\r\n"


def submission(**options):
    return House(SmtpRole.SUBMISSION, **options)


@in_loop
async def test_a_pipelined_envelope_is_answered_in_one_write():
    house = House()
    client = house.connect()
    await client.say(EHLO)
    writes = client.connection.writes
    said = await client.say(MAIL + RCPT + b"RCPT TO:<nobody@example.org>\r\n" + RCPT + b"DATA\r\n")
    assert codes_of(said) == [250, 250, 550, 250, 354]
    assert client.connection.writes == writes + 1
    assert await client.codes(MESSAGE + b"NOOP\r\nQUIT\r\n") == [250, 250, 221]
    received = house.mailflow.received[0]
    assert [str(recipient.address) for recipient in received.recipients] == ["bob@example.org"]
    assert received.origin.protocol == "ESMTP"
    assert received.origin.helo == "client.example"


@in_loop
async def test_messages_in_single_octets():
    house = House()
    client = house.connect()
    said = await client.codes(EHLO + (MAIL + RCPT + b"DATA\r\n" + MESSAGE) * 2 + b"QUIT\r\n", 1)
    assert said == [250] + [250, 250, 354, 250] * 2 + [221]
    assert house.mailflow.contents == [MESSAGE[:-3]] * 2


@in_loop
async def test_a_thousand_recipients_and_one_more():
    house = House()
    client = house.connect()
    await client.say(EHLO + MAIL)
    many = b"".join(b"RCPT TO:<u%d@example.org>\r\n" % n for n in range(1001))
    codes = await client.codes(many)
    assert codes == [250] * 1000 + [452]
    assert await client.codes(b"DATA\r\n") == [354]
    assert await client.codes(MESSAGE) == [250]
    assert len(house.mailflow.received[0].recipients) == 1000


@in_loop
async def test_recipients_of_a_session_are_counted():
    house = House(limits=replace(SmtpLimits(), recipients_per_session=2))
    client = house.connect()
    assert await client.codes(EHLO + MAIL + RCPT * 3) == [250, 250, 250, 250, 452]


@in_loop
async def test_many_messages_in_one_read_do_not_recurse():
    house = House()
    client = house.connect()
    one = MAIL + RCPT + b"BDAT 0 LAST\r\n"
    codes = await client.codes(EHLO + one * 3000)
    assert codes == [250] + [250] * 9000
    assert len(house.mailflow.received) == 3000


@in_loop
async def test_a_client_that_does_not_read_is_not_answered_further():
    house = House()
    client = house.connect()
    client.connection.is_congested = True
    client.session._proceed()
    await client.say(EHLO)
    assert len(client.connection.sent) < 100
    client.connection.is_congested = False
    client.connection.decongest()
    await client.connection.settle()
    assert codes_of(client.read()) == [250]


@in_loop
async def test_order_of_commands():
    client = House().connect()
    assert await client.codes(MAIL + RCPT) == [503, 503]
    assert await client.codes(EHLO + RCPT) == [250, 503]
    client = House().connect()
    assert await client.codes(EHLO + MAIL + MAIL + b"DATA\r\n") == [250, 250, 503, 503]
    assert await client.codes(RCPT + b"RSET\r\nDATA\r\n") == [250, 250, 503]
    client = House().connect()
    assert await client.codes(EHLO + MAIL + RCPT + EHLO + b"DATA\r\n") == [250, 250, 250, 250, 503]


@in_loop
async def test_the_fifth_error_ends_a_session_without_login():
    client = House().connect()
    assert await client.codes(b"X\r\n" * 6) == [500, 500, 500, 500, 421]
    assert client.is_closed
    client = submission().connect(is_tls=True)
    await client.say(EHLO + PLAIN)
    assert await client.codes(b"X\r\n" * 21) == [500] * 19 + [421]


@in_loop
async def test_whoever_probes_for_names_is_sent_away():
    client = House().connect()
    codes = await client.codes(EHLO + MAIL + b"RCPT TO:<nobody@example.org>\r\n" * 12)
    assert codes == [250, 250] + [550] * 10 + [421]
    assert client.is_closed


@in_loop
async def test_nothing_is_relayed():
    client = House().connect()
    await client.say(EHLO + MAIL)
    for path in (b"x@foreign.example", b"x@[127.0.0.1]", b"x%foreign.example@elsewhere.example"):
        said = await client.say(b"RCPT TO:<%s>\r\n" % path)
        assert said.startswith(b"550 5.7.1 ")
    assert await client.codes(b"RCPT TO:<@example.org:x@foreign.example>\r\n") == [553]


@in_loop
async def test_postmaster_and_our_own_literal():
    house = House(options={"address_literals": frozenset({"[192.0.2.25]"})})
    client = house.connect()
    to = b"RCPT TO:<Postmaster>\r\nRCPT TO:<bob@[192.0.2.25]>\r\n"
    assert await client.codes(EHLO + MAIL + to + b"DATA\r\n") == [250] * 4 + [354]
    await client.say(MESSAGE)
    addresses = [str(recipient.address) for recipient in house.mailflow.received[0].recipients]
    assert addresses == ["Postmaster@example.org", "bob@example.org"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Unavailable("disk"), b"451 4.3.0"),
        (InsufficientSpace("disk"), b"452 4.3.1"),
        (MailLoop("loop"), b"554 5.4.6"),
        (QuotaExceeded("full"), b"452 4.2.2"),
        (AccessDenied("forged"), b"550 5.7.1"),
        (KeyError("a bug"), b"451 4.3.0"),
    ],
)
@in_loop
async def test_errors_of_acceptance(error, said):
    house = House()
    house.mailflow.accept_error = error
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    answer = await client.say(MESSAGE)
    assert answer.startswith(said)
    assert answer.count(b"\r\n") == 1
    assert "smtp.message_refused" in house.log.events()
    # The session goes on, and the transaction is over.
    assert await client.codes(b"DATA\r\n") == [503]


@in_loop
async def test_sender_errors():
    house = House()
    house.mailflow.sender_error = InsufficientSpace("disk")
    client = house.connect()
    assert await client.codes(EHLO + MAIL + RCPT) == [250, 452, 503]


@in_loop
async def test_size():
    house = House(limits=small_limits(message_bytes=100, excess_bytes=200))
    client = house.connect()
    await client.say(EHLO)
    assert await client.codes(b"MAIL FROM:<a@b.example> SIZE=101\r\n") == [552]
    assert await client.codes(MAIL + RCPT + b"DATA\r\n") == [250, 250, 354]
    assert await client.say(b"x" * 150) == b""
    assert (await client.say(b"\r\n.\r\n")).startswith(b"552 5.3.4")
    assert await client.codes(MAIL + RCPT + b"DATA\r\n") == [250, 250, 354]
    assert await client.codes(b"x" * 301) == [552]
    assert client.is_closed
    assert house.mailflow.received == []


@in_loop
async def test_nothing_past_the_limit_is_kept():
    written = []

    class Blobs:
        def stage(self, form):
            class Staging:
                size_bytes = 0

                def write(self, data):
                    written.append(len(data))

                def discard(self):
                    written.append("discarded")

            return Staging()

    house = House(limits=small_limits(message_bytes=100, excess_bytes=10_000), blobs=Blobs())
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    for _ in range(20):
        await client.say(b"y" * 50)
    assert await client.codes(b"\r\n.\r\n") == [552]
    assert sum(n for n in written if n != "discarded") <= 100 + 53
    assert written[-1] == "discarded"


@in_loop
async def test_a_full_disk_while_reading_is_told_at_the_end():
    class Blobs:
        def stage(self, form):
            class Staging:
                def write(self, data):
                    raise InsufficientSpace("full")

                def discard(self):
                    pass

            return Staging()

    house = House(blobs=Blobs())
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    assert await client.say(b"a\r\n") == b""
    assert await client.say(b"b\r\n") == b""
    assert await client.codes(b".\r\n") == [452]
    assert await client.codes(b"NOOP\r\n") == [250]


@in_loop
async def test_a_line_of_a_megabyte():
    house = House()
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    content = b"x" * 1_000_000 + b"\r\n"
    for at in range(0, len(content), 70_000):
        await client.say(content[at : at + 70_000])
    assert await client.codes(b".\r\n") == [250]
    assert house.mailflow.contents == [content]


@in_loop
async def test_every_octet_comes_through_and_8bit_is_noticed():
    house = House()
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    content = bytes(b for b in range(256) if b not in (10, 13)) + b"\r\n"
    assert await client.codes(content + b".\r\n") == [250]
    assert house.mailflow.contents == [content]
    assert house.mailflow.received[0].is_8bit


# --- BDAT


@in_loop
async def test_chunks():
    house = House()
    client = house.connect()
    await client.say(EHLO)
    said = await client.codes(
        MAIL + RCPT + b"BDAT 6\r\na\r\n.b\rBDAT 4\r\n\n.\r\nBDAT 3 LAST\r\nend" + MAIL
    )
    assert said == [250, 250, 250, 250, 250, 250]
    assert house.mailflow.contents == [b"a\r\n.b\r\n.\r\nend"]
    assert house.mailflow.received[0].content.ref.lacks_final_eol


@in_loop
async def test_the_last_chunk_may_be_empty():
    house = House()
    client = house.connect()
    await client.mail()
    assert await client.codes(b"BDAT 3\r\na\r\nBDAT 0 LAST\r\n") == [250, 250]
    await client.mail()
    assert await client.codes(b"BDAT 0 LAST\r\n") == [250]
    assert house.mailflow.contents == [b"a\r\n", b""]


@in_loop
async def test_octets_of_a_refused_chunk_are_never_commands():
    house = House()
    client = house.connect()
    assert await client.codes(EHLO + b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n") == [250, 503, 250]
    assert not client.is_closed


@in_loop
async def test_bdat_and_data_do_not_mix():
    house = House()
    client = house.connect()
    await client.mail()
    assert await client.codes(b"BDAT 3\r\na\r\n") == [250]
    assert await client.codes(b"DATA\r\n") == [503]
    assert await client.codes(b"BDAT 3 LAST\r\nb\r\n") == [250]
    assert house.mailflow.contents == [b"a\r\nb\r\n"]


@in_loop
async def test_chunks_over_the_limit():
    house = House(limits=small_limits(message_bytes=10, excess_bytes=10))
    client = house.connect()
    await client.mail()
    assert await client.codes(b"BDAT 6\r\nabcd\r\nBDAT 6 LAST\r\nabcd\r\n") == [250, 552]
    assert await client.codes(b"BDAT 6 LAST\r\nabcd\r\n") == [503]
    await client.mail()
    assert await client.codes(b"BDAT 21 LAST\r\n") == [552]
    assert client.is_closed
    assert house.mailflow.received == []


@in_loop
async def test_rset_between_chunks():
    house = House()
    client = house.connect()
    await client.mail()
    assert await client.codes(b"BDAT 3\r\na\r\nRSET\r\nBDAT 3 LAST\r\nb\r\n") == [250, 250, 503]
    assert house.mailflow.received == []


# --- TLS


@in_loop
async def test_tls_forgets_what_was_said_before():
    house = House()
    client = house.connect()
    said = await client.say(EHLO)
    assert b"STARTTLS" in said
    assert await client.codes(MAIL + RCPT + b"STARTTLS\r\n") == [250, 250, 220]
    client.connection.finish_handshake()
    assert await client.codes(RCPT) == [503]
    assert await client.codes(MAIL) == [503]
    said = await client.say(EHLO)
    assert b"STARTTLS" not in said
    assert await client.codes(b"STARTTLS\r\n") == [503]


@in_loop
async def test_octets_behind_starttls_close():
    client = House().connect()
    await client.say(EHLO)
    said = await client.codes(b"STARTTLS\r\nMAIL FROM:<evil@example.org>\r\n")
    assert said == [501]
    assert client.is_closed


@in_loop
async def test_no_certificate_no_starttls():
    client = House().connect(can_start_tls=False)
    assert b"STARTTLS" not in await client.say(EHLO)
    assert await client.codes(b"STARTTLS\r\n") == [502]


# --- submission


@in_loop
async def test_submission_asks_for_tls_then_for_a_login():
    client = submission().connect()
    said = await client.say(EHLO)
    assert b"AUTH" not in said
    assert (await client.say(MAIL)).startswith(b"530 5.7.0 Must issue a STARTTLS")
    assert await client.codes(PLAIN) == [538]
    client = submission().connect(is_tls=True)
    assert b"AUTH SCRAM-SHA-256 PLAIN LOGIN\r\n" in await client.say(EHLO)
    assert await client.codes(MAIL + RCPT + b"BDAT 6 LAST\r\nQUIT\r\n") == [530, 530, 530]


@in_loop
async def test_login_and_send():
    house = submission()
    client = house.connect(is_tls=True)
    assert await client.codes(EHLO + PLAIN) == [250, 235]
    assert client.connection.is_logged_in
    assert await client.codes(PLAIN) == [503]
    to = b"RCPT TO:<x@foreign.example>\r\n"
    assert await client.codes(MAIL + to + b"DATA\r\n") == [250, 250, 354]
    assert await client.codes(MESSAGE) == [250]
    origin = house.mailflow.received[0].origin
    assert (origin.protocol, origin.login.principal.address) == ("ESMTPSA", "alice@example.org")


@in_loop
async def test_auth_login_as_printers_do():
    house = submission()
    client = house.connect(is_tls=True)
    await client.say(EHLO)
    assert await client.say(b"AUTH LOGIN\r\n") == b"334 VXNlcm5hbWU6\r\n"
    assert await client.say(b64encode(b"alice") + b"\r\n") == b"334 UGFzc3dvcmQ6\r\n"
    assert await client.codes(b64encode(b"wonderland") + b"\r\n") == [235]
    client = house.connect(is_tls=True)
    await client.say(EHLO)
    assert await client.codes(b"AUTH LOGIN " + b64encode(b"alice") + b"\r\n") == [334]
    assert await client.codes(b64encode(b"wrong") + b"\r\n") == [535]


@in_loop
async def test_auth_that_fails():
    house = submission()
    client = house.connect(is_tls=True)
    await client.say(EHLO)
    assert await client.codes(b"AUTH NTLM\r\n") == [504]
    assert await client.codes(b"AUTH PLAIN\r\n*\r\n") == [334, 501]
    assert await client.codes(b"AUTH PLAIN !!!\r\n") == [501]
    client = house.connect(is_tls=True)
    await client.say(EHLO)
    wrong = b"AUTH PLAIN " + b64encode(b"\0alice\0wrong") + b"\r\n"
    acting = b"AUTH PLAIN " + b64encode(b"bob\0alice\0wonderland") + b"\r\n"
    assert await client.codes(wrong + acting) == [535, 535]
    house.logins.error = LoginDelayed("slow down", 9.0)
    assert await client.codes(PLAIN) == [454]
    house.logins.error = Unavailable("no directory")
    assert await client.codes(PLAIN) == [451]


@in_loop
async def test_a_long_auth_line_is_read_and_a_longer_one_refused():
    client = submission().connect(is_tls=True)
    await client.say(EHLO)
    assert await client.codes(b"AUTH PLAIN\r\n") == [334]
    assert await client.codes(b64encode(b"x" * 9000) + b"\r\n") == [501]
    assert codes_of(await client.say(b"AUTH PLAIN " + b"A" * 12300))[0] == 500
    assert client.is_closed


@in_loop
async def test_a_revoked_login_is_cut():
    house = submission()
    client = house.connect(is_tls=True)
    await client.say(EHLO + PLAIN)
    house.logins.is_good = False
    assert await client.codes(MAIL) == [421]
    assert client.is_closed


@in_loop
async def test_the_sending_rate():
    limits = replace(SmtpLimits(), rate_per_hour=3)
    house = submission(limits=limits)
    client = house.connect(is_tls=True)
    await client.say(EHLO + PLAIN + MAIL)
    to = b"".join(b"RCPT TO:<u%d@foreign.example>\r\n" % n for n in range(4))
    said = await client.say(to)
    assert codes_of(said) == [250, 250, 250, 450]
    assert b"450 4.7.1" in said
    # What is not sent does not count; what is sent does, for every session of the login.
    await client.say(b"RSET\r\n" + MAIL + to[: len(to) // 4] + b"DATA\r\n")
    assert await client.codes(MESSAGE) == [250]
    other = house.connect(is_tls=True)
    assert (await other.codes(EHLO + PLAIN + MAIL + to))[-4:] == [250, 250, 450, 450]
    house.clock.at_s += 3700
    assert await other.codes(b"RCPT TO:<u9@foreign.example>\r\n") == [250]


# --- SMTPUTF8, DSN


@in_loop
async def test_smtputf8():
    house = House()
    client = house.connect()
    await client.say(EHLO)
    utf8 = "MAIL FROM:<ä@client.example>".encode()
    assert (await client.say(utf8 + b"\r\n")).startswith(b"550 5.6.7")
    to = "RCPT TO:<ö@example.org>\r\n".encode()
    assert await client.codes(MAIL + to) == [250, 553]
    assert await client.codes(b"RSET\r\n" + utf8 + b" SMTPUTF8\r\n" + to) == [250, 250, 250]
    await client.say(b"DATA\r\n" + MESSAGE)
    received = house.mailflow.received[0]
    assert received.needs_smtputf8
    assert received.origin.protocol == "UTF8SMTP"
    assert str(received.recipients[0].address) == "ö@example.org"


@in_loop
async def test_dsn_wishes_reach_the_mailflow():
    house = House()
    client = house.connect()
    await client.say(
        EHLO
        + b"MAIL FROM:<a@b.example> RET=HDRS ENVID=QQ1 BODY=8BITMIME\r\n"
        + b"RCPT TO:<bob@example.org> NOTIFY=SUCCESS ORCPT=rfc822;b@x.example\r\nDATA\r\n"
    )
    await client.say(MESSAGE)
    received = house.mailflow.received[0]
    assert (received.envelope_id, received.wants_headers_only, received.is_8bit) == (
        "QQ1",
        True,
        True,
    )
    assert received.recipients[0].original == "rfc822;b@x.example"


# --- LMTP


def lmtp():
    return House(SmtpRole.LMTP)


@in_loop
async def test_lmtp_answers_for_each_recipient():
    house = lmtp()
    client = house.connect()
    assert await client.codes(EHLO) == [500]
    to = RCPT + b"RCPT TO:<carol@example.org>\r\n" + RCPT
    assert await client.codes(b"LHLO x\r\n" + MAIL + to + b"DATA\r\n") == [250] * 5 + [354]
    assert await client.codes(MESSAGE) == [250, 250, 250]
    assert len(house.mailflow.received) == 1
    assert len(house.mailflow.received[0].recipients) == 2
    assert house.mailflow.received[0].origin.protocol == "LMTP"


@in_loop
async def test_lmtp_tells_who_has_no_room():
    house = lmtp()
    house.mailflow.recipient_errors["carol"] = (QuotaExceeded("full"), 10)
    client = house.connect()
    to = RCPT + b"RCPT TO:<carol@example.org>\r\n" + b"RCPT TO:<dora@example.org>\r\n"
    await client.say(b"LHLO x\r\n" + MAIL + to + b"DATA\r\n")
    assert await client.codes(MESSAGE) == [250, 452, 250]
    names = [recipient.address.local for recipient in house.mailflow.received[0].recipients]
    assert names == ["bob", "dora"]
    await client.say(MAIL + b"RCPT TO:<carol@example.org>\r\nDATA\r\n")
    assert await client.codes(MESSAGE) == [452]


@in_loop
async def test_lmtp_refuses_for_each_recipient():
    house = lmtp()
    house.mailflow.accept_error = Unavailable("disk")
    client = house.connect()
    await client.say(b"LHLO x\r\n" + MAIL + RCPT + b"RCPT TO:<c@example.org>\r\nDATA\r\n")
    assert await client.codes(MESSAGE) == [451, 451]
    await client.say(MAIL + RCPT + b"RCPT TO:<c@example.org>\r\nDATA\r\n")
    assert await client.codes(b"x\n.\r\n.\r\n") == [550, 550]
    assert client.is_closed


@in_loop
async def test_lmtp_without_recipients():
    client = lmtp().connect()
    codes = await client.codes(b"LHLO x\r\n" + MAIL + b"RCPT TO:<nobody@example.org>\r\nDATA\r\n")
    assert codes == [250, 250, 550, 503]
    assert await House().connect().codes(b"LHLO x\r\n") == [500]


# --- receipts and the end


@in_loop
async def test_a_receipt_is_settled_when_the_client_speaks_again():
    house = House()
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    await client.say(MESSAGE)
    assert house.mailflow.settled == []
    await client.say(b"N")
    assert len(house.mailflow.settled) == 1


@pytest.mark.parametrize("was_clean", [True, False])
@in_loop
async def test_a_receipt_is_settled_by_a_clean_end_only(was_clean):
    house = House()
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    await client.say(MESSAGE)
    client.connection.lose(was_clean=was_clean)
    assert len(house.mailflow.settled) == was_clean


@in_loop
async def test_what_was_sent_before_the_250_settles_nothing():
    house = House()
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    house.mailflow.gate = asyncio.Event()
    await client.connection.feed(MESSAGE + b"NOOP\r\n")
    house.mailflow.gate.set()
    await client.connection.settle()
    assert codes_of(client.read()) == [250, 250]
    await client.say(b"NOOP\r\n")
    assert house.mailflow.settled == []
    client.connection.lose(was_clean=True)
    assert len(house.mailflow.settled) == 1


@in_loop
async def test_an_acceptance_under_way_finishes_though_the_client_is_gone():
    house = House()
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    house.mailflow.gate = asyncio.Event()
    await client.connection.feed(MESSAGE)
    client.connection.lose(was_clean=False)
    house.mailflow.gate.set()
    await client.connection.settle()
    assert len(house.mailflow.received) == 1
    assert house.mailflow.settled == []


@in_loop
async def test_half_closing_behind_the_message_still_gets_the_answer():
    house = House()
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    house.mailflow.gate = asyncio.Event()
    await client.connection.feed(MESSAGE)
    client.session.eof_received()
    assert not client.is_closed
    house.mailflow.gate.set()
    await client.connection.settle()
    assert codes_of(client.read()) == [250]
    assert client.is_closed
    assert house.mailflow.settled == []


@in_loop
async def test_input_that_comes_while_busy_is_held_back_and_answered_in_order():
    house = House()
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    house.mailflow.gate = asyncio.Event()
    await client.connection.feed(MESSAGE)
    await client.connection.feed(b"NOOP\r\n")
    assert client.connection.is_paused
    await client.connection.feed(b"VRFY x\r\n")
    house.mailflow.gate.set()
    await client.connection.settle()
    assert codes_of(client.read()) == [250, 250, 252]
    assert not client.connection.is_paused


@in_loop
async def test_timeouts():
    client = House().connect()
    assert client.connection.deadline_s == 60
    client.connection.time_passed(50)
    await client.say(b"NOOP\r\n")
    assert client.connection.deadline_s == 10
    await client.say(EHLO)
    assert client.connection.deadline_s == 300
    client.connection.time_passed(299)
    await client.say(b"NOO")
    client.connection.time_passed(1)
    assert client.read().startswith(b"421 4.4.2")
    assert client.is_closed


@in_loop
async def test_a_message_must_come_on():
    client = House().connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    for _ in range(5):
        client.connection.time_passed(59)
        await client.say(b"x")
    client.connection.time_passed(4)
    await client.say(b"y" * 65_536)
    assert client.connection.deadline_s == 300
    client.connection.time_passed(300)
    assert codes_of(client.read()) == [421]


@in_loop
async def test_a_stranger_at_submission_has_a_minute_and_may_be_silent_for_half():
    house = submission()
    client = house.connect(is_tls=True)
    await client.say(EHLO)
    assert client.connection.deadline_s == 30
    house.clock.at_s += 45
    await client.say(b"NOOP\r\n")
    assert client.connection.deadline_s == 15
    await client.say(PLAIN)
    assert client.connection.deadline_s == 300


@in_loop
async def test_a_slow_commit_is_no_timeout():
    house = House()
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    house.mailflow.gate = asyncio.Event()
    await client.connection.feed(MESSAGE)
    client.connection.time_passed(301)
    assert not client.is_closed
    house.mailflow.gate.set()
    await client.connection.settle()
    assert codes_of(client.read()) == [250]


@in_loop
async def test_draining():
    idle = House().connect()
    idle.session.drain()
    assert codes_of(idle.read()) == [421]
    assert idle.is_closed
    house = House()
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\nSubject: x\r\n")
    client.session.drain()
    assert not client.is_closed
    assert await client.codes(b"\r\nbody\r\n.\r\nNOOP\r\n") == [250, 421]
    assert client.is_closed
    assert len(house.mailflow.received) == 1


@in_loop
async def test_draining_during_a_commit():
    house = House()
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    house.mailflow.gate = asyncio.Event()
    await client.connection.feed(MESSAGE)
    client.session.drain()
    house.mailflow.gate.set()
    await client.connection.settle()
    assert codes_of(client.read()) == [250, 421]


@in_loop
async def test_http_is_closed_at_once_and_nothing_is_echoed():
    client = House().connect()
    said = await client.say(b"POST / HTTP/1.1\r\nHost: <script>\r\n\r\nQUIT\r\n")
    assert codes_of(said) == [421]
    assert b"script" not in said
    assert client.is_closed


@in_loop
async def test_one_line_in_the_log_for_a_session():
    house = House()
    client = house.connect()
    await client.mail()
    await client.say(b"DATA\r\n")
    await client.say(MESSAGE + b"QUIT\r\n")
    lines = [fields for event, fields in house.log.lines if event == "smtp.session"]
    assert [(line["messages"], line["commands"], line["clean"]) for line in lines] == [(1, 5, True)]


@in_loop
async def test_a_bug_in_a_handler_is_a_passing_fault_and_logged():
    house = House()
    house.mailflow.sender_error = ZeroDivisionError("bug")
    client = house.connect()
    assert await client.codes(EHLO + MAIL) == [250, 451]
    assert "smtp.bug" in house.log.events()


@in_loop
async def test_information_commands_tell_nothing():
    client = House().connect()
    await client.say(EHLO)
    bob, nobody = [await client.say(b"VRFY %b\r\n" % name) for name in (b"bob", b"nobody")]
    assert bob == nobody
    assert codes_of(bob) == [252]
    assert await client.codes(b"EXPN list\r\nHELP\r\nHELP x\r\nNOOP x\r\n") == [502, 214, 214, 250]
