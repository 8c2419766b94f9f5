"""The door: which path is whose, who must have logged in, what is said.

Spec: [MS-OXDISCO] §3.1.5; draft-ietf-mailmaint-autoconfig-00 §4.

Notes:
    What needs no login tells nothing about people: it is the same for every address of a domain of
    ours, and 404 for others. Path names come in any letter case.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from posthouse.mechanisms.http_basic import CHALLENGE
from posthouse.model.address import Address
from posthouse.model.errors import PosthouseError
from posthouse.protocols.autodiscover.answers import Announced, Person
from posthouse.protocols.autodiscover.errors import Code, NotAnswered
from posthouse.protocols.autodiscover.wire import autoconfig, pox, profile, soap, version2
from posthouse.runtime.http import NOT_FOUND, Admission, Answer, answer_text
from posthouse.services.directory.web_login import Refusal, login_or_refusal

if TYPE_CHECKING:
    from posthouse.ports.clock import Chance, Clock
    from posthouse.runtime.http import Head
    from posthouse.services.directory.addresses import Addresses
    from posthouse.services.directory.login import Logins

DOOR = "autodiscover"
_XML = "text/xml; charset=utf-8"
_BODY_BYTES_MAX = 64 << 10
_POX = "/autodiscover/autodiscover.xml"
_SOAP = "/autodiscover/autodiscover.svc"
_AUTOCONFIG = frozenset({"/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"})
PROFILE = "/mobileconfig"
PATHS = (_POX, _SOAP, version2.PATH, *sorted(_AUTOCONFIG), PROFILE)
"""Where this door answers; below them too."""
_CHALLENGE = answer_text(401, "Who are you?", (("WWW-Authenticate", CHALLENGE),))
_LATER = answer_text(503, "Too many attempts. Try again later.", (("Retry-After", "60"),))
_METHODS = answer_text(405, "This is asked by another method.", (("Allow", "GET, HEAD, POST"),))
_NO_ADDRESS = answer_text(400, "An e-mail address is missing.")


@dataclass(frozen=True, slots=True)
class AutodiscoverServices:
    """What the door stands on.

    Attributes:
        announced: what answers in this house.
        addresses: who is behind an address.
        logins: who may come in.
        clock: the time.
        chance: numbers of refused requests.
    """

    announced: Announced
    addresses: Addresses
    logins: Logins
    clock: Clock
    chance: Chance


class AutodiscoverDoor:
    """Implements ``runtime.http.HttpDoor``."""

    __slots__ = ("_services",)

    def __init__(self, services: AutodiscoverServices) -> None:
        self._services = services

    async def admit(self, head: Head) -> Admission | Answer:
        """See HttpDoor."""
        path = head.path.lower()
        if path not in {_POX, _SOAP}:
            return Admission() if head.method in {"GET", "HEAD"} else _METHODS
        if not head.is_tls:
            return self._elsewhere(path)
        login = await login_or_refusal(
            self._services.logins,
            head.headers.get("authorization", ""),
            door=DOOR,
            host=head.host,
            session_id=head.session_id,
        )
        if isinstance(login, Refusal):
            return _CHALLENGE if login is Refusal.CHALLENGE else _LATER
        if head.method != "POST":
            return _METHODS
        return Admission(_BODY_BYTES_MAX, login, is_known=True)

    async def answer(self, head: Head, admission: Admission, body: bytes) -> Answer:  # noqa: ARG002  by contract
        """See HttpDoor."""
        path = head.path.lower()
        if path == _POX:
            return self._by_pox(body)
        if path == _SOAP:
            return self._by_soap(body)
        if path.startswith(version2.PATH):
            return self._by_version2(head)
        if path in _AUTOCONFIG:
            return self._by_autoconfig(head)
        if path == PROFILE:
            return self._by_profile(head)
        return NOT_FOUND

    def _by_pox(self, body: bytes) -> Answer:
        try:
            return Answer(200, self._pox(body), _XML)
        except NotAnswered as e:
            at = datetime.fromtimestamp(self._services.clock.now_ms() / 1000, UTC)
            number = str(int.from_bytes(self._services.chance.token_bytes(4), "big"))
            time = at.strftime("%H:%M:%S.%f")
            return Answer(200, pox.refusal(int(e.code), str(e), time, number), _XML)

    def _pox(self, body: bytes) -> bytes:
        announced = self._services.announced
        try:
            question = pox.question_from_xml(body)
        except ValueError:
            raise NotAnswered(Code.INVALID_REQUEST) from None
        is_answered = {pox.OUTLOOK: True, pox.MOBILE: bool(announced.activesync_url)}
        if not is_answered.get(question.schema):
            raise NotAnswered(Code.PROVIDER_NOT_AVAILABLE)
        person = self._person(question.address)
        if person is None:
            raise NotAnswered(Code.BAD_ADDRESS)
        if question.schema == pox.MOBILE:
            return pox.settings_for_phones(person, announced)
        return pox.settings_for_outlook(person, announced)

    def _by_soap(self, body: bytes) -> Answer:
        try:
            question = soap.question_from_xml(body)
        except ValueError as e:
            return Answer(200, soap.refusal("InvalidRequest", str(e)), _XML)
        people = {a: person for a in question.addresses if (person := self._person(a))}
        return Answer(200, soap.answer(question, people, self._services.announced), _XML)

    def _by_version2(self, head: Head) -> Answer:
        try:
            question = version2.question_from_target(head.path, head.query)
        except ValueError:
            return _NO_ADDRESS
        body = version2.answer(question, self._services.announced)
        return Answer(200, body, "application/json; charset=utf-8")

    def _by_autoconfig(self, head: Head) -> Answer:
        address = _asked(head, "emailaddress")
        host = head.headers.get("host", "").partition(":")[0].lower()
        domain = address.domain if address else host.removeprefix("autoconfig.")
        if not self._services.addresses.is_local_domain(domain):
            return NOT_FOUND
        return Answer(200, autoconfig.configuration(domain, self._services.announced), _XML)

    def _by_profile(self, head: Head) -> Answer:
        address = _asked(head, "email")
        if address is None:
            return _NO_ADDRESS
        if not self._services.addresses.is_local_domain(address.domain):
            return NOT_FOUND
        try:
            body = profile.profile(str(address), self._services.announced)
        except ValueError:
            return NOT_FOUND
        named = ("Content-Disposition", 'attachment; filename="mail.mobileconfig"')
        return Answer(200, body, "application/x-apple-aspen-config", (named,))

    def _elsewhere(self, path: str) -> Answer:
        """Without TLS nothing is asked for: clients follow to where it is safe."""
        return answer_text(
            302, "By TLS only.", (("Location", f"{self._services.announced.site}{path}"),)
        )

    def _person(self, text: str) -> Person | None:
        try:
            address = Address.parse(text)
            resolution = self._services.addresses.resolve(address)
        except (ValueError, PosthouseError):
            return None
        if len(resolution.deliveries) != 1:
            return None
        found = resolution.deliveries[0].principal
        return Person(found.address, found.name, f"{found.principal_id:032x}")


def _asked(head: Head, name: str) -> Address | None:
    """An address in the query."""
    try:
        fields = parse_qs(head.query, max_num_fields=20)
        known = {key.lower(): values[0] for key, values in fields.items()}
        return Address.parse(known.get(name, ""))
    except ValueError:
        return None
