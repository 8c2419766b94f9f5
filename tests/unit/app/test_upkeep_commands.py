"""import, export, backup, restore, verify: on a real data directory, in a pipe."""

import json

import pytest
from click.testing import CliRunner

from posthouse.app import cli

ALICE = "alice@example.org"


class Shell:
    def __init__(self, data):
        self.data = data

    def run(self, *words, status=0, **more):
        command, *rest = words
        args = [command, *([rest.pop(0)] if command == "user" else []), "--data", str(self.data)]
        result = CliRunner().invoke(cli.posthouse, [*args, *map(str, rest)], **more)
        assert result.exit_code == status, result.output
        return result

    def json(self, *words, **more):
        return json.loads(self.run(*words, "--json", **more).stdout)


@pytest.fixture
def shell(tmp_path):
    made = Shell(tmp_path / "data")
    made.run("init", "--domain", "example.org")
    made.run("user", "add", ALICE, "--password-stdin", input="correct horse battery\n")
    return made


def test_a_life_of_mail(shell, tmp_path):
    source = tmp_path / "mail"
    source.mkdir()
    for number in range(3):
        text = f"Subject: {number}\nMessage-ID: <{number}@x>\n\nbody\n"
        (source / f"{number}.eml").write_text(text)
    told = shell.json("import", ALICE, source)
    assert (told["added"], told["known"], told["unreadable"]) == (3, 0, [])
    assert shell.json("import", ALICE, source)["known"] == 3
    (source / "bad.eml").write_bytes(b"\0")
    result = shell.run("import", ALICE, source, status=1)
    assert "0 added, 3 were there already" in result.stdout
    assert "bad.eml: neither a message nor an mbox" in result.stderr

    exported = shell.json("export", ALICE, tmp_path / "out")
    assert exported["items"] == 3
    assert (tmp_path / "out" / "manifest.json").exists()

    assert "nothing wrong" in shell.run("verify", "--all").stdout
    made = shell.json("backup", tmp_path / "backups")
    assert made["problems"] == []
    assert "is sound" in shell.run("restore", "--dry-run", tmp_path / "backups").stdout

    other = Shell(tmp_path / "other")
    assert other.json("restore", tmp_path / "backups")["restored"]
    assert other.json("verify", "--all")["problems"] == []
    assert other.json("import", ALICE, tmp_path / "out")["known"] == 3


def test_damage_ends_with_status_1(shell, tmp_path):
    mail = tmp_path / "one.eml"
    mail.write_text("Subject: precious\n\nbody\n")
    shell.run("import", ALICE, mail)
    shell.run("backup", tmp_path / "b.tar")
    for pack in (shell.data / "store" / "blobs" / "packs").glob("*.pack"):
        pack.write_bytes(pack.read_bytes().replace(b"precious", b"specious"))
    assert "damaged" in shell.run("verify", status=1).stdout
    salvaged = shell.run("export", ALICE, tmp_path / "out", "--salvage", status=1)
    assert "left out" in salvaged.stderr
    raw = (tmp_path / "b.tar").read_bytes()
    (tmp_path / "b.tar").write_bytes(raw.replace(b"precious", b"specious"))
    result = shell.run("restore", tmp_path / "b.tar", "--dry-run", status=1)
    assert "damaged" in result.stderr


def test_nobody_of_that_name(shell, tmp_path):
    with pytest.raises(Exception, match="no mailbox"):
        CliRunner().invoke(
            cli.posthouse,
            ["import", "--data", str(shell.data), "bob@example.org", str(tmp_path)],
            catch_exceptions=False,
        )
