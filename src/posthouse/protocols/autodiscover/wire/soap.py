"""SOAP: GetUserSettings, as exchangelib and the managed APIs ask.

Spec: [MS-OXWSADISC] §3.1.4.3 (GetUserSettings).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lxml import etree
from msgspec import Struct

from posthouse.formats.xml import element_from_xml, local_name, made, xml_from_element

if TYPE_CHECKING:
    from posthouse.formats.xml import Element
    from posthouse.protocols.autodiscover.answers import Announced, Person

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_AUTODISCOVER = "http://schemas.microsoft.com/exchange/2010/Autodiscover"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_ADDRESSING = "http://www.w3.org/2005/08/addressing"
_USERS_MAX = 100
_SETTINGS_MAX = 200


class Question(Struct, frozen=True):
    """What is asked.

    Attributes:
        addresses: whose settings, in order.
        settings: names of settings, in order.
    """

    addresses: tuple[str, ...]
    settings: tuple[str, ...]


def question_from_xml(data: bytes) -> Question:
    """Read a request.

    Raises:
        ValueError: it is no GetUserSettings, or asks for too much.
    """
    root = element_from_xml(data)
    if local_name(root) != "Envelope":
        raise ValueError("no SOAP envelope")
    if next(root.iter("{*}GetUserSettingsRequestMessage"), None) is None:
        raise ValueError("only GetUserSettings is answered")
    addresses = [(e.text or "").strip() for e in root.iter("{*}Mailbox")]
    settings = [(e.text or "").strip() for e in root.iter("{*}Setting")]
    if not addresses or len(addresses) > _USERS_MAX or len(settings) > _SETTINGS_MAX:
        raise ValueError("no user, or too many users or settings")
    return Question(tuple(addresses), tuple(settings))


def answer(question: Question, people: dict[str, Person], announced: Announced) -> bytes:
    """The settings of each user.

    Args:
        question: what was asked.
        people: by address as asked; who is missing is unknown here.
        announced: what answers.
    """
    message = _message("GetUserSettingsResponse")
    response = made(message, "Response")
    _error(response, "NoError", "")
    responses = made(response, "UserResponses")
    for address in question.addresses:
        one = made(responses, "UserResponse")
        person = people.get(address)
        if person is None:
            _error(one, "InvalidUser", "There is no mailbox of that address here.")
        else:
            _error(one, "NoError", "No error.")
            _user(one, _settings(person, announced), question.settings)
    return xml_from_element(message.getroottree().getroot())


def refusal(code: str, text: str) -> bytes:
    """The whole request is refused by a code of the protocol."""
    message = _message("GetUserSettingsResponse")
    response = made(message, "Response")
    _error(response, code, text)
    return xml_from_element(message.getroottree().getroot())


def _settings(person: Person, announced: Announced) -> dict[str, str]:
    """Setting -> value; "" while nothing answers there."""
    return {
        "UserDisplayName": person.name,
        "UserDN": person.legacy_dn,
        "UserDeploymentId": person.key,
        "AutoDiscoverSMTPAddress": person.address,
        "ExternalEwsUrl": announced.ews_url,
        "InternalEwsUrl": announced.ews_url,
        "EwsSupportedSchemas": "Exchange2010_SP2, Exchange2013" if announced.ews_url else "",
        "MobileMailboxPolicyInterval": "",
    }


def _user(parent: Element, known: dict[str, str], wanted: tuple[str, ...]) -> None:
    errors = made(parent, "UserSettingErrors")
    settings = made(parent, "UserSettings")
    for name in wanted:
        value = known.get(name, "")
        if value:
            setting = made(settings, "UserSetting")
            setting.set(f"{{{_XSI}}}type", "StringSetting")
            made(setting, "Name", name)
            made(setting, "Value", value)
        else:
            error = made(errors, "UserSettingError")
            made(error, "ErrorCode", "SettingIsNotAvailable")
            made(error, "ErrorMessage", "The setting is not available here.")
            made(error, "SettingName", name)


def _message(name: str) -> Element:
    spaces = {"s": _SOAP, "a": _ADDRESSING}
    envelope = etree.Element(f"{{{_SOAP}}}Envelope", nsmap=spaces)
    header = etree.SubElement(envelope, f"{{{_SOAP}}}Header")
    action = etree.SubElement(header, f"{{{_ADDRESSING}}}Action")
    action.text = f"{_AUTODISCOVER}/Autodiscover/{name}"
    body = etree.SubElement(envelope, f"{{{_SOAP}}}Body")
    outer: Any = {None: _AUTODISCOVER, "i": _XSI}  # the stubs know no default namespace
    return etree.SubElement(body, f"{{{_AUTODISCOVER}}}{name}Message", nsmap=outer)


def _error(parent: Element, code: str, text: str) -> None:
    made(parent, "ErrorCode", code)
    made(parent, "ErrorMessage", text)
