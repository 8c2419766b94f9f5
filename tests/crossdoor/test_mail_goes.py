"""What is taken away, shut or full at one door, at all the others."""

from __future__ import annotations

import json
import poplib
import smtplib
from typing import TYPE_CHECKING, Any

import pytest
from tests.mail import address, inbox, letter, pop, send, subjects, submit, trusting, wait_for

if TYPE_CHECKING:
    from tests.running import Server


def shown(town: Server, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(town.command("user", "show", address(name), "--json"))
    return found


def assert_ends(client: poplib.POP3) -> None:
    """A live session is over at one of its next commands: the server looks once a second."""

    def is_over() -> bool:
        try:
            client.noop()
        except (poplib.error_proto, OSError):
            return True
        return False

    wait_for(is_over)
    client.close()


def delete(town: Server, name: str, password: str, subject: str) -> None:
    client = pop(town, name, password)
    client.dele(subjects(client).index(subject) + 1)
    client.quit()


def test_hide_takes_away_from_one_device_only(town: Server) -> None:
    phone, laptop = town.add_device("paul", "Phone"), town.add_device("paul", "Laptop")
    for subject in ("one", "two"):
        send(town, letter(subject, to=address("paul")))
    delete(town, "paul", phone, "one")
    assert inbox(town, "paul", phone) == ["two"]
    assert inbox(town, "paul", laptop) == ["one", "two"]
    assert inbox(town, "paul") == ["one", "two"]
    assert inbox(town, "paul+Deleted Items", laptop) == []
    assert inbox(town, "recent:paul@example.org", phone) == ["one", "two"]


def test_trash_moves_for_all(town: Server) -> None:
    town.command("user", "set", address("rosa"), "--pop-delete", "trash")
    phone = town.add_device("rosa", "Phone")
    for subject in ("one", "two"):
        send(town, letter(subject, to=address("rosa")))
    client = pop(town, "rosa")
    before = {
        subject: line.split()[1]
        for subject, line in zip(subjects(client), client.uidl()[1], strict=True)
    }
    client.quit()
    delete(town, "rosa", phone, "one")
    assert inbox(town, "rosa") == ["two"]
    client = pop(town, "rosa+Deleted Items")
    assert subjects(client) == ["one"]
    assert client.uidl()[1][0].split()[1] == before["one"], "the same message has the same UIDL"
    client.dele(1)
    client.quit()
    assert inbox(town, "rosa+Deleted Items") == []
    assert shown(town, "rosa")["recoverable_bytes"] > 0


def test_expunge_is_gone_for_all_but_recoverable(town: Server) -> None:
    town.command("user", "set", address("sven"), "--pop-delete", "expunge")
    phone = town.add_device("sven", "Phone")
    for subject in ("one", "two"):
        send(town, letter(subject, to=address("sven")))
    other = pop(town, "sven")  # a session that began before
    delete(town, "sven", phone, "one")
    assert inbox(town, "sven") == ["two"]
    assert inbox(town, "sven+Deleted Items") == []
    assert shown(town, "sven")["recoverable_bytes"] > 0
    assert other.stat()[0] == 2, "its numbers do not change"
    assert b"Subject: one" in other.retr(1)[1], "what it was shown it may still read"
    other.quit()


def test_without_quit_nothing_is_deleted(town: Server) -> None:
    town.command("user", "set", address("tina"), "--pop-delete", "expunge")
    send(town, letter("kept", to=address("tina")))
    client = pop(town, "tina")
    client.dele(1)
    client.close()
    client = pop(town, "tina")
    client.dele(1)
    client.rset()
    client.quit()
    assert inbox(town, "tina") == ["kept"]


def test_a_disabled_person_is_out_at_every_door_at_once(town: Server) -> None:
    device = town.add_device("uwe", "Phone")
    live = pop(town, "uwe", device)
    idle = pop(town, "uwe")
    sending = smtplib.SMTP("127.0.0.1", town.ports["submission"], timeout=20)
    sending.starttls(context=trusting(town))
    sending.login(address("uwe"), "wonderland")
    assert live.stat()
    town.command("user", "disable", address("uwe"))
    assert_ends(live)
    assert_ends(idle)
    with pytest.raises(smtplib.SMTPException):
        sending.sendmail(address("uwe"), [address("vera")], b"Subject: x\r\n\r\n")
    with pytest.raises(poplib.error_proto):
        pop(town, "uwe", device)
    with pytest.raises(smtplib.SMTPException):
        submit(town, "uwe", letter("x", sender=address("uwe")))
    sending.close()
    send(town, letter("still arrives", to=address("uwe")))
    town.command("user", "enable", address("uwe"))
    assert inbox(town, "uwe") == ["still arrives"]


def test_a_revoked_device_is_out_and_the_others_stay(town: Server) -> None:
    lost, kept = town.add_device("vera", "Lost"), town.add_device("vera", "Kept")
    live, other = pop(town, "vera", lost), pop(town, "vera", kept)
    town.command("device", "revoke", address("vera"), "Lost")
    assert_ends(live)
    assert other.noop()
    other.quit()
    with pytest.raises(poplib.error_proto):
        pop(town, "vera", lost)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        submit(town, "vera", letter("x", sender=address("vera")), lost)
    assert inbox(town, "vera", kept) == []


def test_a_new_password_ends_sessions_of_the_old_one(town: Server) -> None:
    live = pop(town, "tina")
    town.command("user", "passwd", address("tina"), "--password-stdin", given="looking-glass\n")
    assert_ends(live)
    with pytest.raises(poplib.error_proto):
        pop(town, "tina")
    pop(town, "tina", "looking-glass").quit()
    town.command("user", "passwd", address("tina"), "--password-stdin", given="wonderland\n")


def test_a_full_mailbox_refuses_and_reading_makes_room(town: Server) -> None:
    town.command("user", "set", address("xena"), "--quota", "20KiB", "--pop-delete", "expunge")
    big = letter("big", to=address("xena"))
    big.set_content("x" * 70 + "\n" + "0123456789\n" * 1300)
    send(town, big)
    with smtplib.SMTP("127.0.0.1", town.ports["smtp"], timeout=20) as client:
        client.ehlo("mx.example.net")
        client.mail("x@example.net", [f"SIZE={40_000}"])
        assert client.rcpt(address("xena"))[0] in (452, 552)
        client.rset()
        client.mail("x@example.net")
        client.rcpt(address("xena"))
        client.rcpt(address("yann"))
        code, _ = client.data(big.as_bytes().replace(b"\n", b"\r\n"))
        assert code == 250, "one full mailbox does not stop the mail of another"
    assert "big" in inbox(town, "yann")
    assert inbox(town, "xena") == ["big"]
    delete(town, "xena", "wonderland", "big")
    small = letter("small", to=address("xena"))
    send(town, small)
    assert inbox(town, "xena") == ["small"]


def test_a_removed_person_is_unknown_everywhere(town: Server) -> None:
    town.add_user("willi")
    send(town, letter("x", to=address("willi")))
    live = pop(town, "willi")
    town.command("user", "remove", address("willi"), "--yes")
    assert_ends(live)
    with pytest.raises(poplib.error_proto):
        pop(town, "willi")
    with smtplib.SMTP("127.0.0.1", town.ports["smtp"], timeout=20) as client:
        client.ehlo("mx.example.net")
        client.mail("x@example.net")
        assert client.rcpt(address("willi"))[0] == 550
