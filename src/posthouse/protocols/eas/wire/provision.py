"""Provision: the two round trips of a policy, and the wipe.

Spec: [MS-ASPROV] §2.2.2 (elements), §3.1.5.1, §3.2.5.1 (what is sent when).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.device_information import (
    device_information_answer,
    device_information_from_element,
)
from posthouse.protocols.eas.wire.element import Element

if TYPE_CHECKING:
    from posthouse.model.partnership import DeviceInformation, DevicePolicy

POLICY_TYPE: Final = "MS-EAS-Provisioning-WBXML"
_POLICY_TYPE_CHARACTERS_MAX: Final = 64
_KEY_MAX: Final = 2**32 - 1
_NEVER_LOCK: Final = 9_999
"""Seconds; so many and more mean that it never does."""

_FREE: Final[dict[str, bool | int | str]] = {
    "AllowWiFi": True,
    "AllowTextMessaging": True,
    "AllowPOPIMAPEmail": True,
    "AllowBluetooth": 2,
    "AllowIrDA": True,
    "RequireManualSyncWhenRoaming": False,
    "AllowDesktopSync": True,
    "MaxCalendarAgeFilter": 0,
    "AllowHTMLEmail": True,
    "MaxEmailAgeFilter": 0,
    "MaxEmailBodyTruncationSize": -1,
    "MaxEmailHTMLBodyTruncationSize": -1,
    "RequireSignedSMIMEMessages": False,
    "RequireEncryptedSMIMEMessages": False,
    "RequireSignedSMIMEAlgorithm": 0,
    "RequireEncryptionSMIMEAlgorithm": 0,
    "AllowSMIMEEncryptionAlgorithmNegotiation": 2,
    "AllowSMIMESoftCerts": True,
    "AllowBrowser": True,
    "AllowConsumerEmail": True,
    "AllowRemoteDesktop": True,
    "AllowInternetSharing": True,
    "UnapprovedInROMApplicationList": "",
    "ApprovedApplicationList": "",
}
"""What no operator here restricts; the truncation sizes of -1 mean no limit."""


class PolicyAsked(Struct, frozen=True):
    """One half of a round trip.

    Attributes:
        policy_type: the form of the policy.
        key: the temporary one that is acknowledged; 0 not said.
        status: what became of the policy; None: it is asked for.
    """

    policy_type: str
    key: int = 0
    status: int | None = None


class ProvisionRequest(Struct, frozen=True):
    """What a phone says; None: not said.

    Attributes:
        device: what it is.
        policy: asks for the policy, or says what became of it.
        wipe: what became of erasing the device: 1 it is done.
        account_wipe: the same of the account alone.
    """

    device: DeviceInformation | None = None
    policy: PolicyAsked | None = None
    wipe: int | None = None
    account_wipe: int | None = None


class PolicyAnswer(Struct, frozen=True):
    """What is said of a policy.

    Attributes:
        policy_type: as it was asked for.
        status: of the policy.
        key: temporary with a policy, else final; 0 none.
        policy: handed out; None with the final key.
    """

    policy_type: str
    status: int
    key: int = 0
    policy: DevicePolicy | None = None


class ProvisionAnswer(Struct, frozen=True):
    """What is said to a phone.

    Attributes:
        status: of the command.
        device_status: to what it said of itself; None: it said nothing.
        policy: see there.
        wipes_device: it is to erase everything.
        wipes_account: it is to erase the account.
    """

    status: int
    device_status: int | None = None
    policy: PolicyAnswer | None = None
    wipes_device: bool = False
    wipes_account: bool = False


def request_from_element(element: Element) -> ProvisionRequest:
    """Read ``Provision:Provision``.

    Raises:
        RemoteProtocolError: with the hint ``content``.
    """
    device = element.child("Settings:DeviceInformation")
    return ProvisionRequest(
        device_information_from_element(device) if device else None,
        _policy(element.find("Policies", "Policy")),
        _number(element.child("RemoteWipe"), "Status"),
        _number(element.child("AccountOnlyRemoteWipe"), "Status"),
    )


def _policy(element: Element | None) -> PolicyAsked | None:
    if element is None:
        return None
    key = _number(element, "PolicyKey") or 0
    if key > _KEY_MAX:
        raise RemoteProtocolError("PolicyKey has more than 32 bits", "content")
    policy_type = element.text_of("PolicyType")
    if len(policy_type) > _POLICY_TYPE_CHARACTERS_MAX or not policy_type.isprintable():
        raise RemoteProtocolError("PolicyType is none", "content")
    return PolicyAsked(policy_type, key, _number(element, "Status"))


def _number(parent: Element | None, name: str) -> int | None:
    """Number in a child; None without it, or without the parent."""
    if parent is None or parent.child(name) is None:
        return None
    return parent.number_of(name)


def element_from_answer(answer: ProvisionAnswer) -> Element:
    """Write ``Provision:Provision``."""
    root = Element("Provision", "Provision", [])
    if answer.device_status is not None:
        root.children.append(device_information_answer(answer.device_status))
    root.add("Status", str(answer.status))
    if answer.policy is not None:
        root.add("Policies").add("Policy", _policy_children(answer.policy))
    if answer.wipes_device:
        root.add("RemoteWipe")
    elif answer.wipes_account:
        root.add("AccountOnlyRemoteWipe")
    return root


def _policy_children(answer: PolicyAnswer) -> list[Element]:
    policy = Element("Provision", "Policy", [])
    policy.add("PolicyType", answer.policy_type)
    policy.add("Status", str(answer.status))
    if answer.key:
        policy.add("PolicyKey", str(answer.key))
    if answer.policy is not None:
        policy.add("Data").add("EASProvisionDoc", _document(answer.policy))
    return policy.children


def _document(policy: DevicePolicy) -> list[Element]:
    """A policy in full, in the schema's order; what it does not demand is said to be free.

    Nothing is left out: the phone keeps what an earlier policy demanded and this one is silent of.
    """
    has_password = policy.password_required
    lock_s = min(policy.lock_after_s or _NEVER_LOCK, _NEVER_LOCK)
    values: dict[str, bool | int | str] = {
        "DevicePasswordEnabled": has_password,
        "AlphanumericDevicePasswordRequired": has_password and policy.password_letters,
        "PasswordRecoveryEnabled": False,
        "RequireStorageCardEncryption": policy.require_card_encryption,
        "AttachmentsEnabled": True,
        "MinDevicePasswordLength": (has_password and policy.password_length_min) or "",
        "MaxInactivityTimeDeviceLock": lock_s if has_password else "",
        "MaxDevicePasswordFailedAttempts": (has_password and policy.wipe_after_failures) or "",
        "MaxAttachmentSize": "",
        "AllowSimpleDevicePassword": policy.allow_simple_password or not has_password,
        "DevicePasswordExpiration": policy.password_days if has_password else 0,
        "DevicePasswordHistory": 0,
        "AllowStorageCard": True,
        "AllowCamera": policy.allow_camera,
        "RequireDeviceEncryption": policy.require_encryption,
        "AllowUnsignedApplications": True,
        "AllowUnsignedInstallationPackages": True,
        # Kinds of characters; with digits and letters there are two, and one is the least.
        "MinDevicePasswordComplexCharacters": 2 if has_password and policy.password_letters else 1,
        **_FREE,
    }
    return [
        Element("Provision", tag, str(int(value)) if isinstance(value, int) else value)
        for tag, value in values.items()
    ]
