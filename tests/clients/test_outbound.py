"""Mail to other hosts from a running server, with aiosmtpd as the next host."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.controller import Controller
from tests import mail
from tests.mail import inbox, letter, pop, queue, wait_for
from tests.running import PEOPLE, Server, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aiosmtpd.smtp import SMTP, Envelope, Session

pytestmark = pytest.mark.clients


class NextHost:
    """Takes mail; says what the test has laid down for a recipient's local part."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, list[str], bytes]] = []
        self.answers: dict[str, list[str]] = {}

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answers = self.answers.get(address.partition("@")[0])
        if answers:
            return answers.pop(0) if len(answers) > 1 else answers[0]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        assert envelope.mail_from is not None
        self.taken.append((envelope.mail_from, list(envelope.rcpt_tos), content))
        return "250 taken"


@pytest.fixture
def next_host() -> Iterator[tuple[NextHost, int]]:
    handler = NextHost()
    port = free_ports(1)[0]
    controller = Controller(handler, hostname="127.0.0.1", port=port, enable_SMTPUTF8=True)
    controller.start()
    yield handler, port
    controller.stop()


@pytest.fixture
def server(tmp_path: Path, next_host: tuple[NextHost, int]) -> Iterator[Server]:
    one = Server(
        tmp_path / "data",
        people=PEOPLE,
        tables={"queue": f'smarthost = "127.0.0.1:{next_host[1]}"\nsmarthost_tls = "none"'},
    )
    one.start()
    yield one
    assert one.stop() == 0
    assert not one.bugs()


def submit(server: Server, subject: str, *recipients: str) -> None:
    mail.submit(server, "bob", letter(subject, sender="bob@example.org", to=", ".join(recipients)))


def test_foreign_mail_goes_out_at_once_and_byte_for_byte(
    server: Server, next_host: tuple[NextHost, int]
) -> None:
    host, _ = next_host
    submit(server, "outbound", "dora@elsewhere.example", "alice@example.org")
    sender, recipients, content = wait_for(lambda: host.taken)[0]
    assert (sender, recipients) == ("bob@example.org", ["dora@elsewhere.example"])
    assert b"\r\n.A line that begins with a dot.\r\n..Two.\r\n" in content
    assert "outbound" in inbox(server, "alice@example.org")
    assert inbox(server, "bob+Sent Items@example.org") == ["outbound"]
    wait_for(lambda: not queue(server))


def test_a_refusal_comes_back_into_the_senders_inbox(
    server: Server, next_host: tuple[NextHost, int]
) -> None:
    host, _ = next_host
    host.answers["nobody"] = ["550 5.1.1 no such person"]
    submit(server, "to nobody", "nobody@elsewhere.example", "dora@elsewhere.example")
    wait_for(lambda: host.taken)
    wait_for(lambda: inbox(server, "bob@example.org"))
    client = pop(server, "bob@example.org", "wonderland")
    assert client.stat()[0] == 1
    report = b"\r\n".join(client.retr(1)[1])
    client.quit()
    assert b"multipart/report" in report
    assert re.search(rb"\r\nFinal-Recipient: rfc822; ?nobody@elsewhere.example\r\n", report)
    assert b"\r\nAction: failed\r\n" in report
    assert b"\r\nStatus: 5.1.1\r\n" in report
    assert report.count(b"Final-Recipient") == 1, "of dora there is nothing to tell"
    assert not queue(server)
    assert host.taken[0][1] == ["dora@elsewhere.example"]


def test_a_passing_fault_waits_in_the_queue_until_told_to_try_again(
    server: Server, next_host: tuple[NextHost, int]
) -> None:
    host, _ = next_host
    host.answers["busy"] = ["451 4.2.1 come again", "250 OK"]
    submit(server, "later", "busy@elsewhere.example")
    (entry,) = wait_for(lambda: [e for e in queue(server) if e["recipients"][0]["attempts"]])
    (recipient,) = entry["recipients"]
    assert (recipient["address"], recipient["state"]) == ("busy@elsewhere.example", "waiting")
    assert "451 4.2.1 come again" in recipient["last_reply"]
    host.answers.clear()
    told = json.loads(server.command("queue", "retry", "--json"))
    assert told
    wait_for(lambda: host.taken)
    wait_for(lambda: not queue(server))
    assert len(host.taken) == 1
    assert inbox(server, "bob@example.org") == []


def test_mail_that_was_taken_in_survives_a_kill_before_it_goes_out(
    server: Server, next_host: tuple[NextHost, int]
) -> None:
    host, _ = next_host
    host.answers["slow"] = ["451 4.3.0 not yet"]
    submit(server, "through the fire", "slow@elsewhere.example")
    wait_for(lambda: [e for e in queue(server) if e["recipients"][0]["attempts"]])
    server.kill()
    host.answers.clear()
    server.start()
    assert len(queue(server)) == 1
    server.command("queue", "retry")
    wait_for(lambda: host.taken)
    wait_for(lambda: not queue(server))
    assert len(host.taken) == 1
