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

from posthouse.app.config_sections import (
    ActiveSyncSettings,
    DevicePolicySettings,
    LimitSettings,
    ListenSettings,
    LogSettings,
    QueueSettings,
    Seconds,
    Size,
    StoreSettings,
    TlsSettings,
    setting,
)
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

_NEED_PASSWORD = (
    "password_length_min",
    "password_letters",
    "allow_simple_password",
    "password_days",
    "wipe_after_failures",
    "lock_after",
)
_SEPARATORS = ("+", "-", "_", "=", "#")


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration.

    Attributes:
        data: the data directory (not a key of the file).
    """

    data: Path
    profile: str = setting(
        "loopback", "loopback (127.0.0.1, ports + 2000) or public (standard ports)"
    )
    hostname: str = setting("localhost", "our name for other hosts; the certificate carries it")
    workers: int = setting(0, "worker processes; 0: one for every two cores")
    user: str = setting("", "user to become after binding the ports, when started as root")
    allow_plaintext_auth: bool = setting(
        default=False, doc="take passwords without TLS (never on the internet)"
    )
    detail_separator: str = setting("+", "what separates alice from a folder in alice+Projects")
    listen: ListenSettings = field(default_factory=ListenSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    queue: QueueSettings = field(default_factory=QueueSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    activesync: ActiveSyncSettings = field(default_factory=ActiveSyncSettings)
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
    "activesync": ActiveSyncSettings,
    "activesync.policy": DevicePolicySettings,
    "log": LogSettings,
}
"""Name of the table -> what is in it; keys that are tables themselves stand below with a dot."""
_NAMES_OF_TYPES = {"Path": object, "Size": Size, "Seconds": Seconds}


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
        ("activesync.new_devices", config.activesync.new_devices, ("allow", "quarantine", "block")),
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
    _check_device_policy(config.activesync.policy, path)
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


def _check_device_policy(policy: DevicePolicySettings, path: str) -> None:
    if 0 < policy.wipe_after_failures < 4:
        raise ConfigurationError(
            f"{path}: activesync.policy.wipe_after_failures: must be 0 or from 4 to 16,"
            f" got {policy.wipe_after_failures}"
        )
    free = DevicePolicySettings()
    for key in _NEED_PASSWORD:
        if not policy.password_required and getattr(policy, key) != getattr(free, key):
            raise ConfigurationError(
                f"{path}: activesync.policy.{key}: means nothing without a code;"
                " add password_required = true"
            )


def _nameserver(text: str) -> object:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return ipaddress.ip_address(address_from_text(text)[0])


def _read_section(cls: Any, tree: dict[str, Any], path: str, section: str, **given: object) -> Any:  # noqa: ANN401
    hints = get_type_hints(cls, {**globals(), **_NAMES_OF_TYPES})
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
    if isinstance(value, int | float) and not isinstance(value, bool):
        _check_range(value, meta, where)
    return value


def _check_range(value: float, meta: Any, where: str) -> None:  # noqa: ANN401
    if value < meta["least"]:
        raise ConfigurationError(f"{where}: must be at least {meta['least']}, got {value}")
    if value > meta["most"]:
        raise ConfigurationError(f"{where}: must be at most {meta['most']}, got {value}")


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
