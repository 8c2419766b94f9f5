"""poplib and smtplib against the running server: the first promise from end to end."""

from __future__ import annotations

import poplib
import smtplib
import ssl
import time
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.running import Server

pytestmark = pytest.mark.clients


def letter(
    subject: str, *, to: str = "alice@example.org", sender: str = "someone@example.net"
) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = f"<{subject.replace(' ', '.')}.{time.monotonic_ns()}@example.net>"
    message["Date"] = "Sat, 03 Jan 2026 10:00:00 +0000"
    message.set_content("First line.\n.A line that begins with a dot.\n..Two.\nGrüße\n")
    return message


def pop(house: Server, login: str, password: str) -> poplib.POP3_SSL:
    client = poplib.POP3_SSL("127.0.0.1", house.ports["pop3s"], context=trusting(house), timeout=20)
    client.user(login)
    client.pass_(password)
    return client


def trusting(house: Server) -> ssl.SSLContext:
    context = house.tls()
    context.check_hostname = False
    return context


def subjects(client: poplib.POP3) -> list[str]:
    found = []
    for number in range(1, client.stat()[0] + 1):
        lines = client.top(number, 0)[1]
        found += [line[9:].decode() for line in lines if line.startswith(b"Subject: ")]
    return found


def send(house: Server, message: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", house.ports["smtp"], timeout=20) as client:
        client.send_message(message)


def test_mail_stays_when_one_device_deletes_it(house: Server) -> None:
    phone, laptop = house.add_device("alice", "Phone"), house.add_device("alice", "Laptop")
    send(house, letter("first promise"))

    one = pop(house, "alice@example.org", phone)
    number = subjects(one).index("first promise") + 1
    body = b"\r\n".join(one.retr(number)[1])
    assert b"\r\n.A line that begins with a dot.\r\n..Two.\r\n" in body
    one.dele(number)
    one.quit()

    again = pop(house, "alice@example.org", phone)
    assert "first promise" not in subjects(again)
    again.quit()
    other = pop(house, "alice@example.org", laptop)
    assert "first promise" in subjects(other)
    other.quit()


def test_an_answer_is_kept_in_sent_items(house: Server) -> None:
    with smtplib.SMTP("127.0.0.1", house.ports["submission"], timeout=20) as client:
        client.starttls(context=trusting(house))
        client.login("bob@example.org", "wonderland")
        client.send_message(
            letter("answer of bob", sender="bob@example.org", to="alice@example.org")
        )
    mine = pop(house, "bob+Sent Items@example.org", "wonderland")
    assert "answer of bob" in subjects(mine)
    mine.quit()
    hers = pop(house, "alice@example.org", "wonderland")
    assert "answer of bob" in subjects(hers)
    hers.quit()


def test_submissions_over_implicit_tls_and_a_forged_sender(house: Server) -> None:
    with smtplib.SMTP_SSL(
        "127.0.0.1", house.ports["submissions"], context=trusting(house), timeout=20
    ) as client:
        client.login("bob", "wonderland")
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.send_message(letter("forged", sender="alice@example.org"))


def test_passwords_are_refused_in_the_clear(house: Server) -> None:
    client = poplib.POP3("127.0.0.1", house.ports["pop3"], timeout=20)
    with pytest.raises(poplib.error_proto):
        client._shortcmd("AUTH PLAIN AGFsaWNlAHdvbmRlcmxhbmQ=")
    client.close()
    secured = poplib.POP3("127.0.0.1", house.ports["pop3"], timeout=20)
    secured.stls(context=trusting(house))
    secured.user("alice")
    secured.pass_("wonderland")
    secured.quit()


def test_uidls_are_the_same_for_every_session_and_after_a_restart_of_the_session(
    house: Server,
) -> None:
    send(house, letter("stable uidl", to="carol@example.org"))
    seen = []
    for _ in range(3):
        client = pop(house, "carol@example.org", "wonderland")
        seen.append(client.uidl()[1])
        client.quit()
    assert seen[0] == seen[1] == seen[2]
    assert seen[0]


def test_unknown_people_and_foreign_domains_are_refused(house: Server) -> None:
    with smtplib.SMTP("127.0.0.1", house.ports["smtp"], timeout=20) as client:
        client.ehlo("mx.example.net")
        client.mail("someone@example.net")
        assert client.rcpt("nobody@example.org")[0] == 550
        assert client.rcpt("someone@elsewhere.example")[0] in (550, 554)
