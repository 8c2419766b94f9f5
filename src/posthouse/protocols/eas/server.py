"""The door: who is it, which device, which command; answers as WBXML.

Spec: [MS-ASHTTP] v22 §2.2.1, §2.2.2, §3.2.5.

Notes:
    After the login every answer is HTTP 200, whatever went wrong: the command's own status says it.
    Only what cannot be told from any command (the address, the version) is an HTTP error. A body
    that is too large for a message is still read, to be refused by its status.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from posthouse.mechanisms.http_basic import CHALLENGE
from posthouse.model.errors import (
    NotFound,
    PosthouseError,
    RemoteProtocolError,
    TooLarge,
)
from posthouse.model.partnership import DeviceAccess
from posthouse.protocols.eas.commands import COMMANDS
from posthouse.protocols.eas.errors import ROOTS, Common, refusal, refused
from posthouse.protocols.eas.session import Call
from posthouse.protocols.eas.wire.options import Version
from posthouse.protocols.eas.wire.request_line import RequestHeaders, request_from_query
from posthouse.protocols.eas.wire.wbxml import decode, encode
from posthouse.runtime.http import Admission, Answer, answer_text
from posthouse.services.devices.partnerships import TooManyDevices
from posthouse.services.devices.policies import Standing
from posthouse.services.directory.web_login import Refusal, login_or_refusal

if TYPE_CHECKING:
    from posthouse.model.people import Login
    from posthouse.protocols.eas.session import EasServices
    from posthouse.protocols.eas.wire.element import Element
    from posthouse.protocols.eas.wire.request_line import RequestLine
    from posthouse.runtime.http import Head

DOOR: Final = "eas"
PATH: Final = "/Microsoft-Server-ActiveSync"
WBXML_TYPE: Final = "application/vnd.ms-sync.wbxml"
_MAIL_TYPE: Final = "message/rfc822"
_VERSIONS: Final = {version.text: version for version in Version}
_HEADERS: Final = (
    ("MS-Server-ActiveSync", "15.2"),
    ("Cache-Control", "private"),
)
_OFFERED: Final = (
    ("MS-ASProtocolVersions", ",".join(_VERSIONS)),
    (
        "MS-ASProtocolCommands",
        "Sync,SendMail,SmartForward,SmartReply,GetAttachment,GetHierarchy,CreateCollection,"
        "DeleteCollection,MoveCollection,FolderSync,FolderCreate,FolderDelete,FolderUpdate,"
        "MoveItems,GetItemEstimate,MeetingResponse,Search,Settings,Ping,ItemOperations,Provision,"
        "ResolveRecipients,ValidateCert,Find",
    ),
)
_CHALLENGE: Final = answer_text(401, "Who are you?", (("WWW-Authenticate", CHALLENGE),))
_LATER: Final = answer_text(503, "Too many attempts. Try again later.", (("Retry-After", "60"),))
_METHODS: Final = answer_text(405, "Only POST and OPTIONS.", (("Allow", "OPTIONS, POST"),))
_NO_TLS: Final = answer_text(403, "By TLS only.")
_BAD_VERSION: Final = answer_text(400, "MS-ASProtocolVersion is none that is spoken here.")
_IN_QUARANTINE: Final = frozenset({"Provision", "Settings", "FolderSync"})
"""What a device may ask that waits for the operator: it sets itself up, and sees no item."""
_SMALL_OCTETS: Final = 512
_SLACK_BYTES: Final = 1 << 20


class EasDoor:
    """Implements ``runtime.http.HttpDoor``."""

    __slots__ = ("_services",)

    def __init__(self, services: EasServices) -> None:
        self._services = services

    async def admit(self, head: Head) -> Admission | Answer:
        """See HttpDoor."""
        if not head.is_tls and self._services.limits.wants_tls:
            return _NO_TLS
        login = await login_or_refusal(
            self._services.logins,
            head.headers.get("authorization", ""),
            door=DOOR,
            host=head.host,
            session_id=head.session_id,
        )
        if isinstance(login, Refusal):
            return _CHALLENGE if login is Refusal.CHALLENGE else _LATER
        if head.method == "OPTIONS":
            return Answer(200, headers=(*_HEADERS, *_OFFERED, ("Allow", "OPTIONS,POST")))
        if head.method != "POST":
            return _METHODS
        octets = 2 * self._services.limits.message_bytes + _SLACK_BYTES
        return Admission(octets, login, is_known=True)

    async def answer(self, head: Head, admission: Admission, body: bytes) -> Answer:
        """See HttpDoor."""
        login: Login = admission.context
        try:
            line = request_from_query(head.query, _headers(head))
        except RemoteProtocolError as e:
            return answer_text(400, str(e))
        version = _VERSIONS.get(line.version)
        if version is None:
            return _BAD_VERSION
        if line.command not in ROOTS:
            return answer_text(501, "This command is of versions not spoken here.")
        try:
            said = await self._said(head, line, login, version, body)
        except PosthouseError as e:
            self._log(head, line, e)
            said = refusal(line.command, e)
        except Exception as e:  # noqa: BLE001  a bug of ours is told in the command's own words
            self._services.log.failure("eas.bug", e, session=head.session_id, command=line.command)
            said = refused(line.command, Common.SERVER_ERROR)
        if isinstance(said, Answer):
            return replace(said, headers=(*_HEADERS, *said.headers))
        octets = b"" if said is None else encode(said)
        return Answer(200, octets, WBXML_TYPE if octets else "", _HEADERS)

    async def _said(
        self, head: Head, line: RequestLine, login: Login, version: Version, body: bytes
    ) -> Element | Answer | None:
        if not login.principal.mailbox_id:
            return refused(line.command, Common.NO_MAILBOX)
        try:
            partnership = self._services.partnerships.meet(
                login,
                line.device_id,
                device_type=line.device_type,
                user_agent=head.headers.get("user-agent", ""),
                host=head.host,
                version=version,
            )
        except TooManyDevices:
            return refused(line.command, Common.TOO_MANY_DEVICES)
        call = Call(self._services, head, line, login, version, partnership)
        gate = self._gate(call)
        if gate is not None:
            return refused(line.command, gate)
        if len(body) > 2 * self._services.limits.message_bytes:
            raise TooLarge(f"{len(body)} octets")
        # Who waits for an hour shall not hold what it was asked by.
        answering = COMMANDS[line.command](call, _request(head, line, body))
        del body, partnership
        return await answering

    def _gate(self, call: Call) -> int | None:
        """Why the device may not ask this; None: it may."""
        command, partnership = call.line.command, call.partnership
        standing = self._services.partnerships.standing(partnership, call.policy_key)
        if standing is Standing.BLOCKED:
            return Common.DEVICE_BLOCKED
        if command == "Provision":
            return None
        is_set_up = standing is Standing.GOOD
        if not is_set_up and (command != "Settings" or standing is Standing.WIPE):
            return int(standing)
        if partnership.access is DeviceAccess.QUARANTINED and command not in _IN_QUARANTINE:
            return Common.DEVICE_BLOCKED
        return None

    def _log(self, head: Head, line: RequestLine, error: PosthouseError) -> None:
        if not isinstance(error, NotFound):
            self._services.log.info(
                "eas.refused",
                session=head.session_id,
                device=line.device_id,
                command=line.command,
                reason=f"{type(error).__name__}: {error}"[:200],
            )


_decoded = lru_cache(maxsize=1_024)(decode)
"""Devices ask the same again and again; what is read so is never changed."""


def _headers(head: Head) -> RequestHeaders:
    headers = head.headers
    return RequestHeaders(
        headers.get("ms-asprotocolversion", ""),
        headers.get("x-ms-policykey", ""),
        headers.get("ms-asacceptmultipart", ""),
    )


def _request(head: Head, line: RequestLine, body: bytes) -> Element | None:
    """The document; None: there is no body. Raises RemoteProtocolError."""
    if not body:
        return None
    if head.headers.get("content-type", "").partition(";")[0].strip().lower() == _MAIL_TYPE:
        raise RemoteProtocolError("mail comes in WBXML since 14.0", "content")
    request = _decoded(body) if len(body) <= _SMALL_OCTETS else decode(body)
    if request.name != ROOTS[line.command].name:
        raise RemoteProtocolError(f"{request.name} is not {line.command}", "content")
    return request
