"""init, ports, doctor, queue: what is said, printed and answered with which status."""

import json
import shutil
import socket

import pytest
from click.testing import CliRunner
from tests.running import free_ports

from posthouse.app import cli
from posthouse.app import config as configuration
from posthouse.app.wiring import House, open_house
from posthouse.backends.memory.resolver import TableResolver
from posthouse.formats.mime.dots import stuff
from posthouse.model.batch import Commit
from posthouse.model.blob import BlobForm
from posthouse.model.errors import ConfigurationError, NotFound
from posthouse.model.queue import NewQueued, QueuedRecipient, RecipientState


def run(*words, status=0):
    # color: so that what would play tricks on a terminal is seen here
    done = CliRunner().invoke(cli.posthouse, [str(word) for word in words], color=True)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.output
    return done.output


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    data = tmp_path_factory.mktemp("template") / "data"
    run("init", "--data", data, "--domain", "Example.ORG")
    ports = "\n".join(
        f'{door} = "127.0.0.1:{port}"'
        for door, port in zip((*configuration.STANDARD_PORTS, "admin"), free_ports(8), strict=True)
    )
    path = data / "posthouse.toml"
    path.write_text(f"{path.read_text()}\n[listen]\n{ports}\n")
    return data


@pytest.fixture
def data(template, tmp_path):
    return shutil.copytree(template, tmp_path / "data")


# --- init


def test_init_says_what_it_made_and_what_is_next(tmp_path):
    data = tmp_path / "new" / "house"
    words = ("init", "--data", data, "--domain", "Example.ORG", "--profile", "public", "--json")
    assert json.loads(run(*words)) == {
        "data": str(data),
        "domain": "example.org",
        "hostname": "mail.example.org",
        "profile": "public",
    }
    assert data.stat().st_mode & 0o777 == 0o700
    for secret in ("posthouse.toml", "tls/server.key", "tls/ca.key"):
        assert (data / secret).stat().st_mode & 0o077 == 0
    assert configuration.load(data).listeners()["pop3s"] == (("0.0.0.0", 995), ("::", 995))
    with open_house(data) as house:
        assert list(house.directory.domains()) == ["example.org"]


def test_init_leaves_what_there_is_alone(data):
    before = (data / "tls" / "server.key").read_bytes()
    with pytest.raises(ConfigurationError, match="is there already"):
        run("init", "--data", data, "--domain", "example.net")
    assert (data / "tls" / "server.key").read_bytes() == before


def test_init_finishes_what_was_cut_short(data):
    (data / "posthouse.toml").unlink()
    authority = (data / "tls" / "ca.pem").read_bytes()
    assert "is ready for example.org" in run("init", "--data", data, "--domain", "example.org")
    assert (data / "tls" / "ca.pem").read_bytes() == authority


@pytest.mark.parametrize("domain", ["", "two words", "-x.org", "a..b", "x" * 300 + ".org"])
def test_init_refuses_what_is_no_domain(tmp_path, domain):
    with pytest.raises(ConfigurationError, match="give a name such as"):
        run("init", "--data", tmp_path / "data", "--domain", domain)
    assert not (tmp_path / "data").exists()


# --- ports


def test_ports(data):
    told = json.loads(run("ports", "--data", data, "--json"))
    assert list(told) == [
        "smtp",
        "submission",
        "submissions",
        "pop3",
        "pop3s",
        "http",
        "https",
        "admin",
    ]
    for door, (host, port) in told.items():
        assert host == "127.0.0.1"
        assert f"{door} " in run("ports", "--data", data)
        assert f"{host}:{port}" in run("ports", "--data", data)


def test_ports_of_no_house(tmp_path):
    with pytest.raises(ConfigurationError, match="posthouse init --data"):
        run("ports", "--data", tmp_path)


# --- doctor


@pytest.fixture
def answers(monkeypatch):
    """The name system of the doctor's next visit; any other use of the network is an error."""
    table = {}
    monkeypatch.setattr(House, "resolver", lambda _house: TableResolver(table))
    connect = socket.create_connection

    def only_here(address, **options):
        assert address[0] == "127.0.0.1"
        return connect(address, **options)

    monkeypatch.setattr(socket, "create_connection", only_here)
    return table


def visit(data, *words, status=0):
    told = json.loads(run("doctor", "--data", data, "--json", *words, status=status))
    grades = [finding["grade"] for finding in told["findings"]]
    assert told["problems"] == grades.count("problem")
    assert told["notices"] == grades.count("notice")
    return told["findings"]


def test_doctor_without_names_finds_a_new_house_sound(data, answers):
    findings = visit(data, "--no-dns")
    topics = {finding["topic"] for finding in findings}
    assert topics >= {"configuration", "data", "disk", "clock", "ports", "audit", "tls", "user"}
    assert not any(topic.startswith("dns") for topic in topics)
    reach = next(f for f in findings if f["topic"] == "reach")
    assert reach["grade"] == "notice"
    assert 'profile = "public"' in reach["paste"]


