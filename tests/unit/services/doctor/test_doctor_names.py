"""What the doctor says about names, with a name system that answers from a table."""

import asyncio

import pytest

from posthouse.backends.memory.resolver import TableResolver
from posthouse.ports.resolver import Outcome
from posthouse.services.doctor import names
from posthouse.services.doctor.finding import Grade

HOST = "mail.example.org"
PERFECT = {
    "example.org": {"MX": (f"10 {HOST}",), "TXT": ("other", "v=spf1 mx -all")},
    "posthouse._domainkey.example.org": {"TXT": ("v=DKIM1; p=abc",)},
    "_dmarc.example.org": {"TXT": ("v=DMARC1; p=none",)},
    "_autodiscover._tcp.example.org": {"SRV": (f"0 0 443 {HOST}",)},
    "_pop3s._tcp.example.org": {"SRV": (f"0 1 995 {HOST}",)},
    "_mta-sts.example.org": {"TXT": ("v=STSv1; id=1",)},
    HOST: {"A": ("192.0.2.5",), "AAAA": ("2001:db8::5",)},
    "5.2.0.192.in-addr.arpa": {"PTR": (f"{HOST}.",)},
    "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa": {"PTR": (HOST,)},
}


def domain(table):
    found = asyncio.run(names.domain(TableResolver(table), "example.org", HOST))
    return {finding.topic: finding for finding in found}


def host(table):
    return asyncio.run(names.host(TableResolver(table), HOST))


def test_a_perfect_zone_has_nothing_to_mend():
    findings = [*domain(PERFECT).values(), *host(PERFECT)]
    assert {finding.grade for finding in findings} == {Grade.GOOD}
    assert names.summary(findings) == (0, 0)
    assert any("2001:db8::5" in finding.what for finding in findings)


def test_an_empty_zone_gets_lines_to_paste():
    found = domain({})
    assert names.summary(list(found.values())) == (2, 5)
    assert found["dns mx"].paste == f"example.org. MX 10 {HOST}."
    assert found["dns spf"].paste == 'example.org. TXT "v=spf1 mx -all"'
    assert "_submissions._tcp.example.org. SRV 0 1 465" in found["dns srv"].paste
    assert not found["dns dkim"].paste


@pytest.mark.parametrize(
    ("name", "kind", "topic"),
    [
        ("example.org", "MX", "dns mx"),
        ("example.org", "TXT", "dns spf"),
        ("_dmarc.example.org", "TXT", "dns dmarc"),
        ("_mta-sts.example.org", "TXT", "dns mta-sts"),
        ("_pop3s._tcp.example.org", "SRV", "dns srv"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_else(name, kind, topic):
    table = {owner: dict(records) for owner, records in PERFECT.items()}
    table[name][kind] = ("10 mx.elsewhere.example",)
    found = domain(table)
    assert [t for t, finding in found.items() if finding.grade is not Grade.GOOD] == [topic]
    assert found[topic].paste


def test_an_mx_elsewhere_is_named():
    found = domain(PERFECT | {"example.org": {"MX": ("5 mx.elsewhere.example",)}})
    assert "mx.elsewhere.example" in found["dns mx"].what
    assert found["dns mx"].grade is Grade.PROBLEM


def test_silent_name_servers_are_no_missing_records():
    found = domain({"example.org": {"MX": Outcome.TEMPORARY, "TXT": Outcome.TEMPORARY}})
    assert found["dns mx"].grade is Grade.NOTICE
    assert "did not answer" in found["dns mx"].what
    (finding,) = host({HOST: {"A": Outcome.TEMPORARY, "AAAA": Outcome.TEMPORARY}})
    assert finding.grade is Grade.NOTICE


def test_a_host_without_address_is_told_once():
    (finding,) = host({})
    assert finding.grade is Grade.PROBLEM
    assert finding.paste == f"{HOST}. A YOUR.IP.ADD.RESS"


@pytest.mark.parametrize(
    ("reverse", "said"),
    [(("other.example.net",), "is called other.example.net"), ((), "has no name")],
)
def test_a_wrong_reverse_name_is_told(reverse, said):
    pointers = {"5.2.0.192.in-addr.arpa": {"PTR": reverse}}
    forward, back = host({HOST: {"A": ("192.0.2.5",)}} | pointers)
    assert forward.grade is Grade.GOOD
    assert back.grade is Grade.PROBLEM
    assert said in back.what
    assert back.paste == f"192.0.2.5 PTR {HOST}."
