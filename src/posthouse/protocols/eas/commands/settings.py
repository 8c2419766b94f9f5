"""SETTINGS: replies while away, what a device says of itself, who the person is.

Spec: [MS-ASCMD] §2.2.1.18, §2.2.3.177.14 (Status).

Notes:
    A device's recovery password is not kept: the policy says that none is wanted, and a device that
    sends one all the same is told that it may not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posthouse.model.errors import NotFound, PosthouseError, RemoteProtocolError, Unavailable
from posthouse.protocols.eas.wire.body import xml_text
from posthouse.protocols.eas.wire.device_information import (
    device_information_answer,
    device_information_from_element,
)
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.oof import CONFLICT, changed_oof, oof_elements

if TYPE_CHECKING:
    from posthouse.protocols.eas.session import Call

_SUCCESS: Final = 1
_PROTOCOL: Final = 2
_UNAVAILABLE: Final = 4
_INVALID: Final = 5
_CONFLICT: Final = 6
_DENIED: Final = 7
_NO_RIGHTS_MANAGEMENT: Final = 168


async def handle(call: Call, request: Element | None) -> Element:
    """Answer each property named; each has a status of its own. Raises RemoteProtocolError."""
    if request is None or not request.children:
        raise RemoteProtocolError("nothing is asked", "content")
    said = [_status(_SUCCESS)]
    oof = request.child("Oof")
    if oof is not None:
        said.append(await _oof(call, oof))
    device = request.child("DeviceInformation")
    if device is not None:
        said.append(_described(call, device))
    if request.child("DevicePassword") is not None:
        said.append(_of("DevicePassword", [_status(_DENIED)]))
    person = request.child("UserInformation")
    if person is not None:
        said.append(_of("UserInformation", _person(call, person)))
    if request.child("RightsManagementInformation") is not None:
        nothing = _of("Get", [Element("RightsManagement", "RightsManagementTemplates")])
        children = [_status(_NO_RIGHTS_MANAGEMENT), nothing]
        said.append(_of("RightsManagementInformation", children))
    return _of("Settings", said)


async def _oof(call: Call, oof: Element) -> Element:
    keeping = call.services.out_of_offices
    asked, told = oof.child("Get"), oof.child("Set")
    if (asked is None) == (told is None):
        return _of("Oof", [_status(_PROTOCOL)])
    try:
        known = await keeping.read(call.mailbox_id)
        if asked is not None:
            found = oof_elements(known, asked.text_of("BodyType"))
            return _of("Oof", [_status(_SUCCESS), _of("Get", found)])
        if told is not None:
            await keeping.write(call.mailbox_id, changed_oof(known, told))
    except RemoteProtocolError as e:
        return _of("Oof", [_status(_CONFLICT if e.reply_hint == CONFLICT else _INVALID)])
    except ValueError:
        return _of("Oof", [_status(_INVALID)])
    except (NotFound, Unavailable):
        return _of("Oof", [_status(_UNAVAILABLE)])
    return _of("Oof", [_status(_SUCCESS)])


def _described(call: Call, device: Element) -> Element:
    if device.child("Set") is None:
        return device_information_answer(_PROTOCOL)
    try:
        information = device_information_from_element(device)
        call.partnership = call.services.partnerships.describe(call.partnership, information)
    except RemoteProtocolError:
        return device_information_answer(_INVALID)
    except PosthouseError:
        return device_information_answer(_UNAVAILABLE)
    return device_information_answer(_SUCCESS)


def _person(call: Call, asked: Element) -> list[Element]:
    if asked.child("Get") is None:
        return [_status(_PROTOCOL)]
    principal = call.principal
    entry = call.services.address_book.entry(principal.principal_id)
    aliases = entry.aliases if entry is not None else ()
    addresses = [_of("SMTPAddress", one) for one in (principal.address, *aliases)]
    addresses.append(_of("PrimarySmtpAddress", principal.address))
    children = [_of("EmailAddresses", addresses)]
    name = xml_text(principal.name)
    if name:
        children.insert(0, _of("UserDisplayName", name))
    account = _of("Account", children)
    return [_status(_SUCCESS), _of("Get", [_of("Accounts", [account])])]


def _status(status: int) -> Element:
    return _of("Status", str(status))


def _of(tag: str, content: str | list[Element] = "") -> Element:
    return Element("Settings", tag, content)
