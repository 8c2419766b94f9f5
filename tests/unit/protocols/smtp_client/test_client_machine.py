"""The sending machine and its parts, without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.protocols.smtp_client.conftest import parcel

from posthouse.model.errors import LocalProtocolError, RemoteProtocolError
from posthouse.model.queue import Notify, QueuedRecipient
from posthouse.ports.courier import Fate, Stop, TlsNeed
from posthouse.protocols.smtp.wire.client_events import (
    BeginTls,
    ContentWanted,
    Done,
    Expect,
    Failed,
    NeedData,
    Ready,
)
from posthouse.protocols.smtp.wire.client_machine import ClientMachine
from posthouse.protocols.smtp.wire.envelope_commands import (
    UnfitAddress,
    content_fault,
    mail_command,
    rcpt_command,
)
from posthouse.protocols.smtp.wire.remote_replies import ReplyReader

STOP = Stop("mx.one.example", ("127.0.0.1",), tls=TlsNeed.NEVER)


def machine_at(*offers, stop=STOP):
    machine = ClientMachine(stop, "mail.example.org")
    lines = ["mx.one.example", *offers]
    said = "220 mx.one.example\r\n" + "".join(f"250-{line}\r\n" for line in lines[:-1])
    events = feed(machine, f"{said}250 {lines[-1]}\r\n".encode())
    assert events == [Ready()]
    assert machine.take_output() == b"EHLO mail.example.org\r\n"
    return machine


def feed(machine, data):
    machine.receive_data(data)
    return drained(machine)


def drained(machine):
    events = []
    while not machine.is_over or machine._events:
        if not machine._events and not machine._expected:
            break
        event = machine.next_event()
        if isinstance(event, NeedData):
            break
        events.append(event)
    return events


def fates(events):
    (done,) = (event for event in events if isinstance(event, Done))
    return [verdict.fate for verdict in done.attempt.verdicts]


def test_pipelined_commands_go_out_together():
    machine = machine_at("PIPELINING", "SIZE 1000", "8BITMIME")
    machine.send(parcel("a@x", "b@x"))
    assert machine.take_output() == (
        b"MAIL FROM:<alice@example.org> SIZE=500\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"
    )
    assert feed(machine, b"250 ok\r\n550 5.1.1 who\r\n250 ok\r\n354 go\r\n") == [ContentWanted()]
    machine.content_sent()
    assert machine.next_event() == NeedData(Expect.CONTENT)
    events = feed(machine, b"250 2.0.0 queued as 1\r\n")
    assert fates(events) == [Fate.REFUSED, Fate.TAKEN]
    assert events[0].attempt.verdicts[1].reply == "250 2.0.0 queued as 1"
    machine.send(parcel())
    assert machine.take_output().startswith(b"MAIL FROM")


def test_without_pipelining_one_command_waits_for_the_other():
    machine = machine_at()
    machine.send(parcel("a@x", "b@x"))
    said = []
    for reply in (b"250 ok\r\n", b"250 ok\r\n", b"450 later\r\n"):
        said.append(machine.take_output())
        assert feed(machine, reply) == []
    said.append(machine.take_output())
    assert said == [
        b"MAIL FROM:<alice@example.org>\r\n",
        b"RCPT TO:<a@x>\r\n",
        b"RCPT TO:<b@x>\r\n",
        b"DATA\r\n",
    ]
    assert feed(machine, b"354 go\r\n") == [ContentWanted()]
    machine.content_sent()
    assert fates(feed(machine, b"250 ok\r\n")) == [Fate.TAKEN, Fate.DEFERRED]


@pytest.mark.parametrize("offers", [(), ("PIPELINING",)])
def test_a_refused_sender_resets_and_leaves_the_machine_usable(offers):
    machine = machine_at(*offers)
    machine.send(parcel("a@x", "b@x"))
    machine.take_output()
    replies = b"550 5.7.1 no\r\n" + (b"503 x\r\n" * 3 if offers else b"")
    assert feed(machine, replies) == []
    assert machine.take_output() == b"RSET\r\n"
    events = feed(machine, b"250 ok\r\n")
    assert fates(events) == [Fate.REFUSED, Fate.REFUSED]
    assert events[0].attempt.verdicts[0].reply == "550 5.7.1 no"
    machine.send(parcel())


def test_pipelined_data_without_recipients_ends_an_empty_message():
    machine = machine_at("PIPELINING")
    machine.send(parcel("a@x"))
    machine.take_output()
    assert feed(machine, b"250 ok\r\n550 no\r\n354 go\r\n") == []
    assert machine.take_output() == b".\r\n"
    assert fates(feed(machine, b"250 strange\r\n")) == [Fate.REFUSED]


def test_421_in_the_middle_ends_the_connection():
    machine = machine_at("PIPELINING")
    machine.send(parcel("a@x", "b@x"))
    events = feed(machine, b"250 ok\r\n550 no\r\n421 4.3.2 closing\r\n")
    assert fates(events) == [Fate.REFUSED, Fate.DEFERRED]
    assert machine.is_over


def test_a_250_to_data_is_no_delivery():
    machine = machine_at("PIPELINING")
    machine.send(parcel("a@x"))
    with pytest.raises(RemoteProtocolError):
        feed(machine, b"250 ok\r\n250 ok\r\n250 thanks\r\n")


def test_helo_when_ehlo_is_unknown():
    machine = ClientMachine(STOP, "mail.example.org")
    feed(machine, b"220 old\r\n500 what\r\n")
    assert machine.take_output() == b"EHLO mail.example.org\r\nHELO mail.example.org\r\n"
    assert feed(machine, b"250 hello\r\n") == [Ready()]


@pytest.mark.parametrize(
    ("greeting", "fate", "down"),
    [
        (b"421 busy\r\n", Fate.DEFERRED, True),
        (b"450 greylist\r\n", Fate.DEFERRED, True),
        (b"554 5.7.1 blocked\r\n", Fate.REFUSED, False),
    ],
)
def test_a_greeting_may_turn_us_away(greeting, fate, down):
    machine = ClientMachine(STOP, "mail.example.org")
    (event,) = feed(machine, greeting)
    assert isinstance(event, Failed)
    assert (event.verdict.fate, event.is_host_down) == (fate, down)


def test_our_own_greeting_is_a_loop_unless_it_is_the_smarthost():
    machine = ClientMachine(STOP, "mail.example.org")
    (event,) = feed(machine, b"220 MAIL.example.org. ESMTP\r\n")
    assert event.verdict.status == "5.4.6"
    relay = Stop("relay", ("127.0.0.1",), tls=TlsNeed.NEVER, is_smarthost=True)
    machine = ClientMachine(relay, "mail.example.org")
    assert feed(machine, b"220 mail.example.org ESMTP\r\n250 hi\r\n") == [Ready()]


def test_starttls_forgets_what_was_offered_before():
    machine = ClientMachine(
        Stop("h", ("127.0.0.1",), tls=TlsNeed.OPPORTUNISTIC), "mail.example.org"
    )
    events = feed(machine, b"220 h\r\n250-h\r\n250-SIZE 1\r\n250 STARTTLS\r\n220 go\r\n")
    assert events == [BeginTls()]
    machine.take_output()
    machine.tls_started()
    assert machine.take_output() == b"EHLO mail.example.org\r\n"
    assert feed(machine, b"250 h\r\n") == [Ready()]
    machine.send(parcel())
    assert machine.take_output() == b"MAIL FROM:<alice@example.org>\r\n"


def test_bytes_behind_starttls_are_an_attack():
    machine = ClientMachine(
        Stop("h", ("127.0.0.1",), tls=TlsNeed.OPPORTUNISTIC), "mail.example.org"
    )
    with pytest.raises(RemoteProtocolError):
        feed(machine, b"220 h\r\n250-h\r\n250 STARTTLS\r\n220 go\r\n250 evil\r\n")


@pytest.mark.parametrize("need", [TlsNeed.REQUIRED, TlsNeed.VERIFIED])
@pytest.mark.parametrize("said", [b"250 h\r\n", b"250-h\r\n250 STARTTLS\r\n454 no\r\n"])
def test_required_tls_is_required(need, said):
    machine = ClientMachine(Stop("h", ("127.0.0.1",), tls=need), "mail.example.org")
    (event,) = feed(machine, b"220 h\r\n" + said)
    assert event.verdict.status == "4.7.10"


def test_a_refused_starttls_is_lived_with():
    machine = ClientMachine(
        Stop("h", ("127.0.0.1",), tls=TlsNeed.OPPORTUNISTIC), "mail.example.org"
    )
    said = b"220 h\r\n250-h\r\n250 STARTTLS\r\n454 not now\r\n"
    assert feed(machine, said) == [Ready()]


@pytest.mark.parametrize(
    ("offer", "dialogue"),
    [
        ("AUTH PLAIN LOGIN", [(b"AUTH PLAIN AHVzAHB3\r\n", b"235 ok\r\n")]),
        (
            "AUTH LOGIN",
            [
                (b"AUTH LOGIN\r\n", b"334 VXNlcm5hbWU6\r\n"),
                (b"dXM=\r\n", b"334 x\r\n"),
                (b"cHc=\r\n", b"235 ok\r\n"),
            ],
        ),
    ],
)
def test_login_inside_tls(offer, dialogue):
    relay = Stop("h", ("127.0.0.1",), tls=TlsNeed.IMPLICIT, login="us", password="pw")
    machine = ClientMachine(relay, "mail.example.org", is_tls=True)
    events = feed(machine, f"220 h\r\n250-h\r\n250 {offer}\r\n".encode())
    machine._output.pop(0)
    for said, answer in dialogue:
        assert machine.take_output() == said
        events = feed(machine, answer)
    assert events == [Ready()]


def test_a_password_is_never_said_without_tls():
    relay = Stop("h", ("127.0.0.1",), tls=TlsNeed.OPPORTUNISTIC, login="us", password="pw")
    machine = ClientMachine(relay, "mail.example.org")
    (event,) = feed(machine, b"220 h\r\n250-h\r\n250 AUTH PLAIN\r\n")
    assert event.verdict.fate is Fate.DEFERRED
    assert b"AUTH" not in machine.take_output()


def test_a_wrong_password_loses_no_mail():
    relay = Stop("h", ("127.0.0.1",), tls=TlsNeed.IMPLICIT, login="us", password="pw")
    machine = ClientMachine(relay, "mail.example.org", is_tls=True)
    (event,) = feed(machine, b"220 h\r\n250-h\r\n250 AUTH PLAIN\r\n535 5.7.8 wrong\r\n")
    assert event.verdict.fate is Fate.DEFERRED


@pytest.mark.parametrize(
    ("offers", "fields", "status"),
    [
        (("SIZE 499",), {}, "5.3.4"),
        ((), {"is_8bit": True}, "5.6.3"),
        ((), {"needs_smtputf8": True}, "5.6.7"),
    ],
)
def test_what_the_host_cannot_take_is_not_sent(offers, fields, status):
    machine = machine_at(*offers)
    machine.send(parcel(**fields))
    (done,) = drained(machine)
    assert done.attempt.verdicts[0].status == status
    assert machine.take_output() == b""
    machine.send(parcel())


def test_dsn_parameters_are_passed_on_where_understood():
    recipient = QueuedRecipient(
        "x@one.example", Notify.SUCCESS | Notify.DELAY, "rfc822;a+b=c@d.example"
    )
    offers = {"DSN": "", "SIZE": "", "8BITMIME": "", "SMTPUTF8": ""}
    full = parcel(
        recipient, envelope_id="id+1", wants_headers_only=True, is_8bit=True, needs_smtputf8=True
    )
    assert mail_command(full, offers) == (
        "MAIL FROM:<alice@example.org> SIZE=500 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id+2B1"
    )
    assert rcpt_command(recipient, offers) == (
        "RCPT TO:<x@one.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb+3Dc@d.example"
    )
    assert rcpt_command(recipient, {}) == "RCPT TO:<x@one.example>"
    never = QueuedRecipient("x@one.example", Notify.NEVER, "bad kind;x")
    assert rcpt_command(never, offers) == "RCPT TO:<x@one.example> NOTIFY=NEVER"
    assert mail_command(parcel(sender=""), {}) == "MAIL FROM:<>"


@pytest.mark.parametrize("address", ["a@x>\r\nDATA", "a@x\0", "a@x> SIZE=1", "a\n@x", "<a@x"])
def test_no_address_can_become_a_command(address):
    machine = machine_at("PIPELINING")
    with pytest.raises(UnfitAddress):
        machine.send(parcel("ok@x", address))
    assert machine.take_output() == b""
    machine.send(parcel())


def test_misuse_is_our_own_error():
    with pytest.raises(LocalProtocolError):
        ClientMachine(STOP, "h").send(parcel())


@pytest.mark.parametrize(
    ("wire", "fault"),
    [
        (b".\r\n", ""),
        (b"a\r\n.\r\n", ""),
        (b"..\r\n.\r\n", ""),
        (b"a\r\n", "terminator"),
        (b"", "terminator"),
        (b"a\nb\r\n.\r\n", "bare"),
        (b"a\rb\r\n.\r\n", "bare"),
        (b"\na\r\n.\r\n", "bare"),
        (b"a\r\r\n.\r\n", "bare"),
        (b"a\r\n.\r\nMAIL FROM:<evil@x>\r\n.\r\n", "lone dot"),
        (b".\r\nMAIL\r\n.\r\n", "lone dot"),
    ],
)
def test_content_that_could_smuggle_is_not_sent(wire, fault):
    assert fault in content_fault(b"", wire)
    assert bool(fault) == bool(content_fault(b"", wire))


@pytest.mark.parametrize("at", range(-6, 7))
@pytest.mark.parametrize("bad", [b"\r\n.\r\n", b"\n", b"\r"])
def test_no_fault_hides_at_a_seam(at, bad):
    size = 1 << 20
    clean = b"x" * (size + at) + b"\r\n" + b"y" * 100 + b"\r\n.\r\n"
    assert content_fault(b"", clean) == ""
    assert content_fault(b"", b"x" * (size + at) + bad + b"y" * 100 + b"\r\n.\r\n")


def test_a_prefix_is_checked_too():
    assert content_fault(b"X: y", b".\r\n")
    assert content_fault(b"X: y\nEvil: z\r\n", b".\r\n")
    assert not content_fault(b"X: y\r\n", b".\r\n")


@pytest.mark.parametrize(
    "said",
    [
        b"hello\r\n",
        b"25\r\n",
        b"999 x\r\n",
        b"100 x\r\n",
        b"250_x\r\n",
        b"250-a\r\n251 b\r\n",
        b"x" * 2049,
        b"250 " + b"x" * 2050 + b"\r\n",
        b"250-x\r\n" * 101,
        b"HTTP/1.1 400 Bad\r\n",
    ],
)
def test_what_is_no_reply_is_refused(said):
    reader = ReplyReader()
    reader.receive_data(said)
    with pytest.raises(RemoteProtocolError):
        list(iter(reader.next_reply, None))


def test_replies_are_flattened_and_bounded():
    reader = ReplyReader()
    reader.receive_data(b"550-5.1.1 \x1b[31mno\r\n550 5.1.1 such " + b"u" * 900 + b"\r\n")
    reply = reader.next_reply()
    assert reply.status == "5.1.1"
    assert reply.text.startswith("550 5.1.1 ?[31mno 5.1.1 such uuu")
    assert len(reply.text) == 512
    assert reader.is_empty


@given(st.lists(st.sampled_from([b"250 ok\r\n", b"250-a\r\n250 b\r\n", b"421\r\n"])), st.data())
@settings(max_examples=60)
def test_any_split_gives_the_same_replies(replies, data):
    whole = b"".join(replies)
    first, second = ReplyReader(), ReplyReader()
    first.receive_data(whole)
    expected = list(iter(first.next_reply, None))
    got, at = [], 0
    while at < len(whole):
        step = data.draw(st.integers(1, 7))
        second.receive_data(whole[at : at + step])
        got += iter(second.next_reply, None)
        at += step
    assert got == expected
    assert len(got) == len(replies)


@given(st.binary(max_size=400), st.booleans())
@settings(max_examples=150)
def test_noise_gives_verdicts_or_a_protocol_error(noise, pipelining):
    machine = machine_at(*(["PIPELINING"] if pipelining else []))
    machine.send(parcel("a@x", "b@x"))
    try:
        for event in feed(machine, noise):
            assert isinstance(event, (ContentWanted, Done, Failed))
    except (RemoteProtocolError, LocalProtocolError):
        pass
