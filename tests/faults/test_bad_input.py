"""Bad input over real sockets, at every door: it is refused, it ends, and the server stays as it was."""

from __future__ import annotations

import random
import socket
import ssl
import time
from typing import TYPE_CHECKING

import pytest
from tests.mail import address, inbox, letter, send
from tests.running import PEOPLE, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.faults
LOGIN_S = 2.0
MESSAGE_MAX = 65_536
GROWTH_MAX_KIB = 48 * 1024
HELLO = b"EHLO x.example.net\r\n"
ENVELOPE = b"MAIL FROM:<x@example.net>\r\nRCPT TO:<carol@example.org>\r\n"
LOGIN = b"USER alice@example.org\r\nPASS wonderland\r\n"
AUTH = b"AUTH PLAIN AGJvYkBleGFtcGxlLm9yZwB3b25kZXJsYW5k\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Short limits, one worker, passwords in the clear: so that each state is easy to reach."""
    one = Server(
        tmp_path_factory.mktemp("bad") / "data",
        people=PEOPLE,
        settings="allow_plaintext_auth = true",
        tables={
            "limits": f"login_deadline = {LOGIN_S}\npop3_idle = 2\nsmtp_idle = 2\n"
            f"message_size_max = {MESSAGE_MAX}\nspace_floor = 1048576"
        },
    )
    one.start()
    send(one, letter("first", to=address("alice")))
    yield one
    healthy, bugs = one.is_healthy(), one.bugs()
    assert one.stop() == 0
    assert healthy
    assert not bugs


def connect(server: Server, door: str) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", server.ports[door]), timeout=10)
    if door in ("pop3s", "submissions"):
        context = server.tls()
        context.check_hostname = False
        return context.wrap_socket(sock)
    return sock


def talk(server: Server, door: str, said: bytes, *, goodbye: bytes = b"QUIT\r\n") -> bytes:
    """Say it all at once; everything that comes until the server closes."""
    with connect(server, door) as sock:
        heard = b""
        try:
            sock.sendall(said + goodbye)
            while data := sock.recv(65_536):
                heard += data
        except OSError:
            pass
        return heard


