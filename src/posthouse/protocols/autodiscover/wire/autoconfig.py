"""Autoconfig: what Thunderbird, Evolution, K-9 and KMail ask for.

Spec: draft-ietf-mailmaint-autoconfig-00 §3 (config-v1.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.formats.xml import made, xml_from_element
from posthouse.protocols.autodiscover.answers import Tls

if TYPE_CHECKING:
    from posthouse.protocols.autodiscover.answers import Announced, MailService

from lxml import etree


def configuration(domain: str, announced: Announced) -> bytes:
    """The document for addresses of a domain."""
    root = etree.Element("clientConfig", version="1.1")
    provider = made(root, "emailProvider", id=announced.host)
    made(provider, "domain", domain)
    made(provider, "displayName", f"{domain} mail")
    made(provider, "displayShortName", domain)
    for service in announced.mail:
        if service.kind != "smtp":
            _server(provider, "incomingServer", service)
    for service in announced.mail:
        if service.kind == "smtp":
            _server(provider, "outgoingServer", service)
    return xml_from_element(root)


def _server(provider: object, name: str, service: MailService) -> None:
    server = made(provider, name, type=service.kind)
    made(server, "hostname", service.host)
    made(server, "port", str(service.port))
    made(server, "socketType", "SSL" if service.tls is Tls.FROM_START else "STARTTLS")
    made(server, "username", "%EMAILADDRESS%")
    made(server, "authentication", "password-cleartext")
    if service.kind == "pop3":
        pop3 = made(server, "pop3")
        # The server remembers what each device has: leaving mail there costs nobody anything.
        made(pop3, "leaveMessagesOnServer", "true")
