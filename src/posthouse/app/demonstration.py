"""The demonstration's play: two people, two devices, a few letters; every step by real protocols.

Notes:
    What was made and sent is written to DIR/demo.json as it happens: a second run continues, and
    nothing is sent twice.
"""

from __future__ import annotations

import base64
import poplib
import smtplib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

import msgspec

from posthouse.app.wiring import open_house
from posthouse.model.errors import ConfigurationError
from posthouse.model.people import PrincipalKind
from posthouse.runtime.clock import SystemClock
from posthouse.runtime.tls import client_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from posthouse.app.config import Config
    from posthouse.app.wiring import House

KEPT = "demo.json"
ALICE, BOB = "alice@example.org", "bob@example.org"
PHONE, LAPTOP = "Phone", "Laptop"
BOBS_SENT = "bob+Sent Items@example.org"
PATIENCE_S = 30
_LINE = 76
_PASSWORD_OCTETS = 10


class Kept(msgspec.Struct):
    """What a second run must know.

    Attributes:
        passwords: by login; those of devices by label.
        sent: Message-IDs that were acknowledged.
        is_played: the Phone has fetched and deleted.
    """

    passwords: dict[str, str] = {}
    sent: list[str] = []
    is_played: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """One message of the play.

    Attributes:
        name: begins its Message-ID.
        sender: From and MAIL FROM.
        recipient: To and RCPT TO.
        subject: ASCII.
        text: lines.
        door: "smtp" for those outside, else how its sender sends.
        login_as: whose password ("" nobody's): a login or a device's label.
        answers: name of the letter it answers ("" none).
        table: content of an attached file, CSV ("" none).
    """

    name: str
    sender: str
    recipient: str
    subject: str
    text: str
    door: str = "smtp"
    login_as: str = ""
    answers: str = ""
    table: str = ""

    @property
    def message_id(self) -> str:
        """With angle brackets."""
        return f"<{self.name}.demo@{self.sender.partition('@')[2]}>"


TABLE_NAME = "departures.csv"
LETTERS = (
    Letter(
        "welcome",
        "carol@example.net",
        ALICE,
        "Welcome to your posthouse",
        "Dear Alice,\n\nthis came by SMTP, as all mail from outside does.\n\nCarol",
    ),
    Letter(
        "departures",
        "coach-office@example.com",
        ALICE,
        "Departures this week",
        "The times of the week are attached.",
        table="day,to,leaves\nMonday,Regensburg,07:15\nWednesday,Innsbruck,06:40\n"
        "Friday,Verona,05:30\n",
    ),
    Letter(
        "question",
        ALICE,
        BOB,
        "Which coach?",
        "Bob, which coach shall we take?\n\nAlice",
        door="submissions",
        login_as=LAPTOP,
    ),
    Letter(
        "answer",
        BOB,
        ALICE,
        "Re: Which coach?",
        "The one to Innsbruck. Horses are changed on the way, the mail is not.\n\nBob",
        door="submission",
        login_as=BOB,
        answers="question",
    ),
)


@dataclass(frozen=True, slots=True)
class Sights:
    """How many messages each of them sees."""

    phone_before: int
    phone: int
    laptop: int
    bobs_sent: int


def read_kept(data: Path) -> Kept:
    """What the run before wrote; empty at first."""
    try:
        return msgspec.json.decode((data / KEPT).read_bytes(), type=Kept)
    except FileNotFoundError:
        return Kept()
    except msgspec.DecodeError as e:
        raise ConfigurationError(
            f"{data / KEPT}: {e}; remove the directory {data} and start anew"
        ) from None


def write_kept(data: Path, kept: Kept) -> None:
    """Replace it in one step; nobody else may read it."""
    scratch = data / f"{KEPT}.new"
    scratch.unlink(missing_ok=True)
    scratch.touch(mode=0o600)
    scratch.write_bytes(msgspec.json.encode(kept))
    scratch.replace(data / KEPT)


def people(data: Path, kept: Kept) -> None:
    """Make alice and bob and the devices, as far as they are missing; the server may run.

    Raises:
        ConfigurationError: others live here: this is no demonstration.
    """
    with open_house(data) as house:
        if not (data / KEPT).exists():
            if house.people.all_of(*PrincipalKind):
                raise ConfigurationError(
                    f"{data} has people of its own: give the demo a directory that is new, as in"
                    " 'posthouse demo --data demo'"
                )
            write_kept(data, kept)
        if "example.org" not in house.directory.domains():
            house.people.add_domain("example.org")
        for login, name in ((ALICE, "Alice"), (BOB, "Bob")):
            if login not in kept.passwords:
                kept.passwords[login] = _person(house, login, name)
                write_kept(data, kept)
        for label in (PHONE, LAPTOP):
            if label not in kept.passwords:
                kept.passwords[label] = _device(house, label)
                write_kept(data, kept)


