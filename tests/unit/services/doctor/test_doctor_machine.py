"""What the doctor says about directory, disk, ports, settings and the audit log."""

import os
import socket
import threading
from contextlib import contextmanager

import pytest

from posthouse.services.directory.audit import Audit
from posthouse.services.doctor import host, settings
from posthouse.services.doctor.audit import audit_log
from posthouse.services.doctor.finding import Grade


class OwnClock:
    def now_ms(self):
        return 1_700_000_000_000

    def monotonic_s(self):
        return 0.0


@contextmanager
def saying(greeting):
    """A program that listens and says one thing to each that connects."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve():
            try:
                while True:
                    connection, _ = listener.accept()
                    connection.sendall(greeting)
                    connection.close()
            except OSError:
                pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def port(door, number):
    (finding,) = host.ports({door: [("127.0.0.1", number)]})
    return finding


@pytest.mark.parametrize(
    ("door", "greeting", "grade"),
    [
        ("pop3", b"+OK Posthouse at your service\r\n", Grade.GOOD),
        ("smtp", b"220 mail.example.org ESMTP Posthouse\r\n", Grade.GOOD),
        ("smtp", b"220 mail.example.org ESMTP Another\r\n", Grade.PROBLEM),
        ("pop3", b"220 Posthouse\r\n", Grade.PROBLEM),
        ("pop3", b"", Grade.PROBLEM),
        ("pop3s", b"", Grade.GOOD),
    ],
)
def test_who_answers_on_a_port(door, greeting, grade):
    with saying(greeting) as number:
        finding = port(door, number)
    assert finding.grade is grade
    assert str(number) in finding.what


def test_a_free_port_says_that_we_do_not_run():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    finding = port("pop3", number)
    assert (finding.grade, finding.remedy) == (Grade.NOTICE, "the server is not running")


def test_a_directory_open_to_others(tmp_path):
    tmp_path.chmod(0o755)
    found = host.data_directory(tmp_path, 0)
    assert [f.paste for f in found if f.grade is Grade.PROBLEM] == [f"chmod 700 {tmp_path}"]
    tmp_path.chmod(0o700)
    assert all(f.grade is not Grade.PROBLEM for f in host.data_directory(tmp_path, 0))


def test_a_disk_below_the_floor(tmp_path):
    tmp_path.chmod(0o700)
    found = host.data_directory(tmp_path, 1 << 62)
    assert [f.topic for f in found if f.grade is Grade.PROBLEM] == ["disk"]


def test_the_clock_is_looked_at():
    (finding,) = host.clock()
    assert finding.topic == "clock"


LOOPBACK = {"pop3": [("127.0.0.1", 2110)], "admin": [("127.0.0.1", 2088)]}
PUBLIC = {"pop3": [("0.0.0.0", 110), ("::", 110)], "admin": [("127.0.0.1", 8088)]}


@pytest.mark.parametrize(
    ("listeners", "allows", "expected"),
    [
        (LOOPBACK, False, {"reach": Grade.NOTICE, "passwords": Grade.GOOD}),
        (LOOPBACK, True, {"reach": Grade.NOTICE, "passwords": Grade.NOTICE}),
        (PUBLIC, False, {"reach": Grade.GOOD, "passwords": Grade.GOOD}),
        (PUBLIC, True, {"reach": Grade.GOOD, "passwords": Grade.PROBLEM}),
        (
            PUBLIC | {"admin": [("0.0.0.0", 8088)]},
            False,
            {"reach": Grade.GOOD, "passwords": Grade.GOOD, "admin": Grade.PROBLEM},
        ),
    ],
)
def test_doors(listeners, allows, expected):
    found = settings.doors(listeners, allows_plaintext_auth=allows)
    assert {f.topic: f.grade for f in found} == expected
    assert all(f.paste for f in found if f.grade is not Grade.GOOD)


def test_the_owner_of_the_directory(tmp_path):
    (finding,) = settings.owner(tmp_path, "")
    assert finding.grade is Grade.GOOD
    (finding,) = settings.owner(tmp_path, "no-such-user")
    assert "useradd" in finding.paste
    somebody_else = "daemon" if os.getuid() == 0 else "root"
    (finding,) = settings.owner(tmp_path, somebody_else)
    assert finding.paste == f"chown -R {somebody_else}: {tmp_path}"


def test_the_end_of_the_audit_log(tmp_path):
    path = tmp_path / "audit.jsonl"
    assert audit_log(path)[0].grade is Grade.PROBLEM
    audit = Audit(path, OwnClock())
    for number in range(5):
        audit.record("thing", number=number)
    audit.close()
    (finding,) = audit_log(path)
    assert finding.grade is Grade.GOOD
    assert "(5 lines" in finding.what

    whole = path.read_bytes()
    path.write_bytes(whole + b'{"prev": "being wri')
    assert audit_log(path)[0].grade is Grade.GOOD
    path.write_bytes(whole.replace(b'"number":3', b'"number":7'))
    (finding,) = audit_log(path)
    assert finding.grade is Grade.PROBLEM
    assert finding.what.startswith("1 of the newest 5 lines")
    path.write_bytes(whole.replace(b"\n", b"\n\n", 1))
    assert audit_log(path)[0].grade is Grade.PROBLEM


def test_only_the_end_of_a_long_audit_log_is_read(tmp_path):
    path = tmp_path / "audit.jsonl"
    audit = Audit(path, OwnClock())
    for number in range(3000):
        audit.note("thing", number=number, text="x" * 500)
    audit.close()
    assert path.stat().st_size > 1 << 20
    path.write_bytes(b"changed" + path.read_bytes()[7:])
    assert audit_log(path)[0].grade is Grade.GOOD
