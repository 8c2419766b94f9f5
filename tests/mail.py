"""What people and their programs do at the doors of a running server, for tests."""

from __future__ import annotations

import json
import poplib
import smtplib
import time
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

from tests.running import DOMAIN, PASSWORD

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tests.running import Server

PATIENCE_S = 15.0


def address(name: str) -> str:
    """``alice`` -> ``alice@example.org``; a full address stays."""
    return name if "@" in name else f"{name}@{DOMAIN}"


def letter(
    subject: str, *, to: str = "alice@example.org", sender: str = "someone@example.net"
) -> EmailMessage:
    """A message with dots at the beginnings of lines and a letter outside of ASCII."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = f"<{subject.replace(' ', '.')}.{time.monotonic_ns()}@example.net>"
    message["Date"] = "Sat, 03 Jan 2026 10:00:00 +0000"
    message.set_content("First line.\n.A line that begins with a dot.\n..Two.\nGrüße\n")
    return message


def trusting(house: Server) -> ssl.SSLContext:
    """A client context for 127.0.0.1."""
    context = house.tls()
    context.check_hostname = False
    return context


def pop(house: Server, login: str, password: str = PASSWORD) -> poplib.POP3_SSL:
    """A session inside TLS, logged in."""
    client = poplib.POP3_SSL("127.0.0.1", house.ports["pop3s"], context=trusting(house), timeout=20)
    try:
        client.user(login)
        client.pass_(password)
    except BaseException:
        client.close()
        raise
    return client


def subjects(client: poplib.POP3) -> list[str]:
    """Of all messages of a session."""
    found = []
    for number in range(1, client.stat()[0] + 1):
        lines = client.top(number, 0)[1]
        found += [line[9:].decode() for line in lines if line.startswith(b"Subject: ")]
    return found


def inbox(house: Server, login: str, password: str = PASSWORD) -> list[str]:
    """Subjects that a new session shows."""
    client = pop(house, login, password)
    found = subjects(client)
    client.quit()
    return found


def send(house: Server, message: EmailMessage, *recipients: str) -> None:
    """As another host, on port 25."""
    with smtplib.SMTP("127.0.0.1", house.ports["smtp"], timeout=20) as client:
        client.send_message(message, to_addrs=recipients or None)


def submit(house: Server, name: str, message: EmailMessage, password: str = PASSWORD) -> None:
    """As a person, by STARTTLS and a login."""
    with smtplib.SMTP("127.0.0.1", house.ports["submission"], timeout=20) as client:
        client.starttls(context=trusting(house))
        client.login(address(name), password)
        client.send_message(message)


def queue(house: Server) -> list[dict[str, Any]]:
    """What waits for other hosts."""
    entries: list[dict[str, Any]] = json.loads(house.command("queue", "list", "--json"))
    return entries


def wait_for(what: Callable[[], Any]) -> Any:
    """Ask until the answer is true; that answer."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")
