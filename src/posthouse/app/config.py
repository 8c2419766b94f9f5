"""Configuration: one typed tree, read once from DIR/posthouse.toml and passed down as arguments.

Notes:
    Every key has its documentation beside it; ``posthouse init`` writes them all, commented out,
    into the new file. An unknown key, a value of the wrong kind or out of range is a
    ConfigurationError that names file, key and remedy.
    Sizes are numbers of bytes or text such as "50 MiB"; times are seconds or text such as "4 h".
"""

from __future__ import annotations

import ipaddress
import tomllib
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from math import isfinite
from typing import TYPE_CHECKING, Any, get_type_hints

from posthouse.model.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE_NAME = "posthouse.toml"
PROFILES = {"loopback": ("127.0.0.1", 2000), "public": ("", 0)}
"""Profile: address to bind ("" is every one) and what is added to the standard ports."""
STANDARD_PORTS = {
    "smtp": 25,
    "submission": 587,
    "submissions": 465,
    "pop3": 110,
    "pop3s": 995,
    "http": 80,
    "https": 443,
}
_ADMIN_PORTS = {"loopback": 2088, "public": 8088}
_SIZE_UNITS = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}
_TIME_UNITS = {"": 1, "S": 1, "MIN": 60, "H": 3600, "DAYS": 86400, "DAY": 86400}

_SEPARATORS = ("+", "-", "_", "=", "#")

Size = int
Seconds = float


