"""SCRAM-SHA-256, the server's side: both ends prove that they know the password, none says it.

Spec: RFC 5802, RFC 7677.

Notes:
    - No channel binding: GS2 flags ``n`` and ``y`` are taken, ``p`` is refused. That is sound,
      since we never announce SCRAM-SHA-256-PLUS: a client that says ``y`` has not been lied to.
    - A person has several credentials (own password, device passwords) under one salt, because the
      first message names the person only. ``finish`` tries each verifier and tells which one fits.
      Each is tried, so that the time does not tell which.
    - A machine serves one exchange. Whether an unknown name is worth an exchange is decided
      elsewhere: a made-up offer is played to the end like a real one.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from posthouse.model.errors import LocalProtocolError, RemoteProtocolError
from posthouse.model.people import ScramVerifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.ids import DeviceId

ITERATIONS = 16_384
SALT_OCTETS = 16
MESSAGE_OCTETS_MAX = 4096
NONCE_CHARACTERS_MAX = 512
_NONCE = frozenset(range(0x21, 0x7F)) - {ord(",")}


def verifier_from_password(prepared: bytes, salt: bytes, iterations: int) -> ScramVerifier:
    """Derive what the server keeps (RFC 5802 §3). Takes about 0.3 µs an iteration.

    Args:
        prepared: the password after SASLprep, UTF-8.
        salt: of the principal.
        iterations: at least 4096 (RFC 7677 §4).
    """
    salted = hashlib.pbkdf2_hmac("sha256", prepared, salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return ScramVerifier(hashlib.sha256(client_key).digest(), server_key)


@dataclass(frozen=True, slots=True)
class ScramNames:
    """Whom the client's first message names.

    Attributes:
        authzid: whom it wants to act for; "" for itself.
        authcid: whose password it will prove.
    """

    authzid: str
    authcid: str


@dataclass(frozen=True, slots=True)
class ScramOutcome:
    """How the exchange ended.

    Attributes:
        device_id: whose verifier fits; None: the proof is wrong.
        server_final: to be sent. On success ``v=...`` goes out as the last challenge (or beside the
            success answer where the protocol can); on failure ``e=invalid-proof``, and most doors
            just refuse.
    """

    device_id: DeviceId | None
    server_final: bytes


class _Step(Enum):
    FIRST = auto()
    CHALLENGE = auto()
    FINAL = auto()
    DONE = auto()


class ScramServer:
    """One exchange: ``first``, then ``challenge``, then ``finish``.

    Args:
        nonce: at least 16 random octets, never used before.
    """

    __slots__ = ("_client_first_bare", "_gs2_header", "_nonce", "_server_first", "_step")

    def __init__(self, nonce: bytes) -> None:
        self._nonce = b64encode(nonce)
        self._gs2_header = b""
        self._client_first_bare = b""
        self._server_first = b""
        self._step = _Step.FIRST

    def first(self, client_first: bytes) -> ScramNames:
        """Read the client's first message (RFC 5802 §7, ``client-first-message``).

        Raises:
            RemoteProtocolError: broken grammar, or asks for channel binding or an extension.
        """
        self._expect(_Step.FIRST, _Step.CHALLENGE)
        if len(client_first) > MESSAGE_OCTETS_MAX:
            raise RemoteProtocolError("SCRAM: message too long")
        flag, _, rest = client_first.partition(b",")
        raw_authzid, comma, bare = rest.partition(b",")
        if flag not in (b"n", b"y"):
            raise RemoteProtocolError("SCRAM: channel binding is not supported here")
        if not comma or (raw_authzid and not raw_authzid.startswith(b"a=")):
            raise RemoteProtocolError("SCRAM: bad GS2 header")
        self._gs2_header = client_first[: len(client_first) - len(bare)]
        self._client_first_bare = bare
        fields = bare.split(b",")
        if len(fields) < 2 or not fields[0].startswith(b"n=") or not fields[1].startswith(b"r="):
            raise RemoteProtocolError("SCRAM: name and nonce expected (or an unknown extension)")
        client_nonce = fields[1][2:]
        if not 0 < len(client_nonce) <= NONCE_CHARACTERS_MAX or not _NONCE.issuperset(client_nonce):
            raise RemoteProtocolError("SCRAM: bad nonce")
        self._nonce = client_nonce + self._nonce
        authcid = _name_from_sasl(fields[0][2:])
        if not authcid:
            raise RemoteProtocolError("SCRAM: empty name")
        return ScramNames(_name_from_sasl(raw_authzid[2:]), authcid)

    def challenge(self, salt: bytes, iterations: int) -> bytes:
        """Make the server's first message."""
        self._expect(_Step.CHALLENGE, _Step.FINAL)
        self._server_first = b"r=%b,s=%b,i=%d" % (self._nonce, b64encode(salt), iterations)
        return self._server_first

    def finish(
        self, client_final: bytes, verifiers: Sequence[tuple[DeviceId, ScramVerifier]]
    ) -> ScramOutcome:
        """Check the client's proof against each verifier.

        Raises:
            RemoteProtocolError: broken grammar, not our nonce, a GS2 header unlike the first.
        """
        self._expect(_Step.FINAL, _Step.DONE)
        without_proof, proof = self._read_final(client_final)
        auth_message = b",".join((self._client_first_bare, self._server_first, without_proof))
        found: tuple[DeviceId, ScramVerifier] | None = None
        for device_id, verifier in verifiers:
            signature = hmac.digest(verifier.stored_key, auth_message, "sha256")
            client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
            stored_key = hashlib.sha256(client_key).digest()
            if hmac.compare_digest(stored_key, verifier.stored_key) and found is None:
                found = device_id, verifier
        if found is None:
            return ScramOutcome(None, b"e=invalid-proof")
        signature = hmac.digest(found[1].server_key, auth_message, "sha256")
        return ScramOutcome(found[0], b"v=" + b64encode(signature))

    def _read_final(self, client_final: bytes) -> tuple[bytes, bytes]:
        """Split into the message without proof and the proof, after checking all else."""
        if len(client_final) > MESSAGE_OCTETS_MAX:
            raise RemoteProtocolError("SCRAM: message too long")
        without_proof, mark, raw_proof = client_final.rpartition(b",p=")
        fields = without_proof.split(b",")
        if not mark or len(fields) < 2:
            raise RemoteProtocolError("SCRAM: channel, nonce and proof expected")
        if not fields[0].startswith(b"c=") or _octets(fields[0][2:]) != self._gs2_header:
            raise RemoteProtocolError("SCRAM: the GS2 header changed on the way")
        if fields[1] != b"r=" + self._nonce:
            raise RemoteProtocolError("SCRAM: not our nonce")
        if any(extension.startswith(b"m=") for extension in fields[2:]):
            raise RemoteProtocolError("SCRAM: unknown mandatory extension")
        proof = _octets(raw_proof)
        if len(proof) != hashlib.sha256().digest_size:
            raise RemoteProtocolError("SCRAM: a proof has 32 octets")
        return without_proof, proof

    def _expect(self, step: _Step, then: _Step) -> None:
        if self._step is not step:
            raise LocalProtocolError(f"SCRAM: {self._step.name} is the step now, not {step.name}")
        # Advanced before the work: a message that failed to parse is not retried.
        self._step = then


def _octets(raw_base64: bytes) -> bytes:
    try:
        return b64decode(raw_base64, validate=True)
    except binascii.Error as e:
        raise RemoteProtocolError("SCRAM: not base64") from e


def _name_from_sasl(raw_name: bytes) -> str:
    """RFC 5802 §5.1: ``,`` is sent as ``=2C`` and ``=`` as ``=3D``; any other ``=`` is an error."""
    if b"\0" in raw_name or raw_name.count(b"=") != raw_name.count(b"=2C") + raw_name.count(b"=3D"):
        raise RemoteProtocolError("SCRAM: bad character in name")
    try:
        return raw_name.decode().replace("=2C", ",").replace("=3D", "=")
    except UnicodeDecodeError as e:
        raise RemoteProtocolError("SCRAM: name is not UTF-8") from e
