"""poplib and smtplib against the running server: the first promise from end to end."""

from __future__ import annotations

import base64
import poplib
import re
import smtplib
from typing import TYPE_CHECKING

import pytest
from scramp import ScramClient
from tests.mail import letter, pop, send, subjects, trusting

if TYPE_CHECKING:
    from tests.running import Server

pytestmark = pytest.mark.clients


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


def test_what_capa_says_is_there(house: Server) -> None:
    client = poplib.POP3("127.0.0.1", house.ports["pop3"], timeout=20)
    before = client.capa()
    assert {"TOP", "UIDL", "STLS", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"} <= set(before)
    assert "USER" not in before, "no password in the clear, so none is asked for"
    client.stls(context=trusting(house))
    inside = client.capa()
    assert "STLS" not in inside
    assert "PLAIN" in inside["SASL"]
    assert "SCRAM-SHA-256" in inside["SASL"]
    client.user("alice")
    client.pass_("wonderland")
    assert client.capa()["IMPLEMENTATION"][0].startswith("Posthouse-")
    client.quit()


def test_utf8_and_lang(house: Server) -> None:
    message = "Subject: Grüße aus Köln\r\nFrom: <jörg@example.net>\r\n\r\nHallo\r\n".encode()
    with smtplib.SMTP("127.0.0.1", house.ports["smtp"], timeout=20) as sender:
        options = ("SMTPUTF8", "BODY=8BITMIME")
        sender.sendmail("jörg@example.net", "carol@example.org", message, options)
    client = poplib.POP3_SSL("127.0.0.1", house.ports["pop3s"], context=trusting(house), timeout=20)
    assert client.utf8().startswith(b"+OK")
    client.user("carol@example.org")
    client.pass_("wonderland")
    last = client.stat()[0]
    assert b"\r\n".join(client.retr(last)[1]).endswith(message.rstrip())
    languages = [line.split()[0].decode() for line in client._longcmd("LANG")[1]]
    assert len(languages) > 1
    for language in languages:
        assert client._shortcmd(f"LANG {language}").startswith(b"+OK " + language.encode())
        with pytest.raises(poplib.error_proto) as refused:
            client.retr(99_999)
        assert refused.value.args[0].decode("utf-8").startswith("-ERR ")
    with pytest.raises(poplib.error_proto):
        client._shortcmd("LANG tlh")
    client.quit()


def test_scram_over_pop3(house: Server) -> None:
    device = house.add_device("bob", "scram pop3")
    for name, password in (("bob@example.org", device), ("alice@example.org", "wonderland")):
        client = poplib.POP3("127.0.0.1", house.ports["pop3"], timeout=20)  # no TLS: it needs none
        scram = ScramClient(["SCRAM-SHA-256"], name, password)

        def say(text: str, at: poplib.POP3 = client) -> str:
            line = at._shortcmd(base64.b64encode(text.encode()).decode())
            return base64.b64decode(line[2:]).decode()

        client._shortcmd("AUTH SCRAM-SHA-256")
        scram.set_server_first(say(scram.get_client_first()))
        scram.set_server_final(say(scram.get_client_final()))
        assert client._shortcmd("").startswith(b"+OK")
        assert client.stat()
        client.quit()


def test_scram_over_smtp(house: Server) -> None:
    with smtplib.SMTP("127.0.0.1", house.ports["submission"], timeout=20) as client:
        client.starttls(context=trusting(house))
        client.ehlo()
        assert "SCRAM-SHA-256" in client.esmtp_features["auth"]
        scram = ScramClient(["SCRAM-SHA-256"], "bob@example.org", "wonderland")

        def answer(challenge: bytes | None = None) -> str:
            if challenge is None:
                return scram.get_client_first()
            if not scram_is_answered:
                scram_is_answered.append(True)
                scram.set_server_first(challenge.decode())
                return scram.get_client_final()
            scram.set_server_final(challenge.decode())
            return ""

        scram_is_answered: list[bool] = []
        assert client.auth("SCRAM-SHA-256", answer)[0] == 235
        client.send_message(letter("after scram", sender="bob@example.org"))


def test_scram_with_a_wrong_password_is_refused(house: Server) -> None:
    client = poplib.POP3("127.0.0.1", house.ports["pop3"], timeout=20)
    scram = ScramClient(["SCRAM-SHA-256"], "nobody@example.org", "guess")
    client._shortcmd("AUTH SCRAM-SHA-256")
    first = client._shortcmd(base64.b64encode(scram.get_client_first().encode()).decode())
    scram.set_server_first(base64.b64decode(first[2:]).decode())
    with pytest.raises(poplib.error_proto, match=re.escape("[AUTH]")):
        client._shortcmd(base64.b64encode(scram.get_client_final().encode()).decode())
    client.close()
