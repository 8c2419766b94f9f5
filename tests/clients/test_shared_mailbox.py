"""A shared mailbox from the command line to poplib and smtplib against the running server."""

from __future__ import annotations

import poplib
import smtplib
from typing import TYPE_CHECKING

import pytest
from tests.mail import letter, pop, send, subjects, trusting

if TYPE_CHECKING:
    from tests.running import Server

pytestmark = pytest.mark.clients

OFFICE = "office@example.org"


def submit(house: Server, name: str, subject: str) -> None:
    with smtplib.SMTP("127.0.0.1", house.ports["submission"], timeout=20) as client:
        client.starttls(context=trusting(house))
        client.login(f"{name}@example.org", "wonderland")
        client.send_message(letter(subject, sender=OFFICE, to="carol@example.org"))


def test_a_group_opens_a_shared_mailbox_and_answers_as_it(house: Server) -> None:
    house.command("shared", "add", OFFICE)
    house.command("group", "add", "desk@example.org", "alice@example.org")
    send(house, letter("to the office", to=OFFICE))
    with pytest.raises(poplib.error_proto, match="no such mailbox"):
        pop(house, "alice@example.org\\office", "wonderland")
    with pytest.raises(smtplib.SMTPException):
        submit(house, "alice", "too early")

    house.command(
        "share", "grant", OFFICE, "--to", "desk@example.org", "--rights", "editor", "--send-as"
    )
    theirs = pop(house, "alice@example.org\\office@example.org", "wonderland")
    assert "to the office" in subjects(theirs)
    theirs.quit()
    submit(house, "alice", "answer of the office")
    sent = pop(house, "alice@example.org\\office+Sent Items", "wonderland")
    assert subjects(sent) == ["answer of the office"]
    sent.quit()
    hers = pop(house, "carol@example.org", "wonderland")
    newest = hers.top(hers.stat()[0], 0)[1]  # others of hers may need UTF8
    assert b"Subject: answer of the office" in newest
    hers.quit()
    with pytest.raises(smtplib.SMTPException):
        submit(house, "bob", "not his")

    house.command("share", "revoke", OFFICE, "--from", "desk@example.org")
    with pytest.raises(poplib.error_proto, match="no such mailbox"):
        pop(house, "alice@example.org\\office", "wonderland")
    with pytest.raises(smtplib.SMTPException):
        submit(house, "alice", "too late")
