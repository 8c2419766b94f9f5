"""What is written at one door is seen at the others: mail that comes in."""

from __future__ import annotations

import mailbox
import smtplib
from typing import TYPE_CHECKING

import pytest
from tests.mail import address, inbox, letter, pop, queue, send, subjects, submit, wait_for

from posthouse.app.wiring import open_house
from posthouse.model.batch import Batch, Commit, MakeFolder
from posthouse.model.folder import FolderClass, FolderRole

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Server


def test_smtp_to_pop3_byte_for_byte(town: Server) -> None:
    content = b"".join(
        (
            b"Subject: exact\r\nFrom: <x@example.net>\r\nX-Odd:\t  spaces kept \r\n\r\n",
            b".\r\n..\r\n...dots\r\n" + bytes(range(128, 256)) + b"\r\n",
            b"a long line " + b"x" * 1_900 + b"\r\n\r\n\r\n",
        )
    )
    with smtplib.SMTP("127.0.0.1", town.ports["smtp"], timeout=20) as client:
        client.ehlo("mx.example.net")
        client.mail("x@example.net", ["BODY=8BITMIME"])
        client.rcpt(address("anna"))
        client.docmd("DATA")
        stuffed = content.replace(b"\r\n.", b"\r\n..")
        client.send(stuffed + b".\r\n")
        assert client.getreply()[0] == 250
    client = pop(town, "anna")
    number = client.stat()[0]
    size = int(client.list(number).split()[2])
    raw = client._longcmd(f"RETR {number}")
    client.quit()
    lines = b"".join(line + b"\r\n" for line in raw[1])  # poplib has taken the dots away
    assert lines.endswith(content)
    assert len(lines) == size
    assert lines.startswith(b"Return-Path: <x@example.net>\r\n")


def test_lmtp_answers_for_each_recipient(town: Server) -> None:
    with smtplib.LMTP("127.0.0.1", town.ports["lmtp"], timeout=20) as client:
        client.ehlo("local")
        client.mail("x@example.net")
        assert client.rcpt(address("anna"))[0] == 250
        assert client.rcpt("nobody@example.org")[0] == 550
        assert client.rcpt(address("ben"))[0] == 250
        client.docmd("DATA")
        client.send(letter("by lmtp").as_bytes().replace(b"\n", b"\r\n") + b"\r\n.\r\n")
        assert [client.getreply()[0], client.getreply()[0]] == [250, 250]
    for name in ("anna", "ben"):
        assert "by lmtp" in inbox(town, name)


def test_a_submission_is_in_sent_items_and_with_everyone(town: Server) -> None:
    message = letter(
        "submitted", sender=address("cleo"), to=f"{address('dan')}, x@elsewhere.example"
    )
    message["Bcc"] = address("eva")
    submit(town, "cleo", message)
    assert inbox(town, "dan") == ["submitted"]
    assert inbox(town, "eva") == ["submitted"]
    assert inbox(town, "cleo+Sent Items") == ["submitted"]
    assert inbox(town, "cleo") == []
    waiting = [r["address"] for entry in queue(town) for r in entry["recipients"]]
    assert "x@elsewhere.example" in waiting
    client = pop(town, "dan")
    assert not [line for line in client.retr(1)[1] if line.lower().startswith(b"bcc:")]
    client.quit()


def test_a_clients_own_sent_copy_is_no_second_one(town: Server) -> None:
    message = letter("sent once", sender=address("eva"), to=address("eva"))
    submit(town, "eva", message)
    submit(town, "eva", letter("sent again", sender=address("eva"), to=address("eva")))
    assert inbox(town, "eva+Sent Items") == ["sent once", "sent again"]


def test_sent_mail_may_be_shown_beside_the_inbox(town: Server) -> None:
    town.command("user", "set", address("finn"), "--pop-folders", "Sent Items")
    send(town, letter("received", to=address("finn")))
    submit(town, "finn", letter("written", sender=address("finn"), to=address("gina")))
    client = pop(town, "finn")
    assert sorted(subjects(client)) == ["received", "written"]
    heads = [b"\n".join(client.top(n, 0)[1]) for n in (1, 2)]
    client.quit()
    tagged = [b"Sent Items" in head for head in heads]
    assert sorted(tagged) == [False, True], "the sent one says where it lies"


