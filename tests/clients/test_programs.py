"""Programs that others wrote, as people run them. Each is skipped where it is not installed."""

from __future__ import annotations

import mailbox
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.mail import letter, pop, send, subjects

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Server

pytestmark = pytest.mark.clients


def program(name: str) -> str:
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


def run(*words: str, home: Path, given: bytes = b"", okay: tuple[int, ...] = (0,)) -> bytes:
    done = subprocess.run(
        words,
        input=given,
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "HOME": str(home)},
    )
    assert done.returncode in okay, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.mark.parametrize("secure", ["implicit", "stls"])
def test_fetchmail_keeps_mail_on_the_server_and_does_not_fetch_twice(
    house: Server, tmp_path: Path, secure: str
) -> None:
    fetchmail = program("fetchmail")
    device = house.add_device("alice", f"fetchmail {secure}")
    send(house, letter(f"for fetchmail {secure}"))
    is_tls = secure == "implicit"
    settings = tmp_path / "fetchmailrc"
    settings.write_text(
        f"set no syslog\npoll 127.0.0.1 protocol pop3 port {house.ports['pop3s' if is_tls else 'pop3']} uidl\n"
        f"  user 'alice@example.org' password '{device}' "
        f"{'ssl' if is_tls else ''} sslproto 'TLS1.2+' sslcertck "
        f"sslcertfile {house.data}/tls/ca.pem sslcommonname mail.example.org\n"
        f"  keep mda 'cat >> {tmp_path}/inbox'\n"
    )
    settings.chmod(0o600)
    words = (
        fetchmail,
        "-f",
        str(settings),
        "-i",
        str(tmp_path / "ids"),
        "--nodetach",
        "--pidfile",
        str(tmp_path / "pid"),
    )
    run(*words, home=tmp_path)
    text = (tmp_path / "inbox").read_bytes()
    assert f"for fetchmail {secure}".encode() in text
    out = run(*words, home=tmp_path, okay=(1,))  # 1: there was no mail
    assert (tmp_path / "inbox").read_bytes() == text, out
    with_all = pop(house, "alice@example.org", "wonderland")
    assert f"for fetchmail {secure}" in subjects(with_all)
    with_all.quit()


def test_mpop_with_scram_and_pipelining(house: Server, tmp_path: Path) -> None:
    mpop = program("mpop")
    device = house.add_device("carol", "mpop")
    send(house, letter("for mpop", to="carol@example.org"))
    (tmp_path / "mail").mkdir()
    for part in ("cur", "new", "tmp"):
        (tmp_path / "mail" / part).mkdir()
    settings = tmp_path / "mpoprc"
    settings.write_text(
        f"account default\nhost 127.0.0.1\nport {house.ports['pop3s']}\ntls on\ntls_starttls off\n"
        f"tls_trust_file {house.data}/tls/ca.pem\ntls_host_override mail.example.org\nuser carol@example.org\npassword {device}\n"
        f"auth scram-sha-256\nkeep on\nuidls_file {tmp_path}/uidls\ndelivery maildir {tmp_path}/mail\npipelining on\n"
    )
    settings.chmod(0o600)
    done = subprocess.run([mpop, "-C", str(settings)], capture_output=True, timeout=60, check=False)
    if b"not supported" in done.stderr:
        pytest.skip("mpop was built without SCRAM")
    assert done.returncode == 0, done.stderr
    got = [m["Subject"] for m in mailbox.Maildir(tmp_path / "mail")]
    assert "for mpop" in got
    subprocess.run([mpop, "-C", str(settings)], capture_output=True, timeout=60, check=True)
    assert len(list(mailbox.Maildir(tmp_path / "mail"))) == len(got)


