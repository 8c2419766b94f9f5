"""VALIDATECERT: whether certificates of S/MIME may be believed.

Spec: [MS-ASCMD] §2.2.1.22, §2.2.3.177.16 (Status).

Notes:
    Lists of what was revoked are not fetched. A device that insists on them is told so.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.certificates import Verdict, machine_authorities, verdict_on
from posthouse.protocols.eas.wire.element import Element

if TYPE_CHECKING:
    from posthouse.protocols.eas.session import Call

CERTIFICATES_MAX: Final = 10
"""In each of the two lists."""
OCTETS_MAX: Final = 32 << 10
_DER: Final = b"\x30"


async def handle(call: Call, request: Element | None) -> Element:
    """Judge each in turn. Raises RemoteProtocolError."""
    if request is None:
        raise RemoteProtocolError("no body", "content")
    certificates = _octets_in(request.child("Certificates"))
    if not certificates:
        raise RemoteProtocolError("no Certificate", "content")
    chain = _octets_in(request.child("CertificateChain"))
    wants_revocation = request.text_of("CheckCRL", "0").strip() == "1"
    said = [_of("Status", "1")]
    for one in certificates:
        verdict = verdict_on(one, chain, machine_authorities(), call.services.clock.now_ms())
        if verdict is Verdict.GOOD and wants_revocation:
            verdict = Verdict.REVOCATION_UNKNOWN
        said.append(_of("Certificate", [_of("Status", str(verdict.value))]))
    return _of("ValidateCert", said)


def _octets_in(holder: Element | None) -> list[bytes]:
    """DER of each; what cannot be read is b""."""
    found = [one.octets for one in holder.each("Certificate")] if holder is not None else []
    if len(found) > CERTIFICATES_MAX:
        raise RemoteProtocolError("too many certificates", "content")
    return [_der(one) for one in found]


def _der(octets: bytes) -> bytes:
    if len(octets) > 2 * OCTETS_MAX:
        return b""
    if octets.startswith(_DER):
        return octets
    try:
        return base64.b64decode(b"".join(octets.split()), validate=True)
    except ValueError:
        return b""


def _of(tag: str, content: str | list[Element] = "") -> Element:
    return Element("ValidateCert", tag, content)
