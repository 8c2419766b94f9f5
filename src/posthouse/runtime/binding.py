"""Binding: makes the listening sockets, one for each listener and worker."""

from __future__ import annotations

import errno
import ipaddress
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from posthouse.model.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

_BACKLOG = 4096
_TAKEN_WAIT_S = 3.0
_TAKEN_STEP_S = 0.05


@dataclass(frozen=True, slots=True)
class ListenerSpec:
    """What to listen on.

    Attributes:
        name: "pop3", "submissions" and so on; several addresses may share a name.
        host: an IPv4 or IPv6 address.
        port: 0 lets the system choose (for tests).
        implicit_tls: the handshake comes first.
        key: where it is configured, for error messages.
    """

    name: str
    host: str
    port: int
    implicit_tls: bool = False
    key: str = ""


def bind_all(
    specs: Sequence[ListenerSpec], workers: int
) -> list[list[tuple[ListenerSpec, socket.socket]]]:
    """Bind everything, or nothing.

    Returns:
        For each worker its listening sockets. All sockets of one spec have the same port; the
        kernel spreads connections over them.

    Raises:
        ConfigurationError: an address cannot be bound; names the key, the reason and the remedy.
    """
    rows: list[list[tuple[ListenerSpec, socket.socket]]] = [[] for _ in range(workers)]
    try:
        for spec in specs:
            port = _probe(spec)
            for row in rows:
                row.append((spec, _bound(spec, port, is_shared=True)))
        for row in rows:
            for _, sock in row:
                sock.listen(_BACKLOG)
    except BaseException:
        close_all(rows)
        raise
    return rows


def close_all(rows: Sequence[Sequence[tuple[ListenerSpec, socket.socket]]]) -> None:
    """Close all sockets."""
    for row in rows:
        for _, sock in row:
            sock.close()


def _probe(spec: ListenerSpec) -> int:
    """Make sure that nobody else listens there, and find the port.

    SO_REUSEPORT would let two servers of one user share a port in silence, each getting half of the
    mail. After our predecessor was killed its workers may need a moment to go: so a taken port is
    tried for a while.
    """
    waited_s = 0.0
    while True:
        try:
            with _bound(spec, spec.port, is_shared=False) as sock:
                port: int = sock.getsockname()[1]
                return port
        except OSError as error:
            if error.errno != errno.EADDRINUSE or waited_s >= _TAKEN_WAIT_S:
                raise _refusal(spec, error) from error
        time.sleep(_TAKEN_STEP_S)
        waited_s += _TAKEN_STEP_S


def _bound(spec: ListenerSpec, port: int, *, is_shared: bool) -> socket.socket:
    try:
        is_six = ipaddress.ip_address(spec.host.partition("%")[0]).version == 6
    except ValueError as error:
        raise OSError(errno.EINVAL, f"{spec.host!r} is not an IP address") from error
    sock = socket.socket(socket.AF_INET6 if is_six else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_six:
            # So that "::" and "0.0.0.0" can be configured side by side.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if is_shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((spec.host, port))
    except BaseException:
        sock.close()
        raise
    return sock


_REMEDIES = {
    errno.EADDRINUSE: "another program listens there: stop it, or choose another port",
    errno.EACCES: "ports below 1024 need root, CAP_NET_BIND_SERVICE or a higher port",
    errno.EADDRNOTAVAIL: "this machine has no such address: see `ip address`, or use 0.0.0.0 or ::",
    errno.EAFNOSUPPORT: "this machine has no IPv6: use an IPv4 address",
    errno.EINVAL: "give an IPv4 or IPv6 address such as 127.0.0.1 or ::1",
}


def _refusal(spec: ListenerSpec, error: OSError) -> ConfigurationError:
    key = spec.key or f"listener {spec.name}"
    remedy = _REMEDIES.get(error.errno or 0, "check the address")
    return ConfigurationError(
        f"{key}: cannot listen on {spec.host} port {spec.port}: {error.strerror}; {remedy}"
    )