def _key(default: Any, doc: str, kind: str = "", least: float = 0) -> Any:  # noqa: ANN401
    metadata = {"doc": doc, "kind": kind, "least": least}
    if isinstance(default, tuple):
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class ListenSettings:
    """Where each door listens: lists of "host:port"; ["none"] closes the door."""

    smtp: tuple[str, ...] = _key((), "mail from other hosts (MX); default: by profile", "listen")
    submission: tuple[str, ...] = _key((), "mail from people, STARTTLS", "listen")
    submissions: tuple[str, ...] = _key((), "mail from people, TLS from the start", "listen")
    lmtp: tuple[str, ...] = _key((), "mail from a local MTA; closed by default", "listen")
    pop3: tuple[str, ...] = _key((), "POP3, STLS", "listen")
    pop3s: tuple[str, ...] = _key((), "POP3, TLS from the start", "listen")
    http: tuple[str, ...] = _key((), "sends clients to https", "listen")
    https: tuple[str, ...] = _key((), "Autodiscover and what speaks HTTP", "listen")
    admin: tuple[str, ...] = _key((), "health and metrics; keep it on loopback", "listen")


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Certificate of every door."""

    certificate: str = _key(
        "", "PEM file with the chain; default: DIR/tls/server.pem, made by init"
    )
    key: str = _key("", "PEM file with the private key; default: DIR/tls/server.key")


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """Limits that are enforced while reading."""

    message_size_max: Size = _key(50 << 20, "largest message taken in", "size", 1024)
    recipients_max: int = _key(1000, "recipients of one message", least=100)
    recipients_per_session_max: int = _key(5000, "recipients of one SMTP session", least=100)
    errors_before_login_max: int = _key(5, "errors before a stranger is shown the door", least=1)
    errors_max: int = _key(20, "errors before anyone is shown the door", least=1)
    received_max: int = _key(50, "Received lines before a message counts as looping", least=10)
    connections_max: int = _key(
        10_000, "connections of one worker; a tenth is kept for people logged in", least=10
    )
    connections_per_address: int = _key(100, "connections from one address", least=1)
    strangers_per_address: int = _key(20, "connections from one address before login", least=1)
    unlimited_networks: tuple[str, ...] = _key(
        ("127.0.0.0/8", "::1/128"), "networks without a limit per address"
    )
    login_deadline: Seconds = _key(60.0, "time to log in", "time", 1)
    pop3_idle: Seconds = _key(600.0, "silence before a POP3 session ends", "time", 1)
    pop3_login_delay: Seconds = _key(
        0.0, "time between two POP3 logins of one device; 0 none", "time"
    )
    smtp_idle: Seconds = _key(300.0, "silence before an SMTP session ends", "time", 1)
    recipients_per_hour: int = _key(100, "recipients a person may write to in an hour; 0 no limit")
    recipients_per_day: int = _key(500, "recipients a person may write to in a day; 0 no limit")
    space_floor: Size = _key(
        1 << 30,
        "free disk below which nothing new is taken in (twice the message size at least)",
        "size",
    )


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Mail to other hosts."""

    smarthost: str = _key("", 'send all foreign mail through "host:port"')
    smarthost_login: str = _key("", "login at the smarthost")
    smarthost_password_file: str = _key("", "file with the password for it")
    smarthost_tls: str = _key("opportunistic", "opportunistic, required, implicit or none")
    nameservers: tuple[str, ...] = _key((), "name servers to ask; default: the system's")
    per_destination: int = _key(4, "connections to one destination", least=1)
    at_once: int = _key(32, "messages under way at once", least=1)
    warn_after: Seconds = _key(4 * 3600.0, "tell the sender of a delay after", "time", 60)
    give_up_after: Seconds = _key(5 * 86400.0, "return the message after", "time", 60)


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What is kept, and for how long."""

    recoverable_days: int = _key(14, "days that deleted items can be brought back")
    tombstone_days: int = _key(60, "days a client may stay away and still synchronise", least=1)
    blob_grace_hours: int = _key(
        48, "hours before unused content is given back to the disk", least=1
    )
    listing_cache: Size = _key(
        128 << 20, "memory of one worker for folder listings", "size", 1 << 20
    )
    default_quota: Size = _key(0, "quota of new mailboxes; 0 none", "size")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The log: one JSON object a line."""

    level: str = _key("info", "debug, info, warning or error")
    file: str = _key("", "file to write to; default: standard error")


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration.

    Attributes:
        data: the data directory (not a key of the file).
    """

    data: Path
    profile: str = _key("loopback", "loopback (127.0.0.1, ports + 2000) or public (standard ports)")
    hostname: str = _key("localhost", "our name for other hosts; the certificate carries it")
    workers: int = _key(0, "worker processes; 0: one for every two cores")
    user: str = _key("", "user to become after binding the ports, when started as root")
    allow_plaintext_auth: bool = _key(
        default=False, doc="take passwords without TLS (never on the internet)"
    )
    detail_separator: str = _key("+", "what separates alice from a folder in alice+Projects")
    listen: ListenSettings = field(default_factory=ListenSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    queue: QueueSettings = field(default_factory=QueueSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    log: LogSettings = field(default_factory=LogSettings)

    def listeners(self) -> dict[str, tuple[tuple[str, int], ...]]:
        """Door name -> addresses to bind; doors that are closed are left out."""
        host, added = PROFILES[self.profile]
        hosts = (host,) if host else ("0.0.0.0", "::")  # noqa: S104  the public profile is asked for
        out: dict[str, tuple[tuple[str, int], ...]] = {}
        for door in fields(ListenSettings):
            wanted: tuple[str, ...] = getattr(self.listen, door.name)
            if wanted:
                out[door.name] = tuple(address_from_text(text) for text in wanted if text != "none")
            elif door.name in STANDARD_PORTS:
                out[door.name] = tuple((h, STANDARD_PORTS[door.name] + added) for h in hosts)
            elif door.name == "admin":
                out[door.name] = (("127.0.0.1", _ADMIN_PORTS[self.profile]),)
        return {door: addresses for door, addresses in out.items() if addresses}

    @property
    def certificate_path(self) -> Path:
        """The certificate chain in use."""
        return self.data / (self.tls.certificate or "tls/server.pem")

    @property
    def key_path(self) -> Path:
        """The private key in use."""
        return self.data / (self.tls.key or "tls/server.key")


SECTIONS: dict[str, Any] = {
    "listen": ListenSettings,
    "tls": TlsSettings,
    "limits": LimitSettings,
    "queue": QueueSettings,
    "store": StoreSettings,
    "log": LogSettings,
}


def address_from_text(text: str) -> tuple[str, int]:
    """Read "host:port" or "[v6]:port".

    Raises:
        ValueError: no port, or out of range.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError(f'"{text}" is not "host:port"')
    return host.strip("[]"), int(port)


def load(data: Path) -> Config:
    """Read DIR/posthouse.toml.

    Raises:
        ConfigurationError: names file, key and remedy.
    """
    path = data / FILE_NAME
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} is not there: make a data directory with "
            f"'posthouse init --data {data} --domain YOUR.DOMAIN'"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ConfigurationError(f"{path}: not valid TOML: {e}") from None
    except OSError as e:
        raise ConfigurationError(f"{path}: cannot be read: {e.strerror}") from None
    config: Config = _read_section(Config, tree, str(path), "", data=data)
    _check(config, str(path))
    return config


def _check(config: Config, path: str) -> None:
    if config.profile not in PROFILES:
        raise ConfigurationError(
            f'{path}: profile: "{config.profile}" is unknown; use one of: {", ".join(PROFILES)}'
        )
    choices = (
        ("log.level", config.log.level, ("debug", "info", "warning", "error")),
        (
            "queue.smarthost_tls",
            config.queue.smarthost_tls,
            ("opportunistic", "required", "implicit", "none"),
        ),
    )
    for key, value, allowed in choices:
        if value not in allowed:
            raise ConfigurationError(
                f'{path}: {key}: "{value}" is unknown; use one of: {", ".join(allowed)}'
            )
    if config.queue.smarthost:
        try:
            address_from_text(config.queue.smarthost)
        except ValueError as e:
            raise ConfigurationError(f"{path}: queue.smarthost: {e}") from None
    _check_names(config, path)
    if not config.hostname or any(c.isspace() for c in config.hostname):
        raise ConfigurationError(
            f"{path}: hostname: give the full name of this host, e.g. mail.example.org"
        )