SMTP_CASES = {
    "recipient first": (HELLO + b"RCPT TO:<carol@example.org>\r\n", b"\r\n503 "),
    "data first": (HELLO + b"DATA\r\n", b"\r\n503 "),
    "mail before hello": (b"MAIL FROM:<x@example.net>\r\n", b"\r\n503 "),
    "mail twice": (HELLO + b"MAIL FROM:<x@example.net>\r\n" * 2, b"\r\n503 "),
    "overlong line": (b"EHLO " + b"x" * 5_000 + b"\r\n", b"\r\n500 "),
    "endless line": (b"x" * 200_000, b"\r\n500 "),
    "NUL": (b"EHLO x\0y\r\n", b"\r\n50"),
    "8 bit command": (b"\xff\xfe\xfd\x80\r\n", b"\r\n50"),
    "bare LF": (b"EHLO x\nMAIL FROM:<x@example.net>\n", b"\r\n5"),
    "bare CR": (b"EHLO x\rMAIL FROM:<x@example.net>\r", b"\r\n5"),
    "size overflows": (HELLO + b"MAIL FROM:<x@example.net> SIZE=" + b"9" * 60 + b"\r\n", b"\r\n5"),
    "size is negative": (HELLO + b"MAIL FROM:<x@example.net> SIZE=-1\r\n", b"\r\n501 "),
    "size twice": (HELLO + b"MAIL FROM:<x@example.net> SIZE=1 SIZE=1\r\n", b"\r\n501 "),
    "unknown parameter": (HELLO + b"MAIL FROM:<x@example.net> MAGIC=1\r\n", b"\r\n555 "),
    "bdat overflows": (HELLO + ENVELOPE + b"BDAT " + b"9" * 60 + b" LAST\r\n", b"\r\n5"),
    "bdat is negative": (HELLO + ENVELOPE + b"BDAT -5 LAST\r\n", b"\r\n501 "),
    "bdat of 2^64": (HELLO + ENVELOPE + b"BDAT 18446744073709551617 LAST\r\n", b"\r\n5"),
    "path without end": (HELLO + b"MAIL FROM:<x@example.net\r\n", b"\r\n501 "),
    "path too long": (HELLO + b"MAIL FROM:<" + b"x" * 1_500 + b"@example.net>\r\n", b"\r\n501 "),
    "relay by percent": (HELLO + b"MAIL FROM:<>\r\nRCPT TO:<a%b.example@example.org>\r\n", b"\r\n550 "),
    "relay by route": (HELLO + b"MAIL FROM:<>\r\nRCPT TO:<@example.org:a@b.example>\r\n", b"\r\n55"),
    "GET": (b"GET / HTTP/1.1\r\nHost: mail\r\n\r\n", b"\r\n421 "),
    "POST": (b"POST /x HTTP/1.0\r\nContent-Length: 99\r\n\r\n" + HELLO + ENVELOPE, b"\r\n421 "),
    "unknown words": (b"HELP ME\r\n" + b"XYZZY\r\n" * 30, b"\r\n421 "),
    "behind STARTTLS": (HELLO + b"STARTTLS\r\nMAIL FROM:<evil@example.net>\r\n", b"\r\n5"),
    "bare LF in content": (HELLO + ENVELOPE + b"DATA\r\nSubject: smuggled\n\n.\nMAIL\r\n.\r\n", b"\r\n5"),
    "LF dot CRLF": (HELLO + ENVELOPE + b"DATA\r\nSubject: smuggled\r\n\r\nx\n.\r\n" + ENVELOPE + b".\r\n", b"\r\n5"),
    "CR dot CR": (HELLO + ENVELOPE + b"DATA\r\nSubject: smuggled\r\n\r\nx\r.\r" + ENVELOPE + b"\r\n.\r\n", b"\r\n5"),
    "message too large": (
        HELLO + ENVELOPE + b"DATA\r\n" + b"Subject: big\r\n\r\n" + (b"x" * 78 + b"\r\n") * 1_000 + b".\r\n",
        b"\r\n552 ",
    ),
}  # fmt: skip
SUBMISSION_CASES = {
    "no login": (HELLO + ENVELOPE, b"\r\n530 "),
    "auth without words": (HELLO + b"AUTH\r\n", b"\r\n501 "),
    "unknown mechanism": (HELLO + b"AUTH MAGIC\r\n", b"\r\n504 "),
    "no base64": (HELLO + b"AUTH PLAIN ****\r\n", b"\r\n501 "),
    "plain without NULs": (HELLO + b"AUTH PLAIN YWxpY2U=\r\n", b"\r\n5"),
    "overlong auth": (HELLO + b"AUTH PLAIN " + b"A" * 20_000 + b"\r\n", b"\r\n500 "),
    "auth twice": (HELLO + AUTH + AUTH, b"\r\n503 "),
    "cancelled": (HELLO + b"AUTH LOGIN\r\n*\r\n", b"\r\n501 "),
    "scram nonsense": (HELLO + b"AUTH SCRAM-SHA-256 bm9uc2Vuc2U=\r\n", b"\r\n5"),
}
LMTP_CASES = {
    "EHLO": (HELLO, b"\r\n500 "),
    "data without recipients": (b"LHLO x\r\nMAIL FROM:<>\r\nDATA\r\n", b"\r\n503 "),
}
POP3_CASES = {
    "retr before login": (b"RETR 1\r\n", b"\r\n-ERR"),
    "pass first": (b"PASS x\r\n", b"\r\n-ERR"),
    "user without name": (b"USER\r\n", b"\r\n-ERR"),
    "user twice": (LOGIN + b"USER bob\r\n", b"\r\n-ERR"),
    "number overflows": (LOGIN + b"RETR " + b"9" * 100 + b"\r\n", b"\r\n-ERR"),
    "number of 2^64 + 1": (LOGIN + b"RETR 18446744073709551617\r\n", b"\r\n-ERR"),
    "negative number": (LOGIN + b"DELE -1\r\n", b"\r\n-ERR"),
    "zero": (LOGIN + b"LIST 0\r\n", b"\r\n-ERR"),
    "signs": (LOGIN + b"UIDL +1\r\n", b"\r\n-ERR"),
    "other digits": (LOGIN + "RETR \u0661\r\n".encode(), b"\r\n-ERR"),
    "top without lines": (LOGIN + b"TOP 1\r\n", b"\r\n-ERR"),
    "top of minus one": (LOGIN + b"TOP 1 -1\r\n", b"\r\n-ERR"),
    "overlong line": (b"USER " + b"x" * 300 + b"\r\n", b"\r\n-ERR"),
    "endless line": (b"x" * 200_000, b"\r\n-ERR"),
    "overlong auth": (b"AUTH PLAIN " + b"A" * 20_000 + b"\r\n", b"\r\n-ERR"),
    "NUL": (b"USER a\0b\r\n", b"\r\n-ERR"),
    "bare LF": (b"USER alice\nPASS wonderland\n", b"\r\n-ERR"),
    "bare CR": (b"USER alice\rPASS wonderland\r\r\n", b"\r\n-ERR"),
    "GET": (b"GET / HTTP/1.1\r\nHost: mail\r\n\r\n", b"\r\n-ERR"),
    "unknown words": (b"XYZZY\r\n" * 30, b"\r\n-ERR"),
    "behind STLS": (b"STLS\r\n" + LOGIN + b"STAT\r\n", b"\r\n-ERR"),
    "no base64": (b"AUTH PLAIN ****\r\n", b"\r\n-ERR"),
    "lang of lang": (b"LANG " + b"x" * 200 + b"\r\n", b"\r\n-ERR"),
}
CASES = [
    (door, name, said, expected)
    for doors, cases in (
        (("smtp",), SMTP_CASES),
        (("submission", "submissions"), SUBMISSION_CASES),
        (("lmtp",), LMTP_CASES),
        (("pop3",), POP3_CASES),
    )
    for door in doors
    for name, (said, expected) in cases.items()
]


