"""DeviceInformation: what a phone says of itself, in Settings and in Provision.

Spec: [MS-ASCMD] §2.2.3.44; [MS-ASPROV] §2.2.2.53.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posthouse.model.partnership import DeviceInformation
from posthouse.protocols.eas.wire.element import Element

if TYPE_CHECKING:
    from collections.abc import Mapping

CHARACTERS_MAX: Final = 1024
"""Of each text; what is beyond is cut off."""
_FIELDS: Final[Mapping[str, str]] = {
    "model": "Model",
    "imei": "IMEI",
    "friendly_name": "FriendlyName",
    "os": "OS",
    "os_language": "OSLanguage",
    "phone_number": "PhoneNumber",
    "user_agent": "UserAgent",
    "mobile_operator": "MobileOperator",
}


def device_information_from_element(element: Element) -> DeviceInformation:
    """Read ``Settings:DeviceInformation``.

    EnableOutboundSMS is passed over: no text messages are sent from here.

    Raises:
        RemoteProtocolError: with the hint ``content``: a text is none.
    """
    said = element.child("Settings:Set")
    if said is None:
        return DeviceInformation()
    return DeviceInformation(
        **{
            field: said.text_of(f"Settings:{tag}")[:CHARACTERS_MAX]
            for field, tag in _FIELDS.items()
        }
    )


def device_information_answer(status: int) -> Element:
    """What is said to it."""
    answer = Element("Settings", "DeviceInformation")
    answer.add("Status", str(status))
    return answer
