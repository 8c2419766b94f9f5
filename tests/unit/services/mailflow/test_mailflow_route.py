"""Ways: MX, addresses, null MX, ourselves in the list, the smarthost."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.services.mailflow.conftest import CountingChance

from posthouse.backends.memory.resolver import TableResolver
from posthouse.ports.courier import Fate, TlsNeed
from posthouse.ports.resolver import Outcome
from posthouse.services.mailflow.advice_table import advice_for
from posthouse.services.mailflow.route import Router, Smarthost
from posthouse.services.mailflow.schedule import Schedule


def way(table, domain="example.net", **fields):
    router = Router(
        TableResolver(table), CountingChance(), own_names=["mail.example.org"], **fields
    )
    return asyncio.run(router.way(domain))


def hosts(found):
    return [(stop.host, stop.addresses) for stop in found.stops]


def test_hosts_come_by_preference_with_ipv6_first():
    found = way(
        {
            "example.net": {"MX": ("20 b.example.net", "10 a.example.net")},
            "a.example.net": {"A": ("192.0.2.1",), "AAAA": ("2001:db8::1",)},
            "b.example.net": {"A": ("192.0.2.2",)},
        }
    )
    assert hosts(found) == [
        ("a.example.net", ("2001:db8::1", "192.0.2.1")),
        ("b.example.net", ("192.0.2.2",)),
    ]
    assert {stop.tls for stop in found.stops} == {TlsNeed.OPPORTUNISTIC}
    assert {stop.port for stop in found.stops} == {25}


def test_without_mx_the_domain_itself_is_the_host():
    found = way({"example.net": {"A": ("192.0.2.1",)}})
    assert hosts(found) == [("example.net", ("192.0.2.1",))]


def test_an_address_literal_is_its_own_host():
    assert hosts(way({}, "[192.0.2.9]")) == [("192.0.2.9", ("192.0.2.9",))]
    assert hosts(way({}, "[ipv6:2001:db8::9]"))[0][1] == ("2001:db8::9",)


@pytest.mark.parametrize(
    ("table", "fate", "status"),
    [
        ({"example.net": {"MX": ("0 .",)}}, Fate.REFUSED, "5.1.10"),
        ({}, Fate.REFUSED, "5.1.2"),
        ({"example.net": {"MX": Outcome.TEMPORARY}}, Fate.DEFERRED, "4.4.3"),
        ({"example.net": {"MX": ("10 a.example.net",)}}, Fate.REFUSED, "5.4.4"),
        ({"example.net": {}}, Fate.REFUSED, "5.4.4"),
        (
            {
                "example.net": {"MX": ("10 a.example.net",)},
                "a.example.net": {"A": Outcome.TEMPORARY},
            },
            Fate.DEFERRED,
            "4.4.3",
        ),
        ({"example.net": {"MX": ("10 Mail.Example.Org",)}}, Fate.REFUSED, "5.4.6"),
    ],
)
def test_dead_ends(table, fate, status):
    found = way(table)
    assert not found.stops
    assert (found.trouble.fate, found.trouble.status) == (fate, status)


TABLE = {
    "example.net": {
        "MX": ("10 a.example.net", "20 mail.example.org", "20 c.x", "30 d.example.net")
    },
    "a.example.net": {"A": ("192.0.2.1",)},
    "c.x": {"A": ("192.0.2.3",)},
    "d.example.net": {"A": ("192.0.2.4",)},
}


def test_this_server_in_the_list_drops_out_with_those_behind():
    assert hosts(way(TABLE)) == [("a.example.net", ("192.0.2.1",))]


def test_this_server_is_known_by_its_address_too():
    found = way(TABLE, own_addresses=["192.0.2.1"])
    assert found.trouble.status == "5.4.6"


def test_hosts_of_one_preference_change_places():
    table = {"example.net": {"MX": tuple(f"10 h{n}.x" for n in range(4))}}
    table |= {f"h{n}.x": {"A": (f"192.0.2.{n}",)} for n in range(4)}
    router = Router(TableResolver(table), CountingChance(), own_names=[])

    async def run():
        return {(await router.way("example.net")).stops[0].host for _ in range(40)}

    assert len(asyncio.run(run())) > 1


def test_the_smarthost_takes_everything():
    smarthost = Smarthost("relay.x", 2525, TlsNeed.REQUIRED, "us", "secret")
    found = way({"relay.x": {"A": ("192.0.2.8",)}}, "whatever.example", smarthost=smarthost)
    (stop,) = found.stops
    assert (stop.host, stop.port, stop.tls, stop.login) == ("relay.x", 2525, TlsNeed.REQUIRED, "us")
    assert "secret" not in repr(stop) + repr(smarthost)
    lost = way({}, "whatever.example", smarthost=smarthost)
    assert lost.trouble.fate is Fate.DEFERRED


def test_a_policy_may_forbid_hosts():
    class OnlyVerified:
        async def need(self, domain, host):
            return TlsNeed.VERIFIED if host == "b.x" else None

    table = {"example.net": {"MX": ("10 a.x", "20 b.x")}}
    table |= {"a.x": {"A": ("192.0.2.1",)}, "b.x": {"A": ("192.0.2.2",)}}
    found = way(table, tls_policy=OnlyVerified())
    assert [(s.host, s.tls) for s in found.stops] == [("b.x", TlsNeed.VERIFIED)]
    del table["b.x"]
    assert way(table, tls_policy=OnlyVerified()).trouble.fate is Fate.DEFERRED


def test_the_schedule_slows_down_and_ends():
    schedule = Schedule(jitter=0.2)
    minutes = [schedule.next_at(n, 0, 0.0) // 60_000 for n in range(1, 9)]
    assert minutes == [5, 15, 30, 60, 120, 240, 240, 240]
    assert schedule.next_at(1, 0, 0.5) == 5 * 60_000 * 1.1
    four_hours, five_days = 4 * 3_600_000, 120 * 3_600_000
    assert schedule.bounded(four_hours + 5, 0, 10, may_warn=True) == four_hours
    assert schedule.bounded(four_hours + 5, 0, 10, may_warn=False) == four_hours + 5
    assert schedule.bounded(five_days + 5, 0, five_days - 5, may_warn=False) == five_days
    assert schedule.is_late(0, four_hours)
    assert not schedule.is_over(0, five_days - 1)


@pytest.mark.parametrize(
    ("status", "reply", "word"),
    [
        ("5.1.1", "550 5.1.1 x", "nobody of this name"),
        ("5.2.2", "552 5.2.2 y", "full"),
        ("5.7.1", "554 5.7.1 blocked using zen.spamhaus.org", "block list"),
        ("5.7.1", "550 5.7.1 no", "rules"),
        ("4.7.1", "450 4.7.1 Greylisted", "later"),
        ("5.0.0", "550 User unknown", "nobody of this name"),
        ("5.0.0", "550 hmm", "refused"),
        ("4.0.0", "450 hmm", "now"),
    ],
)
def test_advice_is_plain(status, reply, word):
    assert word in advice_for(status, reply)
