"""pyactivesync, a client library of somebody else, through everything it offers; over the running server."""

from __future__ import annotations

import json
import threading
import time
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import pytest
from tests.mail import address, inbox, letter, send, wait_for
from tests.running import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Server

eas = pytest.importorskip("pyactivesync")
pytestmark = pytest.mark.clients

INBOX, DRAFTS, DELETED, SENT, CALENDAR, CONTACTS = 2, 3, 4, 5, 8, 9


@pytest.fixture
def client(
    house: Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """Carol's; it trusts the house's own authority."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # stronger than what a client says
        monkeypatch.delenv(name, raising=False)
    name = "".join(c for c in request.node.name if c.isalnum())[-28:]
    with eas.Client(
        f"127.0.0.1:{house.ports['https']}",
        address("carol"),
        PASSWORD,
        device_id=f"PY{name}",
        verify_ssl=str(house.data / "tls" / "ca.pem"),
    ) as found:
        yield found


def folder(client: Any, kind: int) -> str:
    return next(one.id for one in client.list_folders() if int(one.type) == kind)


def begun(client: Any, folder_id: str) -> tuple[str, dict[str, Any]]:
    """The key after everything was told, and what was told."""
    result = client.sync_folder(folder_id)
    items: dict[str, Any] = {}
    while True:
        result = client.sync_folder(folder_id, sync_key=result.sync_key)
        items.update((one.server_id, one) for one in result.added)
        if not result.more_available:
            return result.sync_key, items


def named(items: dict[str, Any], subject: str) -> str:
    (found,) = [
        one.server_id for one in items.values() if one.fields.get("Email.Subject") == subject
    ]
    return found


def test_provisioning_and_folders(client: Any) -> None:
    assert int(client.provision()) > 0
    kinds = {int(one.type) for one in client.list_folders()}
    assert {2, 3, 4, 5, 7, 8, 9, 10} <= kinds
    made = client.create_folder("Py", "0", eas.FolderType.USER_GENERIC)
    client.update_folder(made.id, "Python")
    assert "Python" in [one.name for one in client.list_folders()]
    client.delete_folder(made.id)
    assert "Python" not in [one.name for one in client.list_folders()]


def test_mail_is_synchronised_marked_and_deleted(house: Server, client: Any) -> None:
    box, trash = folder(client, INBOX), folder(client, DELETED)
    key, _ = begun(client, box)
    send(house, letter("py one", to=address("carol")))
    assert client.get_item_estimate(box, key) == 1
    result = client.sync_folder(box, sync_key=key)
    (item,) = result.added
    assert item.fields["Email.Subject"] == "py one"
    marked = client.apply_email_changes(
        box, result.sync_key, [eas.EmailChange(item.server_id, read=True, flagged=True)]
    )
    assert marked.statuses == {item.server_id: "1"}
    _, items = begun(client, box)
    assert items[item.server_id].fields["Email.Read"] == "1"
    assert items[item.server_id].fields["Email.Status"] == "2"
    key, _ = begun(client, box)
    client.apply_email_changes(box, key, [eas.EmailChange(item.server_id, delete=True)])
    assert named(begun(client, trash)[1], "py one")


def test_items_and_attachments_are_fetched(house: Server, client: Any) -> None:
    message = letter("py attachment", to=address("carol"))
    message.add_alternative("<p>Hi</p>", subtype="html")
    message.add_attachment(b"\0\1\2" * 1000, "application", "octet-stream", filename="a.bin")
    send(house, message)
    box = folder(client, INBOX)
    _, items = begun(client, box)
    item = named(items, "py attachment")
    fetched = client.fetch_item(box, item, body_type=eas.BodyType.HTML)
    assert fetched.body.type == eas.BodyType.HTML
    assert "<p>Hi</p>" in fetched.body.data
    assert fetched.fields["Email.Subject"] == "py attachment"
    (attachment,) = fetched.attachments
    assert attachment.display_name == "a.bin"
    assert client.fetch_attachment(attachment.file_reference) == b"\0\1\2" * 1000
    whole = client.fetch_item(box, item, body_type=eas.BodyType.MIME).body
    assert whole.type == eas.BodyType.MIME
    data = whole.data if isinstance(whole.data, bytes) else whole.data.encode()
    assert b"Subject: py attachment" in data


def test_mail_is_sent_and_moved(house: Server, client: Any) -> None:
    message = EmailMessage()
    message["To"], message["From"] = address("bob"), address("carol")
    message["Subject"] = "py sends"
    message.set_content("Grüße\n")
    client.send_mail(message)
    wait_for(lambda: "py sends" in inbox(house, "bob"))
    sent, target = folder(client, SENT), client.create_folder("Kept")
    item = named(begun(client, sent)[1], "py sends")
    there = client.move_item(item, sent, target.id)
    assert list(begun(client, target.id)[1]) == [there]


def test_a_draft_is_kept_whole(client: Any) -> None:
    box = folder(client, DRAFTS)
    key, _ = begun(client, box)
    draft = letter("py draft", to=address("bob"), sender=address("carol"))
    draft.add_attachment(b"abc", "text", "x-thing", filename="a.txt")
    added = client.create_email_draft(box, key, draft)
    assert added.status == "1"
    fetched = client.fetch_item(box, added.server_id)
    assert fetched.fields["Email.Subject"] == "py draft"
    assert [one.display_name for one in fetched.attachments] == ["a.txt"]
    assert named(begun(client, box)[1], "py draft") == added.server_id


def test_contacts(client: Any) -> None:
    box = folder(client, CONTACTS)
    key, _ = begun(client, box)
    ada = eas.Contact(first_name="Ada", last_name="Lovelace", email1_address="ada@example.net")
    made = client.create_contact(box, key, ada)
    assert made.status == "1"
    more = eas.Contact(first_name="Ada", last_name="King", categories=("Friends",))
    changed = client.apply_contact_changes(
        box, made.sync_key, [eas.ContactChange(made.server_id, contact=more)]
    )
    assert changed.statuses[made.server_id] == "1"
    fields = begun(client, box)[1][made.server_id].fields
    assert fields["Contacts.LastName"] == "King"
    assert fields["Contacts.Category"] == "Friends"
    assert "Contacts.Email1Address" not in fields
    key, _ = begun(client, box)
    client.apply_contact_changes(box, key, [eas.ContactChange(made.server_id, delete=True)])
    assert made.server_id not in begun(client, box)[1]


def test_the_calendar_is_synchronised(client: Any) -> None:
    key, items = begun(client, folder(client, CALENDAR))
    assert key != "0"
    assert items == {}


def test_people_are_found(client: Any) -> None:
    (bob,) = client.search_gal("bob")
    assert bob.email_address == "bob@example.org"
    assert client.find_gal("carol").items[0].fields["GAL.EmailAddress"] == "carol@example.org"
    (resolved,) = client.resolve_recipients("bob@example.org")
    assert resolved.email_address == "bob@example.org"


def test_mail_is_found(house: Server, client: Any) -> None:
    send(house, letter("py needle", to=address("carol")))
    box = folder(client, INBOX)
    begun(client, box)
    wait_for(lambda: client.find_mailbox("needle", folder_id=box).items)
    (found,) = client.find_mailbox("needle").items
    assert found.fields["Email.Subject"] == "py needle"
    assert found.collection_id == box
    later = client.search_mailbox(box, date_received_after="2020-01-01T00:00:00.000Z")
    assert "py needle" in [one.get("Email.Subject") for one in later]
    assert client.search_mailbox(box, free_text="needle")
    never = client.search_mailbox(box, date_received_after="2040-01-01T00:00:00.000Z")
    assert not any(never), "no result is an empty one, as with Exchange"


def test_out_of_office(client: Any) -> None:
    client.set_oof(eas.OofState.ENABLED, reply_message="Away")
    told = client.get_oof()
    assert told.state == eas.OofState.ENABLED
    assert {one.reply_message for one in told.messages} == {"Away"}
    client.set_oof(eas.OofState.DISABLED)
    assert client.get_oof().state == eas.OofState.DISABLED


def test_ping(house: Server, client: Any) -> None:
    box = folder(client, INBOX)
    begun(client, box)
    said: list[Any] = []
    thread = threading.Thread(target=lambda: said.append(client.ping([box], heartbeat=60)))
    thread.start()
    time.sleep(0.5)
    assert not said
    send(house, letter("py ping", to=address("carol")))
    thread.join(10)
    assert said[0].changed_folder_ids == [box]


def test_the_operator_sees_it(house: Server, client: Any) -> None:
    client.provision()
    rows = json.loads(house.command("phone", "list", address("carol"), "--json"))
    assert "pyactivesync client" in [row["name"] for row in rows]
