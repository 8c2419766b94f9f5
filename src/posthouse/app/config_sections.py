"""The sections of the configuration: every key with its default and its documentation."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Any

Size = int
Seconds = float


def setting(
    default: Any,  # noqa: ANN401
    doc: str,
    kind: str = "",
    least: float = 0,
    most: float = inf,
) -> Any:  # noqa: ANN401
    """A key of the file.

    Args:
        default: its value when the file does not say it.
        doc: one line for the operator.
        kind: "size", "time" or "listen" where the type does not say all.
        least: of a number.
        most: of a number.
    """
    metadata = {"doc": doc, "kind": kind, "least": least, "most": most}
    if isinstance(default, tuple):
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class ListenSettings:
    """Where each door listens: lists of "host:port"; ["none"] closes the door."""

    smtp: tuple[str, ...] = setting((), "mail from other hosts (MX); default: by profile", "listen")
    submission: tuple[str, ...] = setting((), "mail from people, STARTTLS", "listen")
    submissions: tuple[str, ...] = setting((), "mail from people, TLS from the start", "listen")
    lmtp: tuple[str, ...] = setting((), "mail from a local MTA; closed by default", "listen")
    pop3: tuple[str, ...] = setting((), "POP3, STLS", "listen")
    pop3s: tuple[str, ...] = setting((), "POP3, TLS from the start", "listen")
    http: tuple[str, ...] = setting((), "sends clients to https", "listen")
    https: tuple[str, ...] = setting((), "Autodiscover and what speaks HTTP", "listen")
    admin: tuple[str, ...] = setting((), "health and metrics; keep it on loopback", "listen")


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Certificate of every door."""

    certificate: str = setting(
        "", "PEM file with the chain; default: DIR/tls/server.pem, made by init"
    )
    key: str = setting("", "PEM file with the private key; default: DIR/tls/server.key")


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """Limits that are enforced while reading."""

    message_size_max: Size = setting(50 << 20, "largest message taken in", "size", 1024)
    recipients_max: int = setting(1000, "recipients of one message", least=100)
    recipients_per_session_max: int = setting(5000, "recipients of one SMTP session", least=100)
    errors_before_login_max: int = setting(5, "errors before a stranger is shown the door", least=1)
    errors_max: int = setting(20, "errors before anyone is shown the door", least=1)
    received_max: int = setting(50, "Received lines before a message counts as looping", least=10)
    connections_max: int = setting(
        10_000, "connections of one worker; a tenth is kept for people logged in", least=10
    )
    connections_per_address: int = setting(100, "connections from one address", least=1)
    strangers_per_address: int = setting(20, "connections from one address before login", least=1)
    unlimited_networks: tuple[str, ...] = setting(
        ("127.0.0.0/8", "::1/128"), "networks without a limit per address"
    )
    login_deadline: Seconds = setting(60.0, "time to log in", "time", 1)
    pop3_idle: Seconds = setting(600.0, "silence before a POP3 session ends", "time", 1)
    pop3_login_delay: Seconds = setting(
        0.0, "time between two POP3 logins of one device; 0 none", "time"
    )
    smtp_idle: Seconds = setting(300.0, "silence before an SMTP session ends", "time", 1)
    recipients_per_hour: int = setting(
        100, "recipients a person may write to in an hour; 0 no limit"
    )
    recipients_per_day: int = setting(500, "recipients a person may write to in a day; 0 no limit")
    space_floor: Size = setting(
        1 << 30,
        "free disk below which nothing new is taken in (twice the message size at least)",
        "size",
    )


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Mail to other hosts."""

    smarthost: str = setting("", 'send all foreign mail through "host:port"')
    smarthost_login: str = setting("", "login at the smarthost")
    smarthost_password_file: str = setting("", "file with the password for it")
    smarthost_tls: str = setting("opportunistic", "opportunistic, required, implicit or none")
    nameservers: tuple[str, ...] = setting((), "name servers to ask; default: the system's")
    per_destination: int = setting(4, "connections to one destination", least=1)
    at_once: int = setting(32, "messages under way at once", least=1)
    warn_after: Seconds = setting(4 * 3600.0, "tell the sender of a delay after", "time", 60)
    give_up_after: Seconds = setting(5 * 86400.0, "return the message after", "time", 60)


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What is kept, and for how long."""

    recoverable_days: int = setting(14, "days that deleted items can be brought back")
    tombstone_days: int = setting(60, "days a client may stay away and still synchronise", least=1)
    blob_grace_hours: int = setting(
        48, "hours before unused content is given back to the disk", least=1
    )
    listing_cache: Size = setting(
        128 << 20, "memory of one worker for folder listings", "size", 1 << 20
    )
    default_quota: Size = setting(0, "quota of new mailboxes; 0 none", "size")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The log: one JSON object a line."""

    level: str = setting("info", "debug, info, warning or error")
    file: str = setting("", "file to write to; default: standard error")


@dataclass(frozen=True, slots=True)
class DevicePolicySettings:
    """What phones must keep to, as far as they can; nothing by default."""

    password_required: bool = setting(
        default=False, doc="a code to unlock the phone; the keys down to lock_after need it"
    )
    password_length_min: int = setting(0, "least characters of the code; 0 any", most=16)
    password_letters: bool = setting(default=False, doc="digits alone are not enough")
    allow_simple_password: bool = setting(default=True, doc="codes such as 1111 or 1234 will do")
    password_days: int = setting(0, "days until a new code is due; 0 never", most=730)
    wipe_after_failures: int = setting(
        0, "wrong codes, 4 to 16, after which the phone erases itself; 0 never", most=16
    )
    lock_after: Seconds = setting(
        0.0, "time after which an unused phone locks itself; 0 never", "time", most=9998
    )
    require_encryption: bool = setting(default=False, doc="the phone's storage must be encrypted")
    require_card_encryption: bool = setting(default=False, doc="its storage card, too")
    allow_camera: bool = setting(default=True, doc="the camera may be used")


@dataclass(frozen=True, slots=True)
class ActiveSyncSettings:
    """Phones: Exchange ActiveSync."""

    new_devices: str = setting(
        "allow", "a phone seen for the first time: allow, quarantine (until you allow it) or block"
    )
    devices_per_person: int = setting(100, "phones of one person", least=1)
    enforce_provisioning: bool = setting(
        default=True, doc="phones that do not take the policy stay outside (if it demands anything)"
    )
    accept_partial: bool = setting(
        default=False, doc="phones that can keep the policy only in part may come in"
    )
    policy: DevicePolicySettings = field(default_factory=DevicePolicySettings)