def _person(house: House, login: str, name: str) -> str:
    raw = base64.b32encode(house.chance.token_bytes(_PASSWORD_OCTETS))
    password = raw.decode().lower().rstrip("=")
    if house.people.is_known(login):  # a run before was cut short
        house.people.set_password(house.people.find(login), password)
    else:
        house.run(house.people.add(PrincipalKind.USER, login, name, password))
    return password


def _device(house: House, label: str) -> str:
    alice = house.people.find(ALICE)
    if any(device.label == label for device in house.people.devices(alice)):
        house.people.revoke_device(alice, label)
    return house.people.add_device(alice, label).password


class Play:
    """Speaks with the running server as mail clients do.

    Args:
        config: of the house.
        kept: passwords; what has happened is added.
        save: writes ``kept``.
    """

    def __init__(self, config: Config, kept: Kept, save: Callable[[], None]) -> None:
        self._config = config
        self._kept = kept
        self._save = save
        self._tls = client_context(config.data / "tls" / "ca.pem")

    def run(self) -> Sights:
        """Send what was not sent, let the Phone fetch and delete if it has not, and count."""
        for letter in LETTERS:
            if letter.message_id not in self._kept.sent:
                self._send(letter)
                self._kept.sent.append(letter.message_id)
                self._save()
        phone_before = 0
        if not self._kept.is_played:
            phone_before = self._fetch_and_delete()
            self._kept.is_played = True
            self._save()
        return Sights(
            phone_before,
            self._count(ALICE, PHONE),
            self._count(ALICE, LAPTOP),
            self._count(BOBS_SENT, BOB),
        )

    def _send(self, letter: Letter) -> None:
        host, port = address(self._config, letter.door)
        smtp: smtplib.SMTP
        if letter.door == "submissions":
            smtp = smtplib.SMTP_SSL(host, port, timeout=PATIENCE_S, context=self._tls)
        else:
            smtp = smtplib.SMTP(host, port, timeout=PATIENCE_S)
        with smtp:
            if letter.door != "submissions":
                smtp.starttls(context=self._tls)
            if letter.login_as:
                smtp.login(letter.sender, self._kept.passwords[letter.login_as])
            smtp.sendmail(letter.sender, [letter.recipient], rendered(letter))

    def _fetch_and_delete(self) -> int:
        pop = self._opened(ALICE, PHONE)
        count = len(pop.list()[1])
        for msg_no in range(1, count + 1):
            pop.retr(msg_no)
            pop.dele(msg_no)
        pop.quit()
        return count

    def _count(self, login: str, password_of: str) -> int:
        pop = self._opened(login, password_of)
        count, _ = pop.stat()
        pop.quit()
        return count

    def _opened(self, login: str, password_of: str) -> poplib.POP3_SSL:
        tls: ssl.SSLContext = self._tls
        pop = poplib.POP3_SSL(*address(self._config, "pop3s"), timeout=PATIENCE_S, context=tls)
        pop.user(login)
        pop.pass_(self._kept.passwords[password_of])
        return pop


def address(config: Config, door: str) -> tuple[str, int]:
    """Where a client on this machine finds a door.

    Raises:
        ConfigurationError: the door is closed.
    """
    found = config.listeners().get(door)
    if not found:
        raise ConfigurationError(
            f"{config.data}/posthouse.toml: listen.{door}: closed, and the demo needs it; "
            "take the line out"
        )
    host, port = found[0]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104  compared


def rendered(letter: Letter) -> bytes:
    """The letter as its sender's client would write it."""
    now = datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC)
    head = [
        f"From: <{letter.sender}>",
        f"To: <{letter.recipient}>",
        f"Subject: {letter.subject}",
        f"Date: {format_datetime(now)}",
        f"Message-ID: {letter.message_id}",
    ]
    if letter.answers:
        (first,) = (other for other in LETTERS if other.name == letter.answers)
        head += [f"In-Reply-To: {first.message_id}", f"References: {first.message_id}"]
    head.append("MIME-Version: 1.0")
    plain = ["Content-Type: text/plain; charset=us-ascii", "", *letter.text.split("\n")]
    if not letter.table:
        return _lines([*head, *plain])
    raw_table = base64.b64encode(letter.table.encode()).decode()
    return _lines(
        [
            *head,
            'Content-Type: multipart/mixed; boundary="=_demo"',
            "",
            "--=_demo",
            *plain,
            "--=_demo",
            "Content-Type: text/csv; charset=us-ascii",
            "Content-Transfer-Encoding: base64",
            f'Content-Disposition: attachment; filename="{TABLE_NAME}"',
            "",
            *(raw_table[i : i + _LINE] for i in range(0, len(raw_table), _LINE)),
            "--=_demo--",
        ]
    )


def _lines(lines: list[str]) -> bytes:
    return "\r\n".join([*lines, ""]).encode("ascii")
