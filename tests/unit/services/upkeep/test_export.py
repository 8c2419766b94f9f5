"""Export, and back in elsewhere: nothing changes on the way."""

import json
import mailbox

import pytest

from posthouse.formats.mime.columns import columns_from_head
from posthouse.formats.mime.dots import stuff
from posthouse.model.batch import AddItem, Batch, Commit, MakeFolder
from posthouse.model.blob import BlobForm
from posthouse.model.errors import AlreadyExists, ConfigurationError, StoreError
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.item import Flags, ItemColumns, ItemKind, NewItem
from posthouse.services.upkeep.export_mail import Exporter
from posthouse.services.upkeep.import_mail import Importer
from posthouse.services.upkeep.sources import read_source


def fill(site):
    folders = site.folders()

    def staged(plain):
        wire, dots, lacks = stuff(plain)
        return site.store.blobs.stage_bytes(
            wire, BlobForm.WIRE, has_dot_lines=dots, lacks_final_eol=lacks
        )

    def mail(plain, **more):
        blob = staged(plain)
        blobs.append(blob)
        return NewItem(
            ItemKind.MESSAGE, blob.ref, 1_000_123, columns=columns_from_head(plain), **more
        )

    blobs = []
    event = site.store.blobs.stage_bytes(b"BEGIN:VCALENDAR\nEND:VCALENDAR\n", BlobForm.RAW)
    blobs.append(event)
    root = folders["Inbox"].parent_id
    operations = (
        MakeFolder(folders["Inbox"].folder_id, "A.b/ü", FolderClass.MAIL, FolderRole.NONE),
        AddItem(
            folders["Inbox"].folder_id,
            mail(
                b"Subject: one\r\nMessage-ID: <1@x>\r\n\r\n.dot\nmixed",
                prefix=b"Return-Path: <a@b>\r\n",
                flags=Flags.SEEN | Flags.JUNK,
                uidl="old-1",
            ),
        ),
        AddItem(folders["Sent Items"].folder_id, mail(b"Subject: two\n\nLF only\n")),
        AddItem(
            folders["Calendar"].folder_id,
            NewItem(
                ItemKind.APPOINTMENT,
                event.ref,
                5_000,
                columns=ItemColumns(subject="Meeting", ical_uid="u1", name="m.ics"),
                bag=b'{"a":1}',
            ),
        ),
        AddItem(
            folders["Notes"].folder_id,
            NewItem(ItemKind.NOTE, None, 6_000, columns=ItemColumns(subject="Note"), bag=b"{}"),
        ),
    )
    own_sent = MakeFolder(root, "Sent", FolderClass.MAIL, FolderRole.NONE)
    operations = (*operations, own_sent)
    commit = Commit((Batch(site.mailbox_id, operations),), blobs=tuple(blobs))
    (result,) = site.run(site.store.apply(commit))
    deep = AddItem(result.results[0].folder_id, mail(b"Subject: deep\r\n\r\n\r\n"))
    own = AddItem(result.results[-1].folder_id, mail(b"Subject: own\r\n\r\nx\r\n"))
    batch = Batch(site.mailbox_id, (deep, own))
    site.run(site.store.apply(Commit((batch,), blobs=tuple(blobs[-2:]))))


def export(site, target, **more):
    exporter = Exporter(
        site.store, site.mailbox_id, "alice@example.org", lambda i: f"p{i:x}", **more
    )
    return site.run(exporter.run(target))


def everything(site):
    shown = {}
    for name in ("Inbox", "Sent Items", "Calendar", "Notes", "A.b/ü"):
        shown[name] = [
            (
                served,
                item.prefix,
                place.flags,
                place.received_at,
                item.kind,
                item.columns,
                item.bag,
                item.uidl or f"p{item.item_id:x}",
            )
            for served, place, item in site.listing(name)
        ]
    return shown


def test_round_trip(site, make_site, tmp_path):
    fill(site)
    report = export(site, tmp_path / "out")
    assert (report.items, report.total, report.unreadable) == (6, 6, [])
    other = make_site("two")
    taken = other.run(Importer(other.store, other.mailbox_id).run(read_source(tmp_path / "out")))
    assert (taken.added, taken.unreadable) == (6, [])
    assert everything(other) == everything(site)
    folders = other.folders()
    assert folders["A.b/ü"].parent_id == folders["Inbox"].folder_id
    assert folders["Sent"].parent_id == site.folders()["Sent"].parent_id
    again = other.run(Importer(other.store, other.mailbox_id).run(read_source(tmp_path / "out")))
    assert (again.added, again.known) == (0, 6)


def test_other_programs_can_read_it(site, tmp_path):
    fill(site)
    export(site, tmp_path / "out")
    box = mailbox.Maildir(tmp_path / "out", create=False)
    (message,) = list(box)
    assert message["Subject"] == "one"
    assert message.get_flags() == "S"
    usual = ("Archive", "Deleted Items", "Drafts", "Junk Email", "Outbox", "Sent Items", "Sent")
    assert sorted(box.list_folders()) == sorted((*usual, "Inbox.A&AC4-b&AC8A,A-"))
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["format"] == "posthouse-export"
    assert len(manifest["items"]) == 6


def test_importing_the_files_without_the_manifest_doubles_nothing(site, tmp_path):
    fill(site)
    export(site, tmp_path / "out")
    (tmp_path / "out" / "manifest.json").unlink()
    report = site.run(Importer(site.store, site.mailbox_id).run(read_source(tmp_path / "out")))
    inbox = site.listing("Inbox")
    assert len(inbox) == 1
    assert report.known >= 1


def test_manifest_laid_out_by_another_program(site, make_site, tmp_path):
    fill(site)
    export(site, tmp_path / "out")
    path = tmp_path / "out" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=2))
    other = make_site("two")
    report = other.run(Importer(other.store, other.mailbox_id).run(read_source(tmp_path / "out")))
    assert report.added == 6


def test_damage_is_told(site, make_site, tmp_path):
    fill(site)
    export(site, tmp_path / "out")
    (victim,) = (tmp_path / "out" / "cur").iterdir()
    victim.write_bytes(victim.read_bytes().replace(b"one", b"0ne"))
    path = tmp_path / "out" / "manifest.json"
    text = path.read_text()
    other = make_site("two")
    report = other.run(Importer(other.store, other.mailbox_id).run(read_source(tmp_path / "out")))
    assert report.added == 5
    assert "damaged" in report.unreadable[0].why
    path.write_text(text.replace('"file":"cur/', '"file":"../cur/'))
    (outside,) = [
        u for u in read_source(tmp_path / "out") if not hasattr(u, "content") and "outside" in u.why
    ]
    assert outside
    path.write_text("{}")
    with pytest.raises(ConfigurationError):
        list(read_source(tmp_path / "out"))


def test_salvage_leaves_out_what_is_damaged(site, tmp_path):
    fill(site)
    for pack in (site.data / "store" / "blobs" / "packs").glob("*.pack"):
        raw = pack.read_bytes()
        pack.write_bytes(raw.replace(b"LF only", b"LF 0nly"))
    with pytest.raises(StoreError, match="damaged"):
        export(site, tmp_path / "strict")
    assert not (tmp_path / "strict" / "manifest.json").exists()
    report = export(site, tmp_path / "out", salvages=True)
    assert report.items == 5
    assert "damaged" in report.unreadable[0].why


def test_a_directory_of_its_own(site, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(AlreadyExists):
        export(site, tmp_path)
