"""Looks at the TLS certificate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from posthouse.services.doctor.finding import Finding, good, notice, problem

if TYPE_CHECKING:
    from pathlib import Path


def certificate(path: Path, key_path: Path, hostname: str, now_ms: int) -> list[Finding]:
    """Names, age, key and issuer."""
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
        key = load_pem_private_key(key_path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as e:
        return [
            problem("tls", f"{path}: {e}", "give a PEM chain and an unencrypted PEM key in [tls]")
        ]
    leaf = chain[0]
    findings = []
    if leaf.public_key() != key.public_key():
        findings.append(
            problem(
                "tls", f"{key_path} is not the key of {path}", "give the matching pair in [tls]"
            )
        )
    findings.append(_age(leaf, now_ms))
    findings.append(_names(leaf, hostname))
    if leaf.issuer == leaf.subject or _is_own_authority(leaf):
        findings.append(
            notice(
                "tls",
                "the certificate is from the house's own authority: clients must be told of it",
                "give tls/ca.pem to the clients, or set [tls] certificate and key to a public one",
            )
        )
    if key_path.stat().st_mode & 0o077:
        findings.append(
            problem("tls", f"{key_path} can be read by others", "close it", f"chmod 600 {key_path}")
        )
    return findings


def _age(leaf: x509.Certificate, now_ms: int) -> Finding:
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    left = leaf.not_valid_after_utc - now
    if leaf.not_valid_before_utc > now:
        return problem(
            "tls",
            f"the certificate is valid only from {leaf.not_valid_before_utc:%Y-%m-%d}",
            "check the clock",
        )
    if left < timedelta(0):
        return problem(
            "tls", f"the certificate expired on {leaf.not_valid_after_utc:%Y-%m-%d}", "renew it"
        )
    if left < timedelta(days=14):
        return notice("tls", f"the certificate expires in {left.days} days", "renew it")
    return good("tls", f"the certificate is valid until {leaf.not_valid_after_utc:%Y-%m-%d}")


def _names(leaf: x509.Certificate, hostname: str) -> Finding:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        known = [n.lower() for n in names.get_values_for_type(x509.DNSName)]
    except x509.ExtensionNotFound:
        known = []
    parent = hostname.partition(".")[2]
    if hostname.lower() in known or f"*.{parent}".lower() in known:
        return good("tls", f"the certificate names {hostname}")
    return problem(
        "tls",
        f"the certificate names {', '.join(known) or 'nobody'}, not {hostname}",
        "get one for this name, or mend hostname",
    )


def _is_own_authority(leaf: x509.Certificate) -> bool:
    organisation = leaf.issuer.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    common = leaf.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return any("Posthouse" in str(a.value) for a in (*organisation, *common))