def test_getmail(house: Server, tmp_path: Path) -> None:
    getmail = program("getmail")
    device = house.add_device("alice", "getmail")
    send(house, letter("for getmail"))
    (tmp_path / "getmailrc").write_text(
        f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = 127.0.0.1\nport = {house.ports['pop3s']}\n"
        f"username = alice@example.org\npassword = {device}\n"
        # Its own Maildir delivery refuses to work for root.
        f"[destination]\ntype = MDA_external\npath = /bin/sh\nallow_root_commands = true\n"
        f"arguments = ('-c', 'cat >> {tmp_path}/inbox')\n[options]\nread_all = false\ndelete = false\n"
    )
    words = (getmail, "--getmaildir", str(tmp_path), "--rcfile", "getmailrc")
    run(*words, home=tmp_path)
    got = (tmp_path / "inbox").read_bytes()
    assert b"Subject: for getmail" in got
    run(*words, home=tmp_path)
    assert (tmp_path / "inbox").read_bytes() == got


def test_curl_reads_and_sends(house: Server, tmp_path: Path) -> None:
    curl = program("curl")
    message = tmp_path / "message"
    message.write_bytes(
        letter("by curl", sender="bob@example.org").as_bytes().replace(b"\n", b"\r\n")
    )
    run(
        curl,
        "--silent",
        "--show-error",
        "--insecure",
        "--ssl-reqd",
        f"smtp://127.0.0.1:{house.ports['submission']}/mail.example.org",
        "--user",
        "bob@example.org:wonderland",
        "--mail-from",
        "bob@example.org",
        "--mail-rcpt",
        "alice@example.org",
        "--upload-file",
        str(message),
        home=tmp_path,
    )
    listing = run(
        curl,
        "--silent",
        "--show-error",
        "--insecure",
        f"pop3s://127.0.0.1:{house.ports['pop3s']}/",
        "--user",
        "alice@example.org:wonderland",
        home=tmp_path,
    )
    last = listing.split(b"\r\n")[-2].split()[0].decode()
    text = run(
        curl,
        "--silent",
        "--show-error",
        "--insecure",
        f"pop3s://127.0.0.1:{house.ports['pop3s']}/{last}",
        "--user",
        "alice@example.org:wonderland",
        home=tmp_path,
    )
    assert b"Subject: by curl" in text


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks_submits(house: Server, tmp_path: Path, mechanism: str) -> None:
    swaks = program("swaks")
    if b"TLS supported" not in run(swaks, "--support", home=tmp_path):
        pytest.skip("swaks has no TLS here")
    out = run(
        swaks,
        "--server",
        "127.0.0.1",
        "--port",
        str(house.ports["submission"]),
        "--tls",
        "--auth",
        mechanism,
        "--auth-user",
        "bob@example.org",
        "--auth-password",
        "wonderland",
        "--from",
        "bob@example.org",
        "--to",
        "carol@example.org",
        "--header",
        f"Subject: by swaks {mechanism}",
        home=tmp_path,
    )
    assert b"250 2." in out, out
    client = pop(house, "carol@example.org", "wonderland")
    assert f"by swaks {mechanism}" in subjects(client)
    client.quit()


def test_s_nail_sends_and_reads(house: Server, tmp_path: Path) -> None:
    s_nail = program("s-nail")
    settings = tmp_path / "mailrc"
    settings.write_text(
        f"set v15-compat\nset tls-ca-file={house.data}/tls/ca.pem tls-verify=ignore\n"
        "set from=bob@example.org\n"
        f"set mta=submissions://bob%40example.org:wonderland@127.0.0.1:{house.ports['submissions']} smtp-auth=plain\n"
    )
    words = (s_nail, "-:", "/", "-X", f"source {settings}")
    run(*words, "-s", "by s-nail", "carol@example.org", home=tmp_path, given=b"Hello.\n.\n")
    box = f"pop3s://carol%40example.org:wonderland@127.0.0.1:{house.ports['pop3s']}"
    out = run(
        *words, "-S", "pop3-bulk-load", "-R", "-f", box, home=tmp_path, given=b"from *\nexit\n"
    )
    assert b"by s-nail" in out
