"""The courier over loopback: scripted servers that misbehave, and aiosmtpd that does not."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from tests.unit.protocols.smtp_client.conftest import QUICK, WIRE, courier, parcel, playing, stop

from posthouse.ports.courier import Fate, TlsNeed, Unreachable


async def orderly(script):
    """A server that takes one message over a plain connection."""
    await script.greet("PIPELINING", "SIZE 1000000")
    for _ in range(3):
        await script.hear()
    await script.say("250 ok", "250 ok", "354 go")
    await script.content()
    await script.say("250 2.0.0 taken")
    await script.hear()
    await script.say("221 bye")


async def deliver(port, *, patience=QUICK, to_stop=None, **fields):
    visit = await courier(patience).visit(to_stop or stop(port))
    assert not isinstance(visit, Unreachable), visit
    try:
        return await visit.deliver(parcel(**fields))
    finally:
        await visit.leave()


def test_prefix_and_stored_form_go_out_as_they_are():
    async def run():
        async with playing(orderly) as (port, scripts):
            attempt = await deliver(port)
            assert [v.fate for v in attempt.verdicts] == [Fate.TAKEN]
            await asyncio.sleep(0)
            assert scripts[0].heard == [
                "EHLO mail.example.org",
                "MAIL FROM:<alice@example.org> SIZE=500",
                "RCPT TO:<x@one.example>",
                "DATA",
                b"Received: by us\r\n" + WIRE,
                "QUIT",
            ]

    asyncio.run(run())


def test_a_large_message_goes_out_whole():
    async def run():
        wire = b"0123456789abcdef" * 65536 * 3 + b"\r\n.\r\n"
        async with playing(orderly) as (port, scripts):
            script_limit = 1 << 23

            async def large(script):
                script.reader._limit = script_limit
                await orderly(script)

            async with playing(large) as (port, scripts):
                attempt = await deliver(port, wire=memoryview(wire))
                assert attempt.verdicts[0].fate is Fate.TAKEN
                assert scripts[0].heard[4] == b"Received: by us\r\n" + wire

    asyncio.run(run())


def test_content_that_could_smuggle_never_leaves():
    async def run():
        async def greeting_only(script):
            await script.greet("PIPELINING")
            await script.hear()

        async with playing(greeting_only) as (port, scripts):
            attempt = await deliver(port, wire=b"a\n.\nMAIL FROM:<evil@x>\r\n.\r\n")
            assert attempt.verdicts[0].status == "5.6.0"
            assert scripts[0].heard[1:] in ([], ["QUIT"])

    asyncio.run(run())


async def silent(script):
    await script.reader.read()


async def closes_at_once(script):
    pass


async def says_http(script):
    await script.say("HTTP/1.1 400 Bad Request")
    await script.reader.read()


async def says_too_much(script):
    await script.say(*(f"220-line {n}" for n in range(101)))
    await script.reader.read()


async def line_without_end(script):
    for _ in range(40):
        script.writer.write(b"220 " + b"x" * 100)
        await script.writer.drain()
    await script.reader.read()


@pytest.mark.parametrize(
    "play", [silent, closes_at_once, says_http, says_too_much, line_without_end]
)
def test_hosts_that_do_not_greet_are_unreachable(play):
    async def run():
        async with playing(play) as (port, _):
            outcome = await courier(replace(QUICK, command_s=0.2)).visit(stop(port))
            assert isinstance(outcome, Unreachable)
            assert outcome.verdict.fate is Fate.DEFERRED
            assert outcome.is_host_down

    asyncio.run(run())


def test_nobody_listens_and_the_next_address_is_tried():
    async def run():
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            outcome = await courier().visit(stop(free.getsockname()[1]))
            assert isinstance(outcome, Unreachable)
            assert "127.0.0.1" in outcome.verdict.reply
        async with playing(orderly) as (port, _):
            both = replace(stop(port), addresses=("127.0.0.9", "127.0.0.1"))
            assert (await deliver(port, to_stop=both)).verdicts[0].fate is Fate.TAKEN
        assert isinstance(await courier().visit(replace(stop(1), addresses=())), Unreachable)

    asyncio.run(run())


async def stalls_after_content(script):
    await script.greet("PIPELINING")
    for _ in range(3):
        await script.hear()
    await script.say("250 ok", "250 ok", "354 go")
    await script.content()
    await script.reader.read()


async def closes_after_rcpt(script):
    await script.greet("PIPELINING")
    for _ in range(3):
        await script.hear()
    await script.say("250 ok", "550 5.1.1 who")


async def nonsense_after_mail(script):
    await script.greet("PIPELINING")
    await script.hear()
    await script.say("250 ok", "what?")
    await script.reader.read()


@pytest.mark.parametrize(
    ("play", "fate"),
    [
        (stalls_after_content, Fate.DEFERRED),
        (closes_after_rcpt, Fate.REFUSED),
        (nonsense_after_mail, Fate.DEFERRED),
    ],
)
def test_a_broken_conversation_becomes_verdicts(play, fate):
    async def run():
        async with playing(play) as (port, _):
            visit = await courier(replace(QUICK, content_s=0.2)).visit(stop(port))
            attempt = await visit.deliver(parcel())
            assert attempt.verdicts[0].fate is fate
            assert not visit.is_open
            await visit.leave()

    asyncio.run(run())


def test_injected_answers_before_tls_are_refused(server_tls):
    async def run():
        async def injecting(script):
            await script.greet("STARTTLS")
            await script.hear()
            script.writer.write(b"220 go\r\n250-evil\r\n250 PIPELINING\r\n")
            await script.writer.drain()
            await script.reader.read()

        async with playing(injecting) as (port, _):
            outcome = await courier().visit(stop(port))
            assert isinstance(outcome, Unreachable)
            assert "before TLS" in outcome.verdict.reply

    asyncio.run(run())


def test_opportunistic_tls_takes_any_certificate_and_says_ehlo_again(server_tls):
    async def run():
        async def with_tls(script):
            await script.greet("STARTTLS")
            assert await script.hear() == "STARTTLS"
            await script.say("220 go")
            await script.start_tls(server_tls)
            assert await script.hear() == "EHLO mail.example.org"
            await script.say("250-x", "250 PIPELINING")
            for _ in range(3):
                await script.hear()
            await script.say("250 ok", "250 ok", "354 go")
            await script.content()
            await script.say("250 2.0.0 taken")

        async with playing(with_tls) as (port, _):
            assert (await deliver(port)).verdicts[0].fate is Fate.TAKEN

    asyncio.run(run())


async def broken_tls(script):
    await script.greet("STARTTLS", "PIPELINING")
    if await script.hear() == "STARTTLS":
        await script.say("220 go")
        await script.reader.read(10)
        script.writer.write(b"this is not TLS at all\r\n")
        await script.writer.drain()
    await script.reader.read()


def test_a_broken_handshake_is_tried_once_more_without_tls():
    async def run():
        async with playing(broken_tls, orderly) as (port, scripts):
            assert (await deliver(port)).verdicts[0].fate is Fate.TAKEN
            assert len(scripts) == 2
        for need in (TlsNeed.REQUIRED, TlsNeed.VERIFIED):
            async with playing(broken_tls, orderly) as (port, scripts):
                outcome = await courier().visit(stop(port, need))
                assert isinstance(outcome, Unreachable)
                assert outcome.verdict.status == "4.7.5"
                assert len(scripts) == 1

    asyncio.run(run())


class Sink:
    def __init__(self):
        self.envelopes = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  aiosmtpd's name
        self.envelopes.append((session, envelope))
        return "250 2.0.0 taken"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if address.startswith("nobody"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 ok"


@asynccontextmanager
async def aiosmtpd(sink, tls=None, context=None, **fields):
    loop = asyncio.get_running_loop()

    def factory():
        return SMTP(sink, hostname="sink.example", tls_context=context, loop=loop, **fields)

    server = await loop.create_server(factory, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def test_two_messages_over_one_connection_to_aiosmtpd(server_tls, trusting):
    async def run():
        sink = Sink()
        async with aiosmtpd(sink, context=server_tls) as port:
            need = stop(port, TlsNeed.VERIFIED)
            visit = await courier(verified=trusting).visit(need)
            first = await visit.deliver(parcel("nobody@one.example", "x@one.example"))
            assert [v.fate for v in first.verdicts] == [Fate.REFUSED, Fate.TAKEN]
            second = await visit.deliver(parcel("y@one.example", sender=""))
            assert [v.fate for v in second.verdicts] == [Fate.TAKEN]
            nobody = await visit.deliver(parcel("nobody@one.example"))
            assert [v.status for v in nobody.verdicts] == ["5.1.1"]
            assert visit.is_open
            await visit.leave()
            session, envelope = sink.envelopes[0]
            assert session.ssl is not None
            assert envelope.content == b"Received: by us\r\nSubject: x\r\n\r\nWords.\r\n.dot\r\n"
            assert [e.rcpt_tos for _, e in sink.envelopes] == [["x@one.example"], ["y@one.example"]]

    asyncio.run(run())


def test_a_wrong_certificate_is_no_verified_tls(server_tls):
    async def run():
        async with aiosmtpd(Sink(), context=server_tls) as port:
            outcome = await courier().visit(stop(port, TlsNeed.VERIFIED))
            assert isinstance(outcome, Unreachable)
            assert outcome.verdict.status == "4.7.5"

    asyncio.run(run())


@pytest.mark.parametrize("excluded", [[], ["PLAIN"]])
def test_login_at_a_smarthost_with_implicit_tls(server_tls, trusting, excluded):
    async def run():
        sink, seen = Sink(), []

        def authenticate(server, session, envelope, mechanism, data):
            seen.append((mechanism, data.login, data.password))
            return AuthResult(success=data.password == b"pw")

        async with aiosmtpd(
            sink,
            tls=server_tls,
            authenticator=authenticate,
            auth_require_tls=False,
            auth_exclude_mechanism=excluded,
        ) as port:
            relay = stop(port, TlsNeed.IMPLICIT, login="us", password="pw", is_smarthost=True)
            visit = await courier(verified=trusting).visit(relay)
            assert not isinstance(visit, Unreachable), visit
            assert (await visit.deliver(parcel())).verdicts[0].fate is Fate.TAKEN
            await visit.leave()
            assert seen == [("LOGIN" if excluded else "PLAIN", b"us", b"pw")]
            wrong = await courier(verified=trusting).visit(replace(relay, password="no"))
            assert wrong.verdict.fate is Fate.DEFERRED

    asyncio.run(run())
