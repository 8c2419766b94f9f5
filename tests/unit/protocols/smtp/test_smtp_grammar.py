from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.model.address import Address
from posthouse.model.errors import RemoteProtocolError
from posthouse.model.queue import Notify
from posthouse.protocols.smtp.wire.commands import Auth, Bdat, Hello, Mail, Rcpt
from posthouse.protocols.smtp.wire.grammar import command_from_line
from posthouse.protocols.smtp.wire.xtext import text_from_xtext, xtext_from_text

A = Address("a", "b.example")


def hint(line):
    with pytest.raises(RemoteProtocolError) as e:
        command_from_line(line)
    return e.value.reply_hint


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"ehlo [192.0.2.1]", Hello("EHLO", "[192.0.2.1]")),
        (b"HELO x ", Hello("HELO", "x")),
        (b"MAIL FROM:<>", Mail(None)),
        (b"mail from:<a@B.Example>", Mail(A)),
        (b"MAIL FROM: <a@b.example>", Mail(A)),
        (b"MAIL FROM:<a@b.example> ", Mail(A)),
        (b"MAIL FROM:<a@b.example> SIZE=10 body=8bitmime", Mail(A, 10, is_8bit=True)),
        (b"MAIL FROM:<a@b.example> BODY=7BIT AUTH=<>", Mail(A)),
        (b"MAIL FROM:<a@b.example> SMTPUTF8", Mail(A, needs_smtputf8=True)),
        (
            b"MAIL FROM:<a@b.example> RET=HDRS ENVID=QQ+2B1",
            Mail(A, wants_headers_only=True, envelope_id="QQ+2B1"),
        ),
        ("MAIL FROM:<ä@b.example>".encode(), Mail(Address("ä", "b.example"))),
        (b"RCPT TO:<a@b.example>", Rcpt(A, "a@b.example")),
        (b'RCPT TO:<"x>y"@b.example>', Rcpt(Address("x>y", "b.example"), '"x>y"@b.example')),
        (b"RCPT TO:<PostMaster>", Rcpt(Address("PostMaster", ""), "PostMaster")),
        (
            b"RCPT TO:<a@b.example> NOTIFY=SUCCESS,delay ORCPT=rfc822;a+2Bx@b.example",
            Rcpt(A, "a@b.example", Notify.SUCCESS | Notify.DELAY, "rfc822;a+2Bx@b.example"),
        ),
        (b"RCPT TO:<a@b.example> NOTIFY=NEVER", Rcpt(A, "a@b.example", Notify.NEVER)),
        (
            "RCPT TO:<a@b.example> ORCPT=utf-8;ä@b.example".encode(),
            Rcpt(A, "a@b.example", original="utf-8;ä@b.example"),
        ),
        (b"BDAT 0 last", Bdat(0, is_last=True)),
        (b"BDAT 12", Bdat(12, is_last=False)),
        (b"AUTH plain AGEAYg==", Auth("PLAIN", "AGEAYg==")),
        (b"AUTH LOGIN", Auth("LOGIN", None)),
    ],
)
def test_commands(line, command):
    assert command_from_line(line) == command


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"", "unknown"),
        (b" NOOP", "unknown"),
        (b"XYZZY", "unknown"),
        ("MA\u0131L FROM:<a@b>".encode(), "unknown"),
        (b"EHLO", "argument"),
        (b"EHLO a b", "argument"),
        ("EHLO ä".encode(), "argument"),
        (b"EHLO " + b"x" * 256, "argument"),
        (b"MAIL", "argument"),
        (b"MAIL TO:<a@b>", "argument"),
        (b"MAIL FROM:a@b", "sender"),
        (b"MAIL FROM:<a@b", "sender"),
        (b"MAIL FROM:<a@b>SIZE=1", "sender"),
        (b"MAIL FROM:<a b@c>", "sender"),
        (b"MAIL FROM:<a@b@c.example>", "sender"),
        (b"MAIL FROM:<@r.example:a@b.example>", "route"),
        (b"MAIL FROM:<a@" + b"b" * 400 + b">", "sender"),
        (b"MAIL FROM:<a@b.example> FOO=1", "parameter"),
        (b"MAIL FROM:<a@b.example> SIZE=x", "parameter-value"),
        (b"MAIL FROM:<a@b.example> SIZE=" + b"1" * 21, "parameter-value"),
        (b"MAIL FROM:<a@b.example> SIZE=1 SIZE=1", "parameter-value"),
        (b"MAIL FROM:<a@b.example> SIZE=", "parameter-value"),
        (b"MAIL FROM:<a@b.example> SIZE", "parameter-value"),
        ("MAIL FROM:<a@b.example> SIZE=²".encode(), "parameter-value"),
        (b"MAIL FROM:<a@b.example> BODY=BINARYMIME", "parameter-value"),
        (b"MAIL FROM:<a@b.example> SMTPUTF8=1", "parameter-value"),
        (b"MAIL FROM:<a@b.example> RET=SOME", "parameter-value"),
        (b"MAIL FROM:<a@b.example> ENVID=" + b"x" * 101, "parameter-value"),
        (b"MAIL FROM:<a@b.example> ENVID=a+0D+0AX-Evil:", "parameter-value"),
        (b"RCPT TO:<>", "recipient"),
        (b"RCPT TO:<a>", "recipient"),
        (b"RCPT TO:<a%b>", "recipient"),
        (b"RCPT TO:<b!a>", "recipient"),
        (b'RCPT TO:<"a@foreign.example">', "recipient"),
        (b"RCPT TO:<@r.example,@s.example:a@b.example>", "route"),
        (b"RCPT TO:<a@b.example> SIZE=1", "parameter"),
        (b"RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY", "parameter-value"),
        (b"RCPT TO:<a@b.example> NOTIFY=", "parameter-value"),
        (b"RCPT TO:<a@b.example> ORCPT=rfc822", "parameter-value"),
        (b"RCPT TO:<a@b.example> ORCPT=rfc822;a+0", "parameter-value"),
        (b"RCPT TO:<a@b.example> ORCPT=rfc822;a+0Ab", "parameter-value"),
        (b"DATA now", "no-argument"),
        (b"QUIT please", "no-argument"),
        (b"VRFY", "argument"),
        (b"AUTH", "argument"),
        (b"AUTH PLAIN a b", "argument"),
        (b"GET / HTTP/1.1", "http"),
        (b"NOOP \x00", "syntax"),
        (b"NOOP\t", "syntax"),
        (b"\xc3\x28", "syntax"),
    ],
)
def test_refusals(line, expected):
    assert hint(line) == expected


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_xtext_is_undone_exactly(text):
    assert text_from_xtext(xtext_from_text(text)) == text
    assert xtext_from_text(text).isascii()


@given(st.text(max_size=30))
def test_xtext_gives_printable_text_or_refuses(raw):
    with contextlib.suppress(RemoteProtocolError):
        assert text_from_xtext(raw).isprintable() or not raw.isprintable()


@given(st.binary(max_size=80))
def test_any_line_is_a_command_or_refused(line):
    for lead in (b"", b"MAIL FROM:<", b"RCPT TO:<a@b.example> ", b"AUTH ", b"BDAT "):
        with contextlib.suppress(RemoteProtocolError):
            command_from_line(lead + line)
