"""What the configuration wants of phones, as the services have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.partnership import DeviceAccess, DevicePolicy
from posthouse.services.devices.policies import DeviceRules

if TYPE_CHECKING:
    from posthouse.app.config import Config

_NEW_DEVICES = {
    "allow": DeviceAccess.ALLOWED,
    "quarantine": DeviceAccess.QUARANTINED,
    "block": DeviceAccess.BLOCKED,
}


def device_rules(config: Config) -> DeviceRules:
    """The section ``activesync``."""
    wanted = config.activesync
    policy = wanted.policy
    return DeviceRules(
        new_devices=_NEW_DEVICES[wanted.new_devices],
        devices_max=wanted.devices_per_person,
        enforces=wanted.enforce_provisioning,
        accepts_partial=wanted.accept_partial,
        policy=DevicePolicy(
            password_required=policy.password_required,
            password_length_min=policy.password_length_min,
            password_letters=policy.password_letters,
            allow_simple_password=policy.allow_simple_password,
            password_days=policy.password_days,
            lock_after_s=int(policy.lock_after),
            wipe_after_failures=policy.wipe_after_failures,
            require_encryption=policy.require_encryption,
            require_card_encryption=policy.require_card_encryption,
            allow_camera=policy.allow_camera,
        ),
    )
