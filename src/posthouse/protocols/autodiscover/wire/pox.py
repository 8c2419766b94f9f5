"""Plain old XML: what Outlook, Thunderbird, Evolution, DavMail, Apple Mail and phones ask first.

Spec: [MS-OXDSCLI] §2.2.3, §2.2.4 (Outlook's schema); [MS-ASCMD] §2.2.1.1 (the phones').
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.formats.xml import (
    element_from_xml,
    first_text,
    local_name,
    made,
    root_of,
    xml_from_element,
)
from posthouse.protocols.autodiscover.answers import Tls

if TYPE_CHECKING:
    from posthouse.formats.xml import Element
    from posthouse.protocols.autodiscover.answers import Announced, MailService, Person

_OUTER = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
MOBILE = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
_TYPES = {"pop3": "POP3", "imap": "IMAP", "smtp": "SMTP"}


class Question(Struct, frozen=True):
    """What a client wants to know.

    Attributes:
        address: whose settings.
        schema: the answer's namespace: OUTLOOK, MOBILE, or one that nobody here knows.
    """

    address: str
    schema: str


def question_from_xml(data: bytes) -> Question:
    """Read a request.

    Raises:
        ValueError: it is none.
    """
    root = element_from_xml(data)
    if local_name(root) != "Autodiscover":
        raise ValueError("not an Autodiscover request")
    address = first_text(root, "EMailAddress")
    if not address or len(address) > 320:
        raise ValueError("no EMailAddress")
    return Question(address, first_text(root, "AcceptableResponseSchema") or OUTLOOK)


def settings_for_outlook(person: Person, announced: Announced) -> bytes:
    """The answer in Outlook's schema."""
    outer = root_of("Autodiscover", _OUTER)
    response = _response(outer, OUTLOOK)
    user = made(response, "User")
    made(user, "DisplayName", person.name)
    made(user, "LegacyDN", person.legacy_dn)
    made(user, "AutoDiscoverSMTPAddress", person.address)
    made(user, "DeploymentId", person.key)
    account = made(response, "Account")
    made(account, "AccountType", "email")
    made(account, "Action", "settings")
    if announced.ews_url:
        _exchange(account, announced)
    else:
        for service in announced.mail:
            _mail(account, service, person.address)
    return xml_from_element(outer)


def settings_for_phones(person: Person, announced: Announced) -> bytes:
    """The answer in ActiveSync's schema; only to be asked for where ActiveSync answers."""
    outer = root_of("Autodiscover", _OUTER)
    response = _response(outer, MOBILE)
    made(response, "Culture", "en:en")
    user = made(response, "User")
    made(user, "DisplayName", person.name)
    made(user, "EMailAddress", person.address)
    server = made(made(made(response, "Action"), "Settings"), "Server")
    made(server, "Type", "MobileSync")
    made(server, "Url", announced.activesync_url)
    made(server, "Name", announced.activesync_url)
    return xml_from_element(outer)


def refusal(code: int, text: str, at: str, request_id: str) -> bytes:
    """An error, in the schema that all clients know.

    Args:
        code: see ``errors.Code``.
        text: for people.
        at: time of day, ``hh:mm:ss.fffffff``.
        request_id: a number for the log.
    """
    outer = root_of("Autodiscover", _OUTER)
    response = made(outer, "Response")
    error = made(response, "Error", Time=at, Id=request_id)
    made(error, "ErrorCode", str(code))
    made(error, "Message", text)
    made(error, "DebugData")
    return xml_from_element(outer)


def _response(outer: Element, schema: str) -> Element:
    response = root_of("Response", schema)
    outer.append(response)
    return response


def _mail(account: Element, service: MailService, login: str) -> None:
    protocol = made(account, "Protocol")
    made(protocol, "Type", _TYPES[service.kind])
    made(protocol, "Server", service.host)
    made(protocol, "Port", str(service.port))
    made(protocol, "DomainRequired", "off")
    made(protocol, "LoginName", login)
    made(protocol, "SPA", "off")
    is_from_start = service.tls is Tls.FROM_START
    made(protocol, "SSL", "on")
    made(protocol, "Encryption", "SSL" if is_from_start else "TLS")
    made(protocol, "AuthRequired", "on")
    if service.kind == "smtp":
        made(protocol, "UsePOPAuth", "off")
        made(protocol, "SMTPLast", "off")


def _exchange(account: Element, announced: Announced) -> None:
    for kind in ("EXCH", "EXPR"):
        protocol = made(account, "Protocol")
        made(protocol, "Type", kind)
        made(protocol, "Server", announced.host)
        made(protocol, "SSL", "On")
        made(protocol, "AuthPackage", "Basic")
        made(protocol, "ASUrl", announced.ews_url)
        made(protocol, "EwsUrl", announced.ews_url)
        made(protocol, "OOFUrl", announced.ews_url)