@pytest.mark.parametrize(
    ("door", "said", "expected"),
    [pytest.param(door, said, expected, id=f"{door}: {name}") for door, name, said, expected in CASES],
)  # fmt: skip
def test_it_is_refused(server: Server, door: str, said: bytes, expected: bytes) -> None:
    begun = time.monotonic()
    heard = talk(server, door, said)
    assert expected in heard, heard[-500:]
    assert time.monotonic() - begun < 2 * LOGIN_S + 3, "the connection must end"


def test_nothing_of_it_was_taken_in(server: Server) -> None:
    assert inbox(server, "carol") == []


def test_what_follows_starttls_in_the_clear_is_never_obeyed(server: Server) -> None:
    for door, said in (("smtp", HELLO + b"STARTTLS\r\nNOOP\r\n"), ("pop3", b"STLS\r\nNOOP\r\n")):
        with connect(server, door) as sock:
            sock.sendall(said)
            heard = b""
            while data := sock.recv(4096):
                heard += data
        assert b"220 2.0.0" not in heard
        assert b"Begin TLS" not in heard


def test_a_login_before_stls_is_forgotten(server: Server) -> None:
    context = server.tls()
    context.check_hostname = False
    with connect(server, "pop3") as sock:
        sock.recv(100)
        sock.sendall(b"USER alice@example.org\r\n")
        sock.recv(100)
        sock.sendall(b"STLS\r\n")
        assert sock.recv(100).startswith(b"+OK")
        with context.wrap_socket(sock) as secured:
            secured.sendall(b"PASS wonderland\r\n")
            assert secured.recv(100).startswith(b"-ERR")


@pytest.mark.parametrize("door", ["pop3s", "submissions"])
@pytest.mark.parametrize(
    "said", [b"QUIT\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 70_000, b"\x80\x2e\x01\0\x02"]
)  # fmt: skip
def test_no_tls_where_tls_is_due(server: Server, door: str, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.ports[door]), timeout=10) as sock:
        try:
            sock.sendall(said)
            sock.shutdown(socket.SHUT_WR)
            heard = b""
            while data := sock.recv(4096):
                heard += data
        except OSError:
            heard = b""
    assert not heard or heard[0] == 0x15, "an alert at most"


def test_old_tls_is_refused(server: Server) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", server.ports["pop3s"]), timeout=10) as sock,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(sock)


@pytest.mark.parametrize(
    "said",
    [b"\r\n\r\n", b"GARBAGE\r\n\r\n", b"GET /../../etc/passwd HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
     b"POST /health HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n", b"GET /" + b"x" * 100_000, b"\0" * 500 + b"\r\n\r\n"],
)  # fmt: skip
def test_the_admin_door_takes_no_nonsense(server: Server, said: bytes) -> None:
    heard = b""
    with connect(server, "admin") as sock:
        try:
            sock.sendall(said)
            sock.shutdown(socket.SHUT_WR)
            while data := sock.recv(65_536):
                heard += data
        except OSError:
            pass
    assert not heard or heard.startswith(b"HTTP/1.1 4"), heard[:200]
    assert server.is_healthy()


