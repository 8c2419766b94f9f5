"""Phones: what is known of one device of one person, and what is demanded of devices.

Spec: [MS-ASPROV] §2.2.2.28 (EASProvisionDoc); [MS-ASCMD] §2.2.3.44 (DeviceInformation).
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct

from posthouse.model.ids import DeviceId, PrincipalId

FIRST_DEVICE_NUMBER = 2**32 + 1
"""Numbers of phones lie above those of device passwords, in the same space."""


class DeviceAccess(IntEnum):
    """Whether a phone comes in."""

    ALLOWED = 1
    BLOCKED = 2
    QUARANTINED = 3
    """New, and the operator has not decided yet."""


class Wipe(IntEnum):
    """How far a wipe has come."""

    NONE = 0
    REQUESTED = 1
    SENT = 2
    """The phone was told, and has not said yet that it is done."""
    DONE = 3


class DeviceInformation(Struct, frozen=True):
    """What a phone says of itself; "" is not said.

    Attributes:
        model: of the phone.
        imei: its serial number as a telephone.
        friendly_name: as its owner calls it.
        os: with version.
        os_language: its language.
        phone_number: its own.
        user_agent: of the mail program.
        mobile_operator: whose network.
    """

    model: str = ""
    imei: str = ""
    friendly_name: str = ""
    os: str = ""
    os_language: str = ""
    phone_number: str = ""
    user_agent: str = ""
    mobile_operator: str = ""


class Partnership(Struct, frozen=True, kw_only=True):
    """One device id of one person.

    Attributes:
        principal_id: whose.
        eas_id: as the device says it, 1 to 64 characters; another case is another device.
        device_number: under which the states of its synchronisation are kept: never used again,
            unique in the installation, from 2^32 + 1; 0 before it is kept.
        revision: grows with each change that is kept; 0 before the first.
        device_type: "iPhone", "SamsungDevice".
        user_agent: header of the last visit that was noted.
        version: of the protocol, at that visit: 141, 160, 161; 0 not said.
        model, os, os_language, friendly_name, imei, phone_number, mobile_operator: see
            DeviceInformation.
        password_device_id: device password of that visit; 0 the person's own.
        first_seen_at: ms.
        last_seen_at: ms, of the last visit that was noted.
        last_host: address it came from.
        access: whether it comes in.
        policy_key: under which it has taken the policy; 0 it has not.
        policy_version: of the policy it has taken; "" none.
        pending_policy_key: under which the policy was handed out last; 0 never.
        pending_policy_version: of that policy.
        wipe: how far a wipe has come.
        wipes_device: the whole device is to be erased, not only the account.
        wipe_at: ms, when ``wipe`` changed last; 0 never.
    """

    principal_id: PrincipalId
    eas_id: str
    device_number: DeviceId = DeviceId(0)
    revision: int = 0
    device_type: str = ""
    user_agent: str = ""
    version: int = 0
    model: str = ""
    os: str = ""
    os_language: str = ""
    friendly_name: str = ""
    imei: str = ""
    phone_number: str = ""
    mobile_operator: str = ""
    password_device_id: DeviceId = DeviceId(0)
    first_seen_at: int = 0
    last_seen_at: int = 0
    last_host: str = ""
    access: DeviceAccess = DeviceAccess.ALLOWED
    policy_key: int = 0
    policy_version: str = ""
    pending_policy_key: int = 0
    pending_policy_version: str = ""
    wipe: Wipe = Wipe.NONE
    wipes_device: bool = False
    wipe_at: int = 0


class DevicePolicy(Struct, frozen=True, omit_defaults=True):
    """What phones must keep to; as made, nothing.

    Attributes:
        password_required: a code to unlock the phone. All down to ``wipe_after_failures`` have
            no meaning without it.
        password_length_min: characters, 1 to 16; 0 any.
        password_letters: digits alone are not enough.
        allow_simple_password: such as 1111 or 1234.
        password_days: a new one after so many days; 0 never.
        lock_after_s: locks itself when not used for so long; 0 never.
        wipe_after_failures: erases itself after so many wrong codes, 4 to 16; 0 never.
        require_encryption: of the phone's storage.
        require_card_encryption: of its storage card.
        allow_camera: the camera may be used.
    """

    password_required: bool = False
    password_length_min: int = 0
    password_letters: bool = False
    allow_simple_password: bool = True
    password_days: int = 0
    lock_after_s: int = 0
    wipe_after_failures: int = 0
    require_encryption: bool = False
    require_card_encryption: bool = False
    allow_camera: bool = True