def _check_names(config: Config, path: str) -> None:
    readings: tuple[tuple[str, tuple[str, ...], Callable[[str], object], str], ...] = (
        (
            "limits.unlimited_networks",
            config.limits.unlimited_networks,
            ipaddress.ip_network,
            "no network; write it as 192.0.2.0/24 or 2001:db8::/32",
        ),
        (
            "queue.nameservers",
            config.queue.nameservers,
            _nameserver,
            "no address; write it as 192.0.2.53 or 192.0.2.53:5353",
        ),
    )
    for key, values, read, remedy in readings:
        for value in values:
            try:
                read(value)
            except ValueError:
                raise ConfigurationError(f'{path}: {key}: "{value}" is {remedy}') from None
    if config.detail_separator not in _SEPARATORS:
        raise ConfigurationError(
            f'{path}: detail_separator: "{config.detail_separator}" is unknown; '
            f"use one of: {' '.join(_SEPARATORS)}"
        )


def _nameserver(text: str) -> object:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return ipaddress.ip_address(address_from_text(text)[0])


def _read_section(cls: Any, tree: dict[str, Any], path: str, section: str, **given: object) -> Any:  # noqa: ANN401
    hints = get_type_hints(cls, {**globals(), "Path": object})
    known = {f.name: f for f in fields(cls) if f.name not in given}
    values: dict[str, object] = dict(given)
    for key, value in tree.items():
        full = f"{section}{key}"
        if key not in known:
            raise ConfigurationError(
                f"{path}: {full}: unknown key; {_nearest(key, section, known)}"
            )
        kind = hints[key]
        if is_dataclass(kind):
            if not isinstance(value, dict):
                raise ConfigurationError(
                    f"{path}: {full}: this is a table; write [{full}] on a line of its own"
                )
            values[key] = _read_section(kind, value, path, f"{full}.")
        else:
            values[key] = _read_value(value, kind, known[key].metadata, f"{path}: {full}")
    return cls(**values)


def _nearest(key: str, section: str, known: dict[str, Any]) -> str:
    for table, kind in SECTIONS.items():
        if key in {f.name for f in fields(kind)}:
            return f"it belongs into the table [{table}]"
    near = get_close_matches(key, known, n=1, cutoff=0.5)
    if near:
        return f"did you mean {section}{near[0]}?"
    return f"known here: {', '.join(sorted(known))}"


def _read_value(value: Any, kind: Any, meta: Any, where: str) -> object:  # noqa: ANN401
    special = meta["kind"]
    if special in ("size", "time"):
        number = _quantity(value, _SIZE_UNITS if special == "size" else _TIME_UNITS, where)
        value, kind = (int(number), int) if special == "size" else (float(number), float)
    if kind == tuple[str, ...]:
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise ConfigurationError(f'{where}: expected a list of texts, such as ["a", "b"]')
        _check_listen(value, special, where)
        return tuple(value)
    if isinstance(value, bool) is not (kind is bool) or not isinstance(value, kind):
        name = {
            str: 'text in quotes, "..."',
            int: "a whole number",
            bool: "true or false",
            float: "a number",
        }
        raise ConfigurationError(f"{where}: expected {name.get(kind, kind)}, got {value!r}")
    if isinstance(value, int | float) and not isinstance(value, bool) and value < meta["least"]:
        raise ConfigurationError(f"{where}: must be at least {meta['least']}, got {value}")
    return value


def _check_listen(values: list[str], special: str, where: str) -> None:
    if special != "listen":
        return
    for text in values:
        if text != "none":
            try:
                address_from_text(text)
            except ValueError as e:
                raise ConfigurationError(
                    f'{where}: {e}; to close the door write ["none"]'
                ) from None


def _quantity(value: object, units: dict[str, int], where: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return float(value)
    if isinstance(value, str):
        digits = value.strip().rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
        unit = value.strip()[len(digits) :].strip().upper()
        try:
            return float(digits) * units[unit]
        except (ValueError, KeyError):
            pass
    known = ", ".join(u.lower() if units is _TIME_UNITS else u for u in units if u)
    raise ConfigurationError(
        f"{where}: expected a number, or text with a unit ({known}), got {value!r}"
    )