def test_doctor_asks_about_every_domain(data, answers):
    answers["mail.example.org"] = {"A": ("192.0.2.5",)}
    answers["example.org"] = {"MX": ("10 mail.example.org",), "TXT": ("v=spf1 mx -all",)}
    answers["5.2.0.192.in-addr.arpa"] = {"PTR": ("mail.example.org",)}
    assert visit(data)
    with open_house(data) as house:
        house.people.add_domain("example.net")
    wrong = [f["paste"] for f in visit(data, status=1) if f["grade"] == "problem"]
    assert wrong == [
        "example.net. MX 10 mail.example.org.",
        'example.net. TXT "v=spf1 mx -all"',
    ]


def test_doctor_prints_remedies_and_counts(data, answers):
    (data / "tls" / "server.key").chmod(0o644)
    said = run("doctor", "--data", data, "--no-dns", status=1)
    assert f"chmod 600 {data}/tls/server.key" in said
    assert "\n1 to mend, " in said


def test_doctor_minds_passwords_in_the_clear(data, answers, monkeypatch):
    path = data / "posthouse.toml"
    path.write_text("allow_plaintext_auth = true\n" + path.read_text())
    wanted = {"pop3": (("0.0.0.0", free_ports(1)[0]),)}
    monkeypatch.setattr(configuration.Config, "listeners", lambda _config: wanted)
    (finding,) = (f for f in visit(data, "--no-dns", status=1) if f["topic"] == "passwords")
    assert finding["grade"] == "problem"


def test_doctor_minds_a_changed_audit_log(data, answers):
    with (data / "log" / "audit.jsonl").open("ab") as log:
        log.write(b'{"prev":"0","at":"now","event":"made up"}\n')
    (finding,) = (f for f in visit(data, "--no-dns", status=1) if f["topic"] == "audit")
    assert "do not follow" in finding["what"]


def test_doctor_with_a_broken_configuration(data, answers):
    path = data / "posthouse.toml"
    path.write_text("hostnam = 'x'\n" + path.read_text())
    (finding,) = visit(data, status=1)
    assert "did you mean hostname?" in finding["what"]


# --- queue


@pytest.fixture
def queued(data):
    """Two messages in the queue: one that failed once and waits, one for two people."""
    wire, has_dots, _ = stuff(b"Subject: =?utf-8?q?caf=C3=A9?=\r\nMessage-ID: <1@x>\r\n\r\nhi\r\n")
    with open_house(data) as house:
        now = house.clock.now_ms()

        async def enqueue(*recipients):
            staged = house.store.blobs.stage_bytes(wire, BlobForm.WIRE, has_dot_lines=has_dots)
            message = NewQueued("alice@example.org", recipients, staged.ref, now)
            await house.store.apply(Commit((), (staged,), (message,)))

        late = now + 3_600_000
        house.run(
            enqueue(
                QueuedRecipient(
                    "bob@example.net",
                    attempts=1,
                    next_at=late,
                    last_reply="451 4.7.1 \x1b[31mcome back later",
                )
            )
        )
        house.run(
            enqueue(
                QueuedRecipient("carol@example.net", next_at=late),
                QueuedRecipient("dora@example.net", state=RecipientState.DELIVERED),
            )
        )
        return [entry.queue_id for entry in house.run(house.store.records.queued(0, 10))]


def test_queue_list(data, queued):
    told = json.loads(run("queue", "list", "--data", data, "--json"))
    assert [entry["id"] for entry in told] == queued
    assert [r["state"] for r in told[1]["recipients"]] == ["waiting", "delivered"]
    said = run("queue", "list", "--data", data)
    assert "bob@example.net" in said
    assert "come back later" in said
    assert "dora@example.net" not in said
    assert "\x1b" not in said


def test_queue_show(data, queued):
    told = json.loads(run("queue", "show", "--data", data, "--json", queued[0]))
    assert (told["subject"], told["message_id"]) == ("café", "1@x")
    said = run("queue", "show", "--data", data, queued[0])
    assert "to bob@example.net: waiting, 1 tries" in said
    assert "\x1b" not in said
    with pytest.raises(NotFound, match="queue list"):
        run("queue", "show", "--data", data, 99)


def test_queue_retry(data, queued):
    assert run("queue", "retry", "--data", data, queued[0]) == "1 made due now\n"
    with open_house(data) as house:
        due = house.run(house.store.records.lease_queued(house.clock.now_ms(), 1, 10))
        assert [entry.queue_id for entry in due] == queued[:1]
    told = json.loads(run("queue", "retry", "--data", data, "--json"))
    assert told == {"retried": 2}
    with pytest.raises(NotFound):
        run("queue", "retry", "--data", data, 99)


def test_queue_drop(data, queued):
    assert run("queue", "drop", "--data", data, queued[0]) == f"dropped {queued[0]}\n"
    (left,) = json.loads(run("queue", "list", "--data", data, "--json"))
    assert left["id"] == queued[1]
    assert '"queue-dropped"' in (data / "log" / "audit.jsonl").read_text()
    with pytest.raises(NotFound):
        run("queue", "drop", "--data", data, queued[0])


def test_every_command_has_help_and_json():
    for name in cli.COMMANDS:
        assert "--data" in run(name, "--help") or "Commands:" in run(name, "--help")
