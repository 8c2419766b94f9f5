"""SIGHUP: a running server takes a new certificate, and keeps the old one when the new is broken."""

from __future__ import annotations

import hashlib
import os
import poplib
import signal
import smtplib
import socket
import ssl
import time
from typing import TYPE_CHECKING

import pytest
from tests.running import Server

from posthouse.runtime.clock import SystemClock
from posthouse.runtime.tls import make_authority_and_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.faults
PATIENCE_S = 15.0
NAMES = ["mail.example.org", "localhost", "127.0.0.1"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    one = Server(tmp_path / "data", people=("alice",), workers=2)
    one.start()
    yield one
    one.kill()


def mark(path: Path) -> str:
    end = "-----END CERTIFICATE-----\n"
    der = ssl.PEM_cert_to_DER_cert(path.read_text().partition(end)[0] + end)
    return hashlib.sha256(der).hexdigest()


def shown(server: Server) -> str:
    """The certificate that the next connection meets."""
    context = server.tls()
    address = ("127.0.0.1", server.ports["pop3s"])
    with (
        socket.create_connection(address, timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="mail.example.org") as tls,
    ):
        raw = tls.getpeercert(binary_form=True)
        tls.recv(100)
        assert raw
        return hashlib.sha256(raw).hexdigest()


def renew(server: Server) -> str:
    place = server.data / "tls"
    (place / "server.pem").unlink()
    (place / "server.key").unlink()
    make_authority_and_certificate(place, NAMES, SystemClock())
    return mark(place / "server.pem")


def reload(server: Server) -> None:
    assert server.process
    os.kill(server.process.pid, signal.SIGHUP)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def all_show(server: Server, wanted: str) -> bool:
    """The kernel chooses the worker: sixteen connections meet both of them (but once in 32 000)."""
    return all(shown(server) == wanted for _ in range(16))


def test_a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on(server: Server) -> None:
    before = mark(server.data / "tls" / "server.pem")
    assert all_show(server, before)
    pop = poplib.POP3_SSL("127.0.0.1", server.ports["pop3s"], timeout=10, context=server.tls())
    pop.user("alice@example.org")

    after = renew(server)
    assert after != before
    assert shown(server) == before  # nothing happens by itself
    reload(server)
    until(lambda: all_show(server, after))

    pop.pass_("wonderland")
    assert pop.stat() == (0, 0)
    pop.quit()
    with smtplib.SMTP("127.0.0.1", server.ports["submission"], timeout=10) as smtp:
        smtp.starttls(context=server.tls())
        assert isinstance(smtp.sock, ssl.SSLSocket)
        raw = smtp.sock.getpeercert(binary_form=True)
        assert raw
        assert hashlib.sha256(raw).hexdigest() == after
    assert server.stop() == 0


def test_a_broken_certificate_changes_nothing(server: Server) -> None:
    certificate = server.data / "tls" / "server.pem"
    before = mark(certificate)
    kept = certificate.read_text()

    def garbage() -> None:
        certificate.write_text("-----BEGIN CERTIFICATE-----\nnone\n")

    def another_key() -> None:
        renew(server)
        certificate.write_text(kept)

    def complaints() -> list[dict[str, object]]:
        return [e for e in server.log_lines() if e["event"] == "certificate-not-loaded"]

    for count, damage in enumerate((garbage, certificate.unlink, another_key), 1):
        damage()
        reload(server)
        until(lambda wanted=count * 2: len(complaints()) == wanted)  # type: ignore[misc]
        assert str(certificate) in str(complaints()[-1]["reason"])
        assert all_show(server, before)
        certificate.write_text(kept)
    assert server.stop() == 0
