"""Certificates of S/MIME: whether one may be believed.

Spec: [MS-ASCMD] §2.2.3.177.16 (Status); RFC 5280 §6.

Notes:
    Believed is what leads to an authority of the machine's own list. Nothing is fetched: neither
    lists of what was revoked nor a certificate that is missing in between.
"""

from __future__ import annotations

import base64
import re
import ssl
import warnings
from datetime import UTC, datetime
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_BUNDLE_BYTES_MAX: Final = 8 << 20
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.S)
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    Warning,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_FOR_MAIL: Final = (
    ExtendedKeyUsageOID.EMAIL_PROTECTION,
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
)


class Verdict(IntEnum):
    """What a certificate is worth; the numbers are [MS-ASCMD]'s."""

    GOOD = 1
    BAD_SIGNATURE = 3
    UNTRUSTED = 4
    NOT_FOR_SIGNING = 6
    OUT_OF_DATE = 7
    NOT_FOR_MAIL = 9
    UNREADABLE = 10
    REVOCATION_UNKNOWN = 16


def verdict_on(
    certificate: bytes,
    chain: Sequence[bytes],
    authorities: Sequence[x509.Certificate],
    now_ms: int,
) -> Verdict:
    """Judge one certificate.

    Args:
        certificate: DER.
        chain: what may stand between it and an authority, DER; rubbish is passed over.
        authorities: who is believed.
        now_ms: the time.
    """
    try:
        leaf = _loaded(certificate)
        wrong = _wrong_by_itself(leaf, now_ms)
    except _UNREADABLE:
        return Verdict.UNREADABLE
    if wrong is not None:
        return wrong
    between = [one for one in map(_read, chain) if one is not None]
    if _is_led_back(leaf, between, authorities, now_ms):
        return Verdict.GOOD
    return _why_not(leaf, [*between, *authorities])


@lru_cache(maxsize=1)
def machine_authorities() -> tuple[x509.Certificate, ...]:
    """Whom this machine believes; read once. None, where it has no list."""
    bundle = ssl.get_default_verify_paths().cafile
    try:
        with Path(bundle or "").open("rb") as file:
            blocks = _PEM.findall(file.read(_BUNDLE_BYTES_MAX))
    except OSError:
        return ()
    found = [_read(_der(one)) for one in blocks]
    return tuple(one for one in found if one is not None)


def _der(pem: bytes) -> bytes:
    try:
        return base64.b64decode(pem)
    except ValueError:
        return b""


def _read(octets: bytes) -> x509.Certificate | None:
    try:
        return _loaded(octets)
    except _UNREADABLE:
        return None


def _loaded(octets: bytes) -> x509.Certificate:
    """What the library only warns of it will refuse one day: it is refused now."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        certificate = x509.load_der_x509_certificate(octets)
        # Names are read when they are first asked for.
        _ = certificate.subject, certificate.issuer
    return certificate


def _wrong_by_itself(leaf: x509.Certificate, now_ms: int) -> Verdict | None:
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        return Verdict.OUT_OF_DATE
    try:
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        if not (usage.digital_signature or usage.content_commitment):
            return Verdict.NOT_FOR_SIGNING
    except x509.ExtensionNotFound:
        pass
    try:
        extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if not any(one in extended for one in _FOR_MAIL):
            return Verdict.NOT_FOR_MAIL
    except x509.ExtensionNotFound:
        pass
    return None


def _is_led_back(
    leaf: x509.Certificate,
    between: list[x509.Certificate],
    authorities: Sequence[x509.Certificate],
    now_ms: int,
) -> bool:
    if not authorities:
        return False
    verifier = (
        PolicyBuilder()
        .store(Store(list(authorities)))
        .time(datetime.fromtimestamp(now_ms / 1000, UTC))
        # What the web wants of a client's certificate is not what mail wants; see above for that.
        .extension_policies(
            ca_policy=ExtensionPolicy.webpki_defaults_ca(),
            ee_policy=ExtensionPolicy.permit_all(),
        )
        .build_client_verifier()
    )
    try:
        verifier.verify(leaf, between)
    except (VerificationError, *_UNREADABLE):
        return False
    return True


def _why_not(leaf: x509.Certificate, issuers: Sequence[x509.Certificate]) -> Verdict:
    """Whether whoever is said to have signed it has not."""
    named = [one for one in issuers if one.subject == leaf.issuer]
    for one in named:
        try:
            leaf.verify_directly_issued_by(one)
        except (InvalidSignature, *_UNREADABLE):
            continue
        return Verdict.UNTRUSTED
    return Verdict.BAD_SIGNATURE if named else Verdict.UNTRUSTED
