"""Logins: who may come in, by which credential, through which door.

Spec: RFC 4616, RFC 5802 (what the mechanisms ask of us).

Notes:
    - Unknown names, wrong passwords and disabled people take the same way through this file and
      meet the same work and the same text; only the audit log knows which it was.
    - A credential that was verified within ten minutes is known again by its keyed digest. That
      path suspends nowhere and touches neither brakes nor argon2.
    - Live sessions ask ``is_still_good``: a Login carries a mark of the credential it was made
      with.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from posthouse.mechanisms.saslprep import PASSWORD_OCTETS_MAX, prepared_for_check
from posthouse.mechanisms.scram import ITERATIONS, SALT_OCTETS
from posthouse.model.errors import LoginRefused, NotFound
from posthouse.model.ids import DeviceId, PrincipalId
from posthouse.model.people import Login, ScramVerifier, Secret
from posthouse.services.directory.names import LoginNames
from posthouse.services.directory.passwords import device_hash
from posthouse.services.directory.verified import Verified, VerifiedCredentials

if TYPE_CHECKING:
    from posthouse.model.people import Credentials
    from posthouse.ports.clock import Chance, Clock
    from posthouse.ports.directory import DirectoryRecords
    from posthouse.services.directory.audit import Audit
    from posthouse.services.directory.guesses import Guesses, Turn
    from posthouse.services.directory.passwords import Hasher

OWN_PASSWORD = DeviceId(0)
NOBODY = PrincipalId(0)
NOTED_EVERY_S = 3600.0
REMEMBERED_MAX = 100_000

# A device's scope names what a person would: "smtp" is to send, by either of its doors.
SCOPE_OF_DOOR = {
    "submission": "smtp",
    "submissions": "smtp",
    "smtps": "smtp",
    "pop3s": "pop3",
    "imaps": "imap",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody at a door.

    Attributes:
        login: name as given.
        password: as given (octets are read as UTF-8, else Windows-1252); b"" with SCRAM.
        door: "pop3", "submission" and so on.
        host: address it comes from.
        session_id: of the connection, for the log.
        is_request: one of many of the same client (HTTP): the audit log tells of it now and then.
    """

    login: str
    password: bytes | str = field(repr=False)
    door: str
    host: str
    session_id: str
    is_request: bool = False


@dataclass(frozen=True, slots=True)
class ScramOffer:
    """What a SCRAM exchange is played with; unknown people get one, too.

    Attributes:
        salt: the same at each asking.
        iterations: PBKDF2 rounds.
        verifiers: at least one; none fits where nobody may come in.
    """

    salt: bytes
    iterations: int
    verifiers: tuple[tuple[DeviceId, ScramVerifier], ...] = field(repr=False)


