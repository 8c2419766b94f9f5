from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.model.errors import LocalProtocolError, RemoteProtocolError
from posthouse.protocols.pop3.wire import grammar as g
from posthouse.protocols.pop3.wire.grammar import Fault, State
from posthouse.protocols.pop3.wire.machine import TRANSITIONS, LineLimits, Machine, Step

INSIDE = State.TRANSACTION


def events(pieces: list[bytes], state: State = State.AUTHORIZATION) -> list[object]:
    """All events; faults as their hints. AUTH is taken as challenged, cancelling as refused."""
    machine = Machine()
    machine.state = state
    seen: list[object] = []
    for piece in pieces:
        machine.receive_data(piece)
        while True:
            try:
                event = machine.next_event()
            except RemoteProtocolError as error:
                seen.append(error.reply_hint)
                continue
            if event is None:
                break
            seen.append(event)
            if isinstance(event, g.Auth):
                machine.advance(Step.CHALLENGED)
            elif isinstance(event, g.SaslCancel):
                machine.advance(Step.REFUSED)
    return seen


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"STAT", g.Stat()),
        (b"stat  ", g.Stat()),
        (b"LIST", g.List(None)),
        (b"LIST 7", g.List(7)),
        (b"list 7 ", g.List(7)),
        (b"RETR 1", g.Retr(1)),
        (b"RETR 0001", g.Retr(1)),
        (b"RETR 99999999999999999999999", g.Retr(g.BEYOND)),
        (b"DELE 3", g.Dele(3)),
        (b"TOP 1 0", g.Top(1, 0)),
        (b"UIDL", g.Uidl(None)),
        (b"UIDL 2", g.Uidl(2)),
        (b"NOOP", g.Noop()),
        (b"RSET", g.Rset()),
        (b"QUIT", g.Quit()),
        (b"CAPA", g.Capa()),
        (b"LANG", g.Lang("")),
        (b"LANG *", g.Lang("*")),
        (b"LANG de-AT", g.Lang("de-AT")),
    ],
)
def test_reads_commands_inside(line: bytes, command: object) -> None:
    assert events([line + b"\r\n"], INSIDE) == [command]


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"USER alice", g.User("alice")),
        (b"USER alice+Sent Items@example.org", g.User("alice+Sent Items@example.org")),
        ("USER jürgen".encode(), g.User("jürgen")),
        (b"PASS  two  spaces ", g.Pass(b" two  spaces ")),
        (b"PASS \xff", g.Pass(b"\xff")),
        (b"APOP alice c4c9334bac560ecc979e58001b3e22fb", g.Apop()),
        (b"STLS", g.Stls()),
        (b"UTF8", g.Utf8()),
        (b"AUTH", g.Auth("", None)),
        (b"AUTH plain", g.Auth("PLAIN", None)),
        (b"AUTH PLAIN =", g.Auth("PLAIN", b"")),
        (b"AUTH PLAIN AGEAYg==", g.Auth("PLAIN", b"\0a\0b")),
    ],
)
def test_reads_commands_before_login(line: bytes, command: object) -> None:
    assert events([line + b"\r\n"]) == [command]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"RETR\r\n", Fault.SYNTAX),
        (b"RETR \r\n", Fault.SYNTAX),
        (b"RETR -1\r\n", Fault.SYNTAX),
        (b"RETR 1 2\r\n", Fault.SYNTAX),
        (b"RETR \xb2\r\n", Fault.SYNTAX),
        (b"TOP 1\r\n", Fault.SYNTAX),
        (b"TOP 1 -1\r\n", Fault.SYNTAX),
        (b"STAT 1\r\n", Fault.SYNTAX),
        (b"LANG de_DE\r\n", Fault.SYNTAX),
        (b"LANG \xff\r\n", Fault.SYNTAX),
        (b"XYZZY\r\n", Fault.UNKNOWN),
        (b"\r\n", Fault.UNKNOWN),
        (b" NOOP\r\n", Fault.UNKNOWN),
        (b"RETR\t1\r\n", Fault.UNKNOWN),
        (b"USER alice\r\n", Fault.STATE),
        (b"PASS x\r\n", Fault.STATE),
        (b"STLS\r\n", Fault.STATE),
        (b"AUTH PLAIN\r\n", Fault.STATE),
        (b"UTF8\r\n", Fault.STATE),
        (b"NOOP\n", Fault.LINE_END),
        (b"\n", Fault.LINE_END),
        (b"NO\rOP\r\n", Fault.LINE_END),
        (b"NOOP\r\r\n", Fault.LINE_END),
        (b"NOOP\0\r\n", Fault.LINE_END),
        (b"NOOP " + b"x" * 260 + b"\r\n", Fault.TOO_LONG),
        (b"GET / HTTP/1.1\r\n", Fault.FOREIGN),
    ],
)
def test_refuses(data: bytes, fault: Fault) -> None:
    assert events([data], INSIDE) == [fault]


