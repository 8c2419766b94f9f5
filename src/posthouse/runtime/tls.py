"""TLS: contexts for both sides, and a private authority for those who have no certificate yet.

Spec: RFC 8446; RFC 5280; RFC 9325 (floor TLS 1.2, no compression, no renegotiation).
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from posthouse.model.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from posthouse.ports.clock import Clock

_AUTHORITY_DAYS = 3650
_CERTIFICATE_DAYS = 397  # what Apple's clients accept of private authorities is 825, of others 398
_REHEARSAL_TURNS = 4
_SESSION_TICKETS = 1


def make_authority_and_certificate(
    directory: Path, hostnames: Sequence[str], clock: Clock
) -> tuple[Path, Path]:
    """Make ``ca.pem``, ``ca.key``, ``server.pem``, ``server.key`` in ``directory`` (ECDSA P-256).

    An authority that is there is kept, so that clients which trust it go on to; the certificate is
    always new.

    Args:
        directory: made if missing; keys are readable by the owner only.
        hostnames: at least one; names and IP addresses the server is reached by, the first is its
            subject.
        clock: for the dates.

    Returns:
        Paths of the certificate (with the authority's behind it) and of its key.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
    authority_path, authority_key_path = directory / "ca.pem", directory / "ca.key"
    if authority_path.exists() and authority_key_path.exists():
        authority = x509.load_pem_x509_certificate(authority_path.read_bytes())
        loaded = serialization.load_pem_private_key(authority_key_path.read_bytes(), password=None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise ConfigurationError(
                f"{authority_key_path}: not an ECDSA key; remove it and ca.pem to make new ones"
            )
        authority_key = loaded
    else:
        authority_key = ec.generate_private_key(ec.SECP256R1())
        authority = _authority(authority_key, now)
        _write(authority_key_path, _key_pem(authority_key), 0o600)
        _write(authority_path, authority.public_bytes(serialization.Encoding.PEM), 0o644)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key, hostnames, (authority, authority_key), now)
    chain = certificate.public_bytes(serialization.Encoding.PEM) + authority_path.read_bytes()
    _write(directory / "server.key", _key_pem(key), 0o600)
    _write(directory / "server.pem", chain, 0o644)
    return directory / "server.pem", directory / "server.key"


def _authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Posthouse private authority")])
    return (
        _builder(name, name, key.public_key(), now, _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(for_signing_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _certificate(
    key: ec.EllipticCurvePrivateKey,
    hostnames: Sequence[str],
    signer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey],
    now: datetime,
) -> x509.Certificate:
    authority, authority_key = signer
    # A common name has 64 characters at most; the alternative names are what counts.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostnames[0][:64])])
    names = x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(hostnames)])
    issuer_key = authority_key.public_key()
    return (
        _builder(subject, authority.subject, key.public_key(), now, _CERTIFICATE_DAYS)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(for_signing_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    # An hour back: clients' clocks differ.
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
    )


def _key_usage(*, for_signing_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not for_signing_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=for_signing_certificates,
        crl_sign=for_signing_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode("ascii") if not name.isascii() else name)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file in one step; it is never readable by more than ``mode`` says."""
    scratch = path.with_name(path.name + ".new")
    scratch.unlink(missing_ok=True)
    fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """The context of all listeners; made before the fork, so that workers share its ticket keys.

    Raises:
        ConfigurationError: a file is missing, or they do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    # Many clients hang up without close_notify. The alert that OpenSSL would send them makes the
    # end look as if they had not heard our last answer.
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    context.num_tickets = _SESSION_TICKETS
    load_certificate(context, certificate, key)
    return context


def load_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Give a server context a certificate, also while in use: new connections get the new one.

    Raises:
        ConfigurationError: as above; the context keeps what it had.
    """
    try:
        # Loaded into a scratch context first: a failure half-way would leave a certificate without
        # its key.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        context.load_cert_chain(certificate, key)
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        raise ConfigurationError(
            f"[tls] certificate = {certificate}, key = {key}: {reason}; "
            "check that both files are there, PEM, readable by the server, and belong together"
        ) from error


def rehearse(context: ssl.SSLContext) -> None:
    """Shake hands with ourselves, in memory.

    What OpenSSL loads and makes at the first handshake is then there, and the first client does not
    wait for it. Never raises: a certificate that does not work is for real handshakes to tell.
    """
    ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    with suppress(ssl.SSLError):
        ends = (
            context.wrap_bio(ours, theirs, server_side=True),
            client.wrap_bio(theirs, ours, server_hostname="rehearsal.invalid"),
        )
        for _ in range(_REHEARSAL_TURNS):
            for end in ends:
                with suppress(ssl.SSLWantReadError):
                    end.do_handshake()


def client_context(authority: Path | None = None, *, verify: bool = True) -> ssl.SSLContext:
    """For connections we make.

    Args:
        authority: trust this authority instead of the system's.
        verify: False for opportunistic TLS (RFC 7435): better than clear text, worth no trust.
    """
    context = ssl.create_default_context(cafile=None if authority is None else str(authority))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
