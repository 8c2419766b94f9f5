"""A configuration profile for iPhone, iPad and Mac.

Spec: Apple, "Configuration Profile Reference", Mail and Exchange payloads.
"""

from __future__ import annotations

import plistlib
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_DNS, uuid5

from posthouse.protocols.autodiscover.answers import Tls

if TYPE_CHECKING:
    from posthouse.protocols.autodiscover.answers import Announced


def profile(address: str, announced: Announced) -> bytes:
    """The .mobileconfig for an address; the device asks for the password itself.

    Raises:
        ValueError: there is nothing an Apple device could use.
    """
    payload = (
        _exchange(address, announced) if announced.activesync_url else _mail(address, announced)
    )
    key = f"{announced.host}/{address}"
    payload["PayloadUUID"] = str(uuid5(NAMESPACE_DNS, f"{key}/account")).upper()
    payload["PayloadIdentifier"] = f"{announced.host}.account"
    payload["PayloadVersion"] = 1
    whole = {
        "PayloadContent": [payload],
        "PayloadDisplayName": f"Mail for {address}",
        "PayloadDescription": f"Sets up {address} on this device.",
        "PayloadIdentifier": f"{announced.host}.{uuid5(NAMESPACE_DNS, key)}",
        "PayloadOrganization": announced.host,
        "PayloadRemovalDisallowed": False,
        "PayloadType": "Configuration",
        "PayloadUUID": str(uuid5(NAMESPACE_DNS, key)).upper(),
        "PayloadVersion": 1,
    }
    return plistlib.dumps(whole)


def _exchange(address: str, announced: Announced) -> dict[str, Any]:
    return {
        "PayloadType": "com.apple.eas.account",
        "PayloadDisplayName": address,
        "EmailAddress": address,
        "UserName": address,
        "Host": announced.activesync_url.split("/")[2],
        "SSL": True,
    }


def _mail(address: str, announced: Announced) -> dict[str, Any]:
    incoming = announced.best("imap") or announced.best("pop3")
    outgoing = announced.best("smtp")
    if incoming is None or outgoing is None:
        raise ValueError("no mail service to point to")
    return {
        "PayloadType": "com.apple.mail.managed",
        "PayloadDisplayName": address,
        "EmailAccountDescription": address,
        "EmailAccountType": "EmailTypeIMAP" if incoming.kind == "imap" else "EmailTypePOP",
        "EmailAddress": address,
        "IncomingMailServerAuthentication": "EmailAuthPassword",
        "IncomingMailServerHostName": incoming.host,
        "IncomingMailServerPortNumber": incoming.port,
        "IncomingMailServerUseSSL": incoming.tls is Tls.FROM_START,
        "IncomingMailServerUsername": address,
        "OutgoingMailServerAuthentication": "EmailAuthPassword",
        "OutgoingMailServerHostName": outgoing.host,
        "OutgoingMailServerPortNumber": outgoing.port,
        "OutgoingMailServerUseSSL": outgoing.tls is Tls.FROM_START,
        "OutgoingMailServerUsername": address,
        "OutgoingPasswordSameAsIncomingPassword": True,
    }