def test_goes_on_behind_a_wrong_line() -> None:
    assert events([b"NOOP\nNOOP\r\n"], INSIDE) == [Fault.LINE_END, g.Noop()]


@pytest.mark.parametrize("command", [b"RETR 1", b"STAT", b"DELE 1", b"TOP 1 1", b"RSET", b"NOOP"])
def test_mail_is_closed_before_login(command: bytes) -> None:
    assert events([command + b"\r\n"]) == [Fault.STATE]


def test_longest_line_is_255_octets_with_crlf() -> None:
    fits = b"USER " + b"a" * 248 + b"\r\n"
    assert len(fits) == 255
    assert events([fits]) == [g.User("a" * 248)]
    assert events([b"USER " + b"a" * 249 + b"\r\n"]) == [Fault.TOO_LONG]


def test_long_line_is_refused_before_it_ends() -> None:
    assert events([b"USER " + b"a" * 250]) == [Fault.TOO_LONG]
    assert events([b"USER " + b"a" * 249]) == []


def test_nothing_follows_a_line_too_long() -> None:
    assert events([b"A" * 300, b"\r\nQUIT\r\n"]) == [Fault.TOO_LONG]


def test_auth_lines_may_be_long() -> None:
    import base64

    message = b"\0" + b"a" * 3000 + b"\0b"
    line = b"AUTH PLAIN " + base64.b64encode(message) + b"\r\n"
    assert events([line]) == [g.Auth("PLAIN", message)]
    assert events([b"auth plain " + b"A" * 17000]) == [Fault.TOO_LONG]


def test_sasl_lines() -> None:
    assert events([b"AUTH PLAIN\r\nAGEAYg==\r\n"]) == [
        g.Auth("PLAIN", None),
        g.SaslResponse(b"\0a\0b"),
    ]
    assert events([b"AUTH PLAIN\r\n*\r\nNOOP\r\n"]) == [
        g.Auth("PLAIN", None),
        g.SaslCancel(),
        Fault.STATE,
    ]
    assert events([b"AUTH PLAIN\r\n\r\n"])[1] == g.SaslResponse(b"")


@pytest.mark.parametrize("answer", [b"!!!!\r\n", b"AGEAYg=\r\n", b"AGEAYg==\n", b"AGE\0\r\n"])
def test_a_broken_answer_ends_the_exchange(answer: bytes) -> None:
    seen = events([b"AUTH PLAIN\r\n" + answer + b"USER a\r\n"])
    assert isinstance(seen[1], str)
    assert seen[2] == g.User("a")


def test_bytes_behind_stls_are_seen_and_dropped() -> None:
    machine = Machine()
    machine.receive_data(b"STLS\r\nUSER eve\r\n")
    assert machine.next_event() == g.Stls()
    assert machine.pending_octets == 10
    machine.advance(Step.TLS_BEGINS)
    assert not machine.pending_octets
    machine.advance(Step.TLS_STARTED)
    assert machine.next_event() is None


def test_impossible_steps_are_our_bug() -> None:
    with pytest.raises(LocalProtocolError):
        Machine().advance(Step.UPDATING)


def test_every_state_can_end() -> None:
    assert {state for state, step in TRANSITIONS if step is Step.ENDED} == set(State)


_LINES = st.one_of(
    st.sampled_from(
        [
            b"USER alice\r\n",
            b"PASS x\r\n",
            b"RETR 1\r\n",
            b"AUTH PLAIN\r\n",
            b"AGEAYg==\r\n",
            b"*\r\n",
            b"CAPA\r\n",
            b"NOOP\n",
            b"A" * 254 + b"\r\n",
            b"A" * 253 + b"\r\n",
            b"AUTH PLAIN " + b"A" * 400 + b"\r\n",
            b"GET / HTTP/1.0\r\n",
        ]
    ),
    st.binary(max_size=12),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_LINES, max_size=8), st.lists(st.integers(0, 600), max_size=8), st.booleans())
def test_any_split_gives_the_same_events(
    lines: list[bytes], cuts: list[int], is_inside: bool
) -> None:
    data = b"".join(lines)
    state = State.TRANSACTION if is_inside else State.AUTHORIZATION
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    whole = events([data], state)
    assert events(pieces, state) == whole
    assert events([data[i : i + 1] for i in range(len(data))], state) == whole


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=20))
def test_memory_is_bounded(pieces: list[bytes]) -> None:
    machine = Machine(LineLimits(command=64, sasl=128))
    for piece in pieces:
        machine.receive_data(piece)
        while True:
            try:
                if machine.next_event() is None:
                    break
            except RemoteProtocolError:
                continue
        assert machine.pending_octets <= len(piece) + 128