def test_a_session_shows_what_was_there_when_it_began(town: Server) -> None:
    send(town, letter("before", to=address("hugo")))
    client = pop(town, "hugo")
    assert client.stat()[0] == 1
    send(town, letter("meanwhile", to=address("hugo")))
    assert client.stat()[0] == 1
    client.quit()
    assert inbox(town, "hugo") == ["before", "meanwhile"]


@pytest.mark.parametrize("suffix", ["eml", "mbox", "maildir"])
def test_what_is_imported_is_seen_by_pop3_once(town: Server, tmp_path: Path, suffix: str) -> None:
    subject = f"imported {suffix}"
    message = letter(subject)
    path = tmp_path / f"old.{suffix}"
    if suffix == "eml":
        path.write_bytes(message.as_bytes())
    elif suffix == "mbox":
        box = mailbox.mbox(path)
        box.add(message)
        box.close()
    else:
        mailbox.Maildir(path).add(message)
    for _ in range(2):
        town.command("import", address("ida"), str(path))
    assert inbox(town, "ida").count(subject) == 1


def test_uidls_of_an_old_server_are_kept(town: Server, tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "Maildir")
    keys = [box.add(letter(f"old {n}")) for n in range(3)]
    rows = [f"{n + 1} P1Uold.{n} :{key}" for n, key in enumerate(keys)]
    header = "3 V1234567890 N4 Gabcdef0123456789abcdef0123456789\n"
    (tmp_path / "Maildir" / "dovecot-uidlist").write_text(header + "\n".join(rows) + "\n")
    send(town, letter("there before", to=address("jan")))
    client = pop(town, "jan")
    first = client.uidl()[1][0].split()[1]
    client.quit()
    town.command("import", address("jan"), str(tmp_path / "Maildir"))
    client = pop(town, "jan")
    uidls = {line.split()[1] for line in client.uidl()[1]}
    client.quit()
    assert first in uidls
    assert len(uidls) == 4
    assert len([u for u in uidls if b"old." in u or b"499602d2" in u]) == 3, uidls


def test_aliases_groups_forwards_details_and_catch_all(town: Server) -> None:
    town.command("alias", "add", "sales@example.org", address("karl"))
    town.command(
        "group", "add", "team@example.org", address("karl"), address("lena"), "x@elsewhere.example"
    )
    town.command("user", "set", address("max"), "--forward-to", address("lena"), "--keep-copy")
    town.command("user", "set", address("nora"), "--forward-to", address("lena"), "--no-keep-copy")
    with open_house(town.data) as house:
        house.people.set_catch_all("example.org", address("otto"))
        principal = house.people.find(address("karl"))
        folders = house.run(house.records.folders(principal.mailbox_id))
        root = next(f for f in folders if f.role is FolderRole.ROOT)
        make = MakeFolder(root.folder_id, "Projects", FolderClass.MAIL, FolderRole.NONE)
        house.run(house.store.apply(Commit((Batch(principal.mailbox_id, (make,)),))))
    try:
        for to in ("SALES@example.org", "team@example.org", "max@example.org", "nora@example.org"):
            send(town, letter(f"to {to}", to=to))
        for to in ("karl+Projects@example.org", "karl+nothing@example.org", "whoever@example.org"):
            send(town, letter(f"to {to}", to=to))
        both = letter("to both", to="team@example.org, sales@example.org")
        send(town, both)
    finally:
        with open_house(town.data) as house:
            house.people.set_catch_all("example.org", "")
    assert sorted(inbox(town, "karl")) == sorted(
        ["to SALES@example.org", "to team@example.org", "to karl+nothing@example.org", "to both"]
    )
    assert inbox(town, "karl+Projects") == ["to karl+Projects@example.org"]
    # Forwards between people of the house need no queue, so they are there at once.
    assert sorted(wait_for(lambda: inbox(town, "lena"))) == sorted(
        ["to team@example.org", "to max@example.org", "to nora@example.org", "to both"]
    )
    assert inbox(town, "max") == ["to max@example.org"]
    assert inbox(town, "nora") == []
    assert inbox(town, "otto") == ["to whoever@example.org"]
    waiting = [r["address"] for entry in queue(town) for r in entry["recipients"]]
    assert waiting.count("x@elsewhere.example") >= 2
    with smtplib.SMTP("127.0.0.1", town.ports["smtp"], timeout=20) as client:
        client.ehlo("mx.example.net")
        client.mail("x@example.net")
        assert client.rcpt("whoever@example.org")[0] == 550, "the catch-all is gone at once"
    submit(town, "karl", letter("as sales", sender="sales@example.org", to=address("max")))
    assert "as sales" in inbox(town, "max")