class Logins:
    """Checks credentials. One per process.

    Args:
        directory: the people.
        audit: where logins are logged.
        clock: for lifetimes and last use.
        chance: for the key of the cache.
        hasher: argon2id, bounded.
        guesses: the brakes.
    """

    def __init__(
        self,
        directory: DirectoryRecords,
        audit: Audit,
        clock: Clock,
        chance: Chance,
        hasher: Hasher,
        guesses: Guesses,
    ) -> None:
        self._directory = directory
        self._audit = audit
        self._clock = clock
        self._hasher = hasher
        self._guesses = guesses
        self._names = LoginNames(directory)
        self._verified = VerifiedCredentials(directory, clock, chance)
        self._noted: dict[tuple[PrincipalId, DeviceId], float] = {}
        self._heard: dict[tuple[PrincipalId, DeviceId, str, str], float] = {}
        self._marks: dict[PrincipalId, dict[DeviceId, bytes]] = {}
        self._marks_version = -1

    async def rehearse(self) -> None:
        """Do once what a first login would otherwise wait for."""
        await self._hasher.rehearse()

    def login_address(self, login: str) -> str:
        """The address in key form that a login name means; "" when it can mean none."""
        return self._names.address(login)

    async def by_password(self, attempt: Attempt) -> Login:
        """Check a name and password.

        Raises:
            LoginRefused: whatever the reason.
            LoginDelayed: too many failures; the password was not looked at.
            Unavailable: too many checks wait, or the directory cannot be read.
        """
        digest = self._verified.digest(attempt.login, attempt.password)
        entry = self._verified.find(digest)
        if (
            entry is not None
            and opens(entry.scope, attempt.door)
            and self._guesses.may_pass(attempt.host, entry.account)
        ):
            self._welcome(attempt, entry.login)
            return entry.login
        address = self._names.address(attempt.login)
        turn = await self._guesses.take_turn(attempt.host, address, digest)
        version = self._directory.version()
        credentials = self._credentials(address)
        secret = await self._matching(credentials, attempt)
        login = await self._admitted(attempt, turn, credentials, secret)
        scope = secret.scope if secret else ()
        ends_at = self._verified.ends_at()
        self._verified.remember(digest, Verified(login, address, scope, version, ends_at))
        return login

    def scram_credentials(self, login: str, door: str) -> ScramOffer:
        """What to play a SCRAM exchange with; never tells whether the person exists."""
        address = self._names.address(login)
        credentials = self._credentials(address)
        installation = self._directory.installation_secret("scram")
        own = hmac.digest(installation, address.encode(), "sha256")
        nobody = (
            OWN_PASSWORD,
            ScramVerifier(own, hmac.digest(installation, own, "sha256")),
        )
        if credentials is None:
            salt = hmac.digest(installation, b"salt\0" + address.encode(), "sha256")
            return ScramOffer(salt[:SALT_OCTETS], ITERATIONS, (nobody,))
        verifiers = tuple(
            (secret.device_id, secret.scram)
            for secret in credentials.secrets
            if opens(secret.scope, door) and not credentials.principal.is_disabled
        )
        return ScramOffer(
            credentials.scram_salt, credentials.scram_iterations, verifiers or (nobody,)
        )

    async def by_scram(self, attempt: Attempt, device_id: DeviceId | None) -> Login:
        """Book how a SCRAM exchange ended.

        Args:
            attempt: without password.
            device_id: whose verifier fitted; None: the proof was wrong.

        Raises:
            LoginRefused: the proof was wrong, or the credential has gone meanwhile.
            LoginDelayed: too many failures.
        """
        address = self._names.address(attempt.login)
        turn = await self._guesses.take_turn(attempt.host, address)
        credentials = self._credentials(address)
        secret = None
        if credentials is not None and device_id is not None:
            secret = _by_device(credentials, device_id, attempt.door)
        return await self._admitted(attempt, turn, credentials, secret)

    def is_still_good(self, login: Login) -> bool:
        """Whether a session made by this login may go on; cheap enough for every command.

        False once the person is disabled or removed, or the credential changed or revoked.
        """
        version = self._directory.version()
        if version != self._marks_version or len(self._marks) > REMEMBERED_MAX:
            self._marks.clear()
            self._marks_version = version
        principal_id = login.principal.principal_id
        marks = self._marks.get(principal_id)
        if marks is None:
            marks = self._marks[principal_id] = self._read_marks(principal_id)
        return marks.get(login.device_id) == login.credential_mark

    def _read_marks(self, principal_id: PrincipalId) -> dict[DeviceId, bytes]:
        try:
            credentials = self._directory.credentials(principal_id)
        except NotFound:
            return {}
        if credentials.principal.is_disabled:
            return {}
        return {secret.device_id: _mark(secret) for secret in credentials.secrets}

    def _credentials(self, address: str) -> Credentials | None:
        principal = self._directory.by_address(address)
        try:
            # Asked for nobody, too: unknown names cost the same questions.
            return self._directory.credentials(principal.principal_id if principal else NOBODY)
        except NotFound:
            return None

    async def _matching(self, credentials: Credentials | None, attempt: Attempt) -> Secret | None:
        """The credential that the password is, if any; the same work for known and unknown."""
        prepared = prepared_for_check(attempt.password)[: PASSWORD_OCTETS_MAX + 1]
        offered = device_hash(prepared)
        own: Secret | None = None
        for secret in credentials.secrets if credentials else ():
            if not opens(secret.scope, attempt.door):
                continue
            if secret.device_id == OWN_PASSWORD:
                own = secret
            elif hmac.compare_digest(secret.password_hash, offered):
                return secret
        password_hash = own.password_hash if own else self._hasher.nobodys_hash
        fits = await self._hasher.fits(password_hash, prepared)
        return own if fits else None

    async def _admitted(
        self, attempt: Attempt, turn: Turn, credentials: Credentials | None, secret: Secret | None
    ) -> Login:
        """Let in or refuse, with all that is booked about it."""
        if credentials is None or secret is None or credentials.principal.is_disabled:
            reason = "unknown" if credentials is None else "credential"
            if credentials is not None and credentials.principal.is_disabled:
                reason = "disabled"
            self._audit.note(
                "login-refused",
                login=attempt.login,
                reason=reason,
                door=attempt.door,
                host=attempt.host,
                session=attempt.session_id,
            )
            await self._guesses.failed(turn)
            raise LoginRefused(f"login refused: {reason}")
        self._guesses.succeeded(turn)
        login = Login(credentials.principal, secret.device_id, _mark(secret))
        self._welcome(attempt, login)
        return login

    def _welcome(self, attempt: Attempt, login: Login) -> None:
        principal, device_id = login.principal, login.device_id
        if attempt.is_request and not self._is_news(attempt, login):
            return
        self._audit.note(
            "login",
            address=principal.address,
            device=device_id,
            door=attempt.door,
            host=attempt.host,
            session=attempt.session_id,
        )
        key = (principal.principal_id, device_id)
        now = self._clock.monotonic_s()
        if now < self._noted.get(key, now):
            return
        if len(self._noted) >= REMEMBERED_MAX:
            self._noted.clear()
        self._noted[key] = now + NOTED_EVERY_S
        at_ms = self._clock.now_ms()
        self._directory.note_use(principal.principal_id, device_id, at_ms, attempt.door)

    def _is_news(self, attempt: Attempt, login: Login) -> bool:
        """Whether this client was not heard of for an hour, by this door and from this host."""
        key = (login.principal.principal_id, login.device_id, attempt.door, attempt.host)
        now = self._clock.monotonic_s()
        if now < self._heard.get(key, now):
            return False
        if len(self._heard) >= REMEMBERED_MAX:
            self._heard.clear()
        self._heard[key] = now + NOTED_EVERY_S
        return True


def opens(scope: tuple[str, ...], door: str) -> bool:
    """Whether a credential of that scope opens the door."""
    return not scope or door in scope or SCOPE_OF_DOOR.get(door, door) in scope


def _by_device(credentials: Credentials, device_id: DeviceId, door: str) -> Secret | None:
    for secret in credentials.secrets:
        if secret.device_id == device_id and opens(secret.scope, door):
            return secret
    return None


def _mark(secret: Secret) -> bytes:
    return hashlib.sha256(secret.password_hash.encode()).digest()[:8]
