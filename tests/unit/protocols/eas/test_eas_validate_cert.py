"""VALIDATECERT: certificates of an authority made here."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.protocols.eas.eas_items import check

from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.certificates import Verdict, machine_authorities, verdict_on
from posthouse.protocols.eas.commands import validate_cert
from posthouse.protocols.eas.wire.element import Element

NOW = datetime(2026, 5, 28, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(*, signs_certificates=False, signs=True):
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def made(
    subject="alice",
    issuer="Authority",
    key=KEY,
    days=(-10, 10),
    signs=True,
    purpose=ExtendedKeyUsageOID.EMAIL_PROTECTION,
    is_authority=False,
):
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(usage(signs_certificates=is_authority, signs=signs), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(KEY.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(KEY.public_key()), critical=False
        )
    )
    if not is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        address = x509.SubjectAlternativeName([x509.RFC822Name("alice@example.org")])
        builder = builder.add_extension(address, critical=False)
    return builder.sign(key, hashes.SHA256())


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


AUTHORITY = made("Authority", is_authority=True)
BETWEEN = made("Between", is_authority=True)


def verdict(certificate, chain=(), authorities=(AUTHORITY,)):
    return verdict_on(der(certificate), [der(one) for one in chain], authorities, NOW_MS)


def test_led_back_to_an_authority():
    assert verdict(made()) is Verdict.GOOD
    below = made(issuer="Between")
    assert verdict(below, [BETWEEN]) is Verdict.GOOD
    assert verdict(below) is Verdict.UNTRUSTED


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"issuer": "Nobody"}, Verdict.UNTRUSTED),
        ({"key": OTHER_KEY}, Verdict.BAD_SIGNATURE),
        ({"days": (-10, -1)}, Verdict.OUT_OF_DATE),
        ({"days": (1, 10)}, Verdict.OUT_OF_DATE),
        ({"signs": False}, Verdict.NOT_FOR_SIGNING),
        ({"purpose": ExtendedKeyUsageOID.SERVER_AUTH}, Verdict.NOT_FOR_MAIL),
    ],
)
def test_what_is_wrong(more, expected):
    assert verdict(made(**more)) is expected


def test_a_chain_is_no_authority():
    assert verdict(made(), [AUTHORITY], ()) is Verdict.UNTRUSTED
    assert verdict(AUTHORITY, (), ()) is Verdict.UNTRUSTED


@given(st.binary(max_size=60), st.integers(0, 400))
@example(b"\0\0", 57)
def test_rubbish(octets, at):
    good = der(AUTHORITY)
    assert verdict_on(octets, [octets], [AUTHORITY], NOW_MS) is Verdict.UNREADABLE
    damaged = good[:at] + octets + good[at + len(octets) :]
    assert verdict_on(damaged, [damaged], (), NOW_MS) in Verdict


def test_this_machines_list_is_read():
    assert all(isinstance(one, x509.Certificate) for one in machine_authorities())


def ask(certificates, chain=(), revocation=None):
    request = Element("ValidateCert", "ValidateCert")
    if chain:
        request.add("CertificateChain", [Element("ValidateCert", "Certificate", c) for c in chain])
    request.add("Certificates", [Element("ValidateCert", "Certificate", c) for c in certificates])
    if revocation is not None:
        request.add("CheckCRL", revocation)
    clock = SimpleNamespace(now_ms=lambda: NOW_MS)
    call = SimpleNamespace(services=SimpleNamespace(clock=clock))
    answer = asyncio.run(validate_cert.handle(call, request))
    check(answer)
    assert answer.text_of("Status") == "1"
    return [one.text_of("Status") for one in answer.each("Certificate")]


def test_the_command(monkeypatch):
    monkeypatch.setattr(validate_cert, "machine_authorities", lambda: (AUTHORITY,))
    octets = der(made(issuer="Between"))
    text = base64.encodebytes(octets).decode()
    between = base64.b64encode(der(BETWEEN)).decode()
    assert ask([text, octets, "rubbish", b"", "0" * 70_000], [between]) == [
        "1", "1", "10", "10", "10",
    ]  # fmt: skip
    assert ask([text]) == ["4"]
    assert ask([text], [between], "0") == ["1"]
    assert ask([text], [between], "1") == ["16"]


def test_limits():
    with pytest.raises(RemoteProtocolError):
        ask(["x"] * 11)
    with pytest.raises(RemoteProtocolError):
        ask([])
