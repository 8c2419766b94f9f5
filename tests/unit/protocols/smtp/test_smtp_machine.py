from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.model.errors import LocalProtocolError, RemoteProtocolError
from posthouse.protocols.smtp.wire.commands import (
    NEED_DATA,
    Auth,
    AuthLine,
    Bdat,
    Chunk,
    Content,
    Data,
    Noop,
    Quit,
    Rset,
    Starttls,
)
from posthouse.protocols.smtp.wire.limits import WireLimits
from posthouse.protocols.smtp.wire.replies import (
    CHUNK_OK,
    CONTINUE,
    GRAMMAR_REPLIES,
    OK,
    READY_FOR_TLS,
    RECIPIENT_FIRST,
    STOPPING,
    reply,
)
from posthouse.protocols.smtp.wire.server_machine import ServerMachine, State

GREETING = reply(220, "", "mail.example.org")
MORE = reply(334, "", "")


def machine(**limits):
    made = ServerMachine(WireLimits(**limits))
    made.send(GREETING)
    return made


def events(made, data, answers):
    """Everything read from ``data``; commands are answered with what ``answers`` has for their kind."""
    made.receive_data(data)
    out = []
    while True:
        try:
            event = made.next_event()
        except RemoteProtocolError as e:
            out.append(e.reply_hint)
            made.send(GRAMMAR_REPLIES[e.reply_hint])
            continue
        if event is NEED_DATA:
            return out
        out.append(event)
        if isinstance(event, Content):
            if event.end:
                made.send(OK)
        elif isinstance(event, Chunk):
            if event.is_end:
                made.send(CHUNK_OK)
        elif not isinstance(event, Bdat):
            made.send(answers.get(type(event), OK))


def simplified(found):
    """Join pieces of content, so that different splits compare."""
    out = []
    for event in found:
        if isinstance(event, Content | Chunk):
            if out and isinstance(out[-1], list):
                out[-1][0] += event.data
            else:
                out.append([event.data, None])
            if isinstance(event, Content):
                out[-1][1] = event.end
            else:
                out[-1][1] = (event.is_end, event.is_last)
        else:
            out.append(event)
    return out


CONVERSATION = (
    b"NOOP\r\nDATA\r\nSubject: x\r\n\r\n..dots\r\nbody\r\n.\r\nBDAT 12\r\nQUIT\r\n\r\n.\r\n\r"
    b"BDAT 5 LAST\r\n\nabcdAUTH PLAIN\r\nAGEAYg==\r\nrset\r\nBDAT 0 LAST\r\nQUIT\r\n"
)


@given(st.lists(st.integers(0, len(CONVERSATION))))
@settings(max_examples=100)
def test_any_split_reads_the_same(cuts):
    # AUTH needs its second line to be asked for.
    answers = {Data: CONTINUE, Auth: MORE}
    whole = simplified(events(machine(), CONVERSATION, answers))
    split = machine()
    edges = [0, *sorted(cuts), len(CONVERSATION)]
    found = []
    for a, b in itertools.pairwise(edges):
        if a < b:
            found += events(split, CONVERSATION[a:b], answers)
    assert simplified(found) == whole
    kinds = [type(event) for event in whole]
    assert kinds == [
        Noop,
        Data,
        list,
        Bdat,
        list,
        Bdat,
        list,
        Auth,
        AuthLine,
        Rset,
        Bdat,
        list,
        Quit,
    ]
    assert whole[4][0] == b"QUIT\r\n\r\n.\r\n\r"


def test_octets_behind_starttls_are_refused_and_nothing_is_read_any_more():
    made = machine()
    assert events(made, b"STARTTLS\r\nNOOP\r\n", {Starttls: READY_FOR_TLS}) == ["tls-pipelined"]
    assert made.state is State.CLOSED
    assert events(made, b"NOOP\r\n", {}) == []


def test_starttls_waits_for_the_handshake_and_starts_over():
    made = machine()
    assert events(made, b"STARTTLS\r\n", {Starttls: READY_FOR_TLS}) == [Starttls()]
    assert made.state is State.TLS
    made.start_over()
    assert events(made, b"NOOP\r\n", {}) == [Noop()]


def test_a_refused_starttls_goes_on_in_clear():
    made = machine()
    assert events(made, b"STARTTLS\r\n", {Starttls: RECIPIENT_FIRST}) == [Starttls()]
    assert events(made, b"NOOP\r\n", {}) == [Noop()]


