"""What every resolver does: one suite, the table and the real one against a name server in this process."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from posthouse.backends.dns.resolver import DnsResolver
from posthouse.backends.memory.resolver import TableResolver
from posthouse.ports.resolver import Answer, Outcome

TABLE = {
    "example.net": {
        "MX": ("10 mx1.example.net", "20 mx2.example.net"),
        "TXT": ("v=spf1 mx -all",),
    },
    "null.example": {"MX": ("0 .",)},
    "mx1.example.net": {"A": ("192.0.2.1", "192.0.2.2"), "AAAA": ("2001:db8::1",)},
    "mx2.example.net": {"A": ("192.0.2.3",)},
    "dim.example": {"MX": Outcome.TEMPORARY, "A": Outcome.TEMPORARY, "AAAA": Outcome.TEMPORARY},
    "1.2.0.192.in-addr.arpa": {"PTR": ("mx1.example.net",)},
    "www.example.net": {"CNAME": ("example.net",)},
}
SIGNED = frozenset({"example.net"})


class OwnClock:
    def __init__(self):
        self.now_s = 0.0

    def monotonic_s(self):
        return self.now_s

    def now_ms(self):
        return int(self.now_s * 1000)


class NameServer(asyncio.DatagramProtocol):
    """Answers from the table; counts."""

    def __init__(self):
        self.asked = []
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if name in SIGNED:
            reply.flags |= dns.flags.AD
        found = TABLE.get(name, {}).get(kind, Outcome.NO_DATA)
        if name not in TABLE:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif found is Outcome.TEMPORARY:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif not isinstance(found, Outcome):
            values = [f'"{v}"' if kind == "TXT" else v for v in found]
            values = [v + "." if kind in ("PTR", "CNAME") else v for v in values]
            if kind == "MX":
                values = [v if v.endswith(".") else v + "." for v in values]
            reply.answer.append(dns.rrset.from_text(question.name, 300, "IN", kind, *values))
        self.transport.sendto(reply.to_wire(), addr)


@asynccontextmanager
async def table_resolver(clock):
    yield TableResolver(TABLE, SIGNED)


@asynccontextmanager
async def dns_resolver(clock):
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    resolver = DnsResolver(clock, nameservers=[f"127.0.0.1:{port}"], timeout_s=2.0)
    resolver.server = server
    try:
        yield resolver
    finally:
        transport.close()


@pytest.fixture(params=[table_resolver, dns_resolver], ids=["table", "dns"])
def make(request):
    return request.param


def ask(make, *questions):
    async def run():
        async with make(OwnClock()) as resolver:
            return [await resolver.ask(*question) for question in questions]

    return asyncio.run(run())


def test_found(make):
    mx, txt, ptr, cname = ask(
        make,
        ("Example.NET.", "MX"),
        ("example.net", "TXT"),
        ("1.2.0.192.in-addr.arpa", "PTR"),
        ("www.example.net", "CNAME"),
    )
    assert mx.outcome is Outcome.FOUND
    assert sorted(mx.values) == ["10 mx1.example.net", "20 mx2.example.net"]
    assert txt.values == ("v=spf1 mx -all",)
    assert ptr.values == ("mx1.example.net",)
    assert cname.values == ("example.net",)
    assert (mx.is_authentic, ptr.is_authentic) == (True, False)


def test_the_null_mx_is_a_dot(make):
    (answer,) = ask(make, ("null.example", "MX"))
    assert answer.values == ("0 .",)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("mx1.example.net", Outcome.NO_DATA),
        ("nobody.example", Outcome.NO_SUCH_NAME),
        ("dim.example", Outcome.TEMPORARY),
        ("x" * 64 + ".example", Outcome.NO_SUCH_NAME),
        ("a..b", Outcome.NO_SUCH_NAME),
    ],
)
def test_not_found(make, name, outcome):
    (answer,) = ask(make, (name, "MX"))
    assert (answer.outcome, answer.values) == (outcome, ())


@pytest.mark.parametrize(
    ("host", "outcome", "values"),
    [
        ("mx1.example.net", Outcome.FOUND, {"2001:db8::1", "192.0.2.1", "192.0.2.2"}),
        ("mx2.example.net", Outcome.FOUND, {"192.0.2.3"}),
        ("[192.0.2.9]", Outcome.FOUND, {"192.0.2.9"}),
        ("192.0.2.9", Outcome.FOUND, {"192.0.2.9"}),
        ("[ipv6:2001:db8::9]", Outcome.FOUND, {"2001:db8::9"}),
        ("example.net", Outcome.NO_DATA, set()),
        ("nobody.example", Outcome.NO_SUCH_NAME, set()),
        ("dim.example", Outcome.TEMPORARY, set()),
    ],
)
def test_addresses(make, host, outcome, values):
    async def run():
        async with make(OwnClock()) as resolver:
            return await resolver.addresses(host)

    answer = asyncio.run(run())
    assert answer.outcome is outcome
    assert set(answer.values) == values
    if len(values) > 2:
        assert answer.values[0] == "2001:db8::1"


def test_answers_are_remembered_for_their_time():
    async def run():
        clock = OwnClock()
        async with dns_resolver(clock) as resolver:
            for _ in range(3):
                await resolver.ask("example.net", "MX")
                await resolver.ask("nobody.example", "A")
            assert len(resolver.server.asked) == 2
            clock.now_s = 61.0
            await resolver.ask("nobody.example", "A")
            await resolver.ask("example.net", "MX")
            assert len(resolver.server.asked) == 3
            clock.now_s = 301.0
            await resolver.ask("example.net", "MX")
            assert len(resolver.server.asked) == 4

    asyncio.run(run())


def test_a_silent_name_server_is_a_passing_fault():
    async def run():
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        port = transport.get_extra_info("sockname")[1]
        resolver = DnsResolver(OwnClock(), nameservers=[f"127.0.0.1:{port}"], timeout_s=0.2)
        answer = await resolver.ask("example.net", "MX")
        transport.close()
        return answer

    assert asyncio.run(run()) == Answer(Outcome.TEMPORARY)


def test_localhost_is_known_without_asking():
    async def run():
        return await DnsResolver(OwnClock(), nameservers=["192.0.2.1"]).addresses("localhost")

    assert asyncio.run(run()).values == ("::1", "127.0.0.1")


@pytest.mark.parametrize("text", ["192.0.2.53", "2001:db8::53", "[2001:db8::53]:5353"])
def test_nameservers_are_read(text):
    (server,) = DnsResolver(OwnClock(), nameservers=[text])._resolver.nameservers
    assert server.address == text.partition("]")[0].strip("[")
    assert server.port == (5353 if text.endswith("5353") else 53)
