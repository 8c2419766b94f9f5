"""Commands that root runs on somebody else's data directory leave nothing of root's behind."""

import os
import sqlite3

import pytest
from tests.running import Server

from posthouse.app.ownership import as_owner, server_user

STRANGER = 54_321
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def give_away(place):
    for path in (place, *place.rglob("*")):
        os.chown(path, STRANGER, STRANGER)


def owners(place):
    return {(path.stat().st_uid, path.stat().st_gid) for path in (place, *place.rglob("*"))}


@needs_root
def test_root_makes_files_as_the_owner_and_reads_its_own(tmp_path):
    data, secret = tmp_path / "data", tmp_path / "secret"
    data.mkdir(mode=0o700)
    secret.write_text("only root's")
    secret.chmod(0o600)
    give_away(data)
    with as_owner(data):
        assert os.geteuid() == STRANGER
        (data / "made").touch()
        assert secret.read_text() == "only root's"
    assert (os.geteuid(), os.getegid()) == (0, 0)
    assert owners(data) == {(STRANGER, STRANGER)}
    (data / "after").touch()
    assert (data / "after").stat().st_uid == 0


@needs_root
def test_root_stays_root_in_its_own_place_and_after_an_error(tmp_path):
    with as_owner(tmp_path), as_owner(tmp_path / "not there yet"):
        assert os.geteuid() == 0
    give_away(tmp_path)
    with pytest.raises(RuntimeError), as_owner(tmp_path):
        raise RuntimeError
    assert os.geteuid() == 0


@needs_root
def test_the_server_is_started_for_the_owner(tmp_path):
    assert server_user(tmp_path) == ""
    give_away(tmp_path)
    assert server_user(tmp_path) == ""  # an owner without a name
    os.chown(tmp_path, 1, 1)
    assert server_user(tmp_path) == "daemon"


@needs_root
def test_commands_of_root_leave_no_file_of_root(tmp_path):
    server = Server(tmp_path / "data", people=())
    give_away(server.data)
    server.add_user("alice")
    letters = tmp_path / "letters"
    letters.mkdir(mode=0o700)
    big = b"x" * 76 + b"\r\n"
    (letters / "one.eml").write_bytes(b"Subject: one\r\n\r\n" + big * 20_000)
    (letters / "one.eml").chmod(0o600)
    server.command("import", "alice@example.org", str(letters))
    server.command("verify")
    server.command("doctor", "--no-dns", check=False)
    server.command("export", "alice@example.org", str(tmp_path / "out"))
    assert any((tmp_path / "out").rglob("*"))
    assert owners(server.data) == {(STRANGER, STRANGER)}
    backup = tmp_path / "backup"
    server.command("backup", str(backup))
    assert owners(server.data) == {(STRANGER, STRANGER)}
    server.command("restore", "--force", str(backup))
    assert owners(server.data) == {(STRANGER, STRANGER)}
    with sqlite3.connect(server.data / "directory.db") as directory:
        assert directory.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@needs_root
def test_init_in_a_directory_given_to_somebody(tmp_path):
    from click.testing import CliRunner

    from posthouse.app.commands.init import init

    data = tmp_path / "given"
    data.mkdir()
    give_away(data)
    done = CliRunner().invoke(init, ["--data", str(data), "--domain", "example.org"])
    assert done.exit_code == 0, done.output
    assert owners(data) == {(STRANGER, STRANGER)}


def test_nobody_changes_who_it_is_without_root(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "setresuid", None)
    with as_owner(tmp_path):
        (tmp_path / "made").touch()
    assert server_user(tmp_path) == ""
    assert (tmp_path / "made").exists()