@pytest.mark.parametrize(
    "line",
    [
        b"NO\nOP\r\n",
        b"NOOP\n",
        b"NOOP\rNOOP\r\n",
        b"NOOP\r\r\n",
        b"\nNOOP\r\n",
        b"\r\rX",
        b"NOOP\rX",
    ],
)
def test_a_bare_cr_or_lf_in_a_command_ends_everything(line):
    made = machine()
    assert events(made, line + b"NOOP\r\n", {}) == ["bare-eol"]
    assert made.state is State.CLOSED


def test_a_cr_at_the_end_may_still_get_its_lf():
    made = machine()
    assert events(made, b"NOOP\r", {}) == []
    assert events(made, b"\n", {}) == [Noop()]


def test_line_limits_hold_while_reading():
    made = machine(command_bytes=20, auth_bytes=40)
    assert events(made, b"NOOP " + b"x" * 13 + b"\r\n", {}) == [Noop()]
    assert events(made, b"NOOP " + b"x" * 14, {}) == []
    assert events(made, b"x", {}) == ["line"]
    made = machine(command_bytes=20, auth_bytes=40)
    found = events(made, b"auth X " + b"y" * 30 + b"\r\n", {Auth: OK})
    assert found == [Auth("X", "y" * 30)]
    assert events(made, b"auth X " + b"y" * 33, {}) == ["line"]


def test_a_line_that_is_too_long_and_whole_is_refused_too():
    assert events(machine(command_bytes=20), b"NOOP " + b"x" * 14 + b"\r\n", {}) == ["line"]


def test_http_ends_everything():
    for verb in (b"GET / HTTP/1.1", b"post /x HTTP/1.0", b"PRI * HTTP/2.0"):
        made = machine()
        assert events(made, verb + b"\r\nHost: x\r\nQUIT\r\n", {}) == ["http"]


@pytest.mark.parametrize("line", [b"NO\0OP", b"NOOP \x1b[1m", b"NOOP \xff", "NOOP \u202e".encode()])
def test_what_is_not_printable_is_refused_but_not_fatal(line):
    made = machine()
    assert events(made, line + b"\r\nNOOP\r\n", {}) == ["syntax", Noop()]


def test_a_chunk_that_cannot_be_read_past_is_fatal():
    for line in (
        b"BDAT",
        b"BDAT x",
        b"BDAT -1",
        b"BDAT 5 FIRST",
        b"BDAT 5 LAST x",
        b"BDAT " + b"9" * 21,
    ):
        assert events(machine(), line + b"\r\nNOOP\r\n", {}) == ["chunk"]
    assert events(machine(), b"BDAT 99999999999\r\nNOOP\r\n", {}) == ["chunk-size"]


def test_nothing_is_read_before_the_answer():
    made = machine()
    made.receive_data(b"DATA\r\nQUIT\r\n")
    assert made.next_event() == Data()
    with pytest.raises(LocalProtocolError):
        made.next_event()
    made.send(CONTINUE)
    assert isinstance(made.next_event(), Content)


def test_only_goodbye_may_be_said_while_content_comes():
    made = machine()
    events(made, b"DATA\r\n", {Data: CONTINUE})
    with pytest.raises(LocalProtocolError):
        made.send(OK)
    made.send(STOPPING)
    with pytest.raises(LocalProtocolError):
        made.send(OK)


def test_a_message_in_one_read_is_passed_on_without_a_copy():
    made = machine()
    events(made, b"DATA\r\n", {Data: CONTINUE})
    data = b"Subject: x\r\n\r\nbody\r\n.\r\n"
    made.receive_data(data)
    assert made.next_event().data is data


def test_every_hint_has_a_reply():
    import re
    from pathlib import Path

    import posthouse.protocols.smtp.wire as wire

    sources = "".join(p.read_text() for p in Path(wire.__file__).parent.glob("*.py"))
    hints = set(re.findall(r'RemoteProtocolError\([^)]*?, "([a-z-]+)"\)', sources))
    assert hints
    assert hints <= set(GRAMMAR_REPLIES)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
@settings(max_examples=200)
def test_no_input_breaks_it(data, cuts):
    made = machine(command_bytes=64, message_bytes=100, excess_bytes=100)
    edges = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    for a, b in itertools.pairwise(edges):
        if made.state is not State.CLOSED:
            events(made, data[a:b], {Data: CONTINUE, Auth: MORE})