def seconds_until_closed(socks: list[socket.socket], drip: bytes = b"") -> list[float]:
    """How long the server kept each of them; with ``drip``: while they say that, ten times a second."""
    begun = time.monotonic()
    took = [0.0] * len(socks)
    try:
        for sock in socks:
            sock.settimeout(0)
        while not all(took) and time.monotonic() - begun < 15:
            for index, sock in enumerate(socks):
                if not took[index] and is_closed(sock, drip):
                    took[index] = time.monotonic() - begun
            time.sleep(0.1)
    finally:
        for sock in socks:
            sock.close()
    return took


def is_closed(sock: socket.socket, drip: bytes) -> bool:
    try:
        if drip:
            sock.send(drip)
        while sock.recv(65_536):
            pass
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    return True


@pytest.mark.parametrize("drip", [b"", b"E"])
def test_strangers_who_say_nothing_or_a_letter_at_a_time_must_go(
    server: Server, drip: bytes
) -> None:
    socks = [connect(server, door) for door in ("smtp", "submission", "lmtp", "pop3")]
    took = seconds_until_closed(socks, drip)
    assert all(LOGIN_S - 1 < s < LOGIN_S + 3 for s in took), took


def test_an_idle_session_ends_and_half_a_line_is_idle(server: Server) -> None:
    said = {
        "pop3": LOGIN + b"STA",
        "smtp": HELLO + ENVELOPE + b"DATA\r\nSubject: half\r\n",
        "submission": HELLO + AUTH + b"NOO",
    }
    socks = []
    for door, words in said.items():
        socks.append(connect(server, door))
        socks[-1].sendall(words)
    took = seconds_until_closed(socks)
    assert all(1 < s < 6 for s in took), took


def test_memory_is_bounded(server: Server) -> None:
    """Half lines of 60 kB, and clients that ask for much and read nothing."""
    before = server.memory_kib()
    crowd = []
    try:
        for index in range(150):
            sock = connect(server, ("smtp", "pop3", "lmtp")[index % 3])
            crowd.append(sock)
            sock.settimeout(0.5)
            try:
                sock.sendall(b"x" * 60_000)
            except OSError:
                continue
        for _ in range(20):
            sock = connect(server, "pop3")
            crowd.append(sock)
            sock.settimeout(0.1)
            try:
                sock.sendall(LOGIN + b"RETR 1\r\n" * 20_000)
            except TimeoutError:
                continue  # the server no longer reads: as it should be
        growth = []
        for _ in range(8):
            time.sleep(0.1)
            growth.append(server.memory_kib() - before)
            assert server.is_healthy()
        assert max(growth) < GROWTH_MAX_KIB, growth
    finally:
        for sock in crowd:
            sock.close()


def test_mutated_conversations(server: Server) -> None:
    dice = random.Random(5)
    whole = {
        "smtp": HELLO + ENVELOPE + b"DATA\r\nSubject: x\r\n\r\n.y\r\n.\r\nRSET\r\nNOOP\r\nVRFY a\r\n",
        "lmtp": b"LHLO x\r\n" + ENVELOPE + b"BDAT 5 LAST\r\nhelloRSET\r\nBDAT 3\r\nabc",
        "submission": HELLO + AUTH + b"MAIL FROM:<bob@example.org> SIZE=10\r\nRSET\r\nSTARTTLS\r\n",
        "pop3": LOGIN + b"STAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nTOP 1 2\r\nDELE 1\r\nRSET\r\nCAPA\r\nLANG\r\nUTF8\r\n",
    }  # fmt: skip
    spice = [b"\0", b"\r", b"\n", b"\r\n", b" ", b"<", b">", b"=", b".", b"\xff", b"9" * 30, b"-1", b"\r\n.\r\n"]  # fmt: skip
    for _ in range(1200):
        door = dice.choice(tuple(whole))
        said = bytearray(whole[door])
        # Not in the login: wrong passwords are answered late, on purpose.
        first = len(LOGIN) if door == "pop3" else len(HELLO + AUTH) if door == "submission" else 0
        for _ in range(dice.randrange(1, 5)):
            at = dice.randrange(first, len(said))
            kind = dice.randrange(4)
            if kind == 0:
                said[at] = dice.randrange(256)
            elif kind == 1:
                said[at:at] = dice.choice(spice)
            elif kind == 2:
                del said[at : at + dice.randrange(1, 9)]
            else:
                said[at:at] = said[dice.randrange(len(said)) :][: dice.randrange(1, 40)]
        with connect(server, door) as sock:
            cut = dice.randrange(len(said) + 1)
            try:
                sock.sendall(said[:cut])
                sock.sendall(said[cut:])
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65_536):
                    pass
            except OSError:
                pass
    assert not server.bugs()
    assert server.is_healthy()
