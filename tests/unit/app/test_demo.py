"""The demonstration: plays once, runs again, stops cleanly, says which port is taken."""

import poplib
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from tests.running import Server


@pytest.fixture
def house(tmp_path):
    """A data directory with ports of its own, nobody in it, not started."""
    return Server(tmp_path / "demo", people=())


@contextmanager
def running(data):
    process = subprocess.Popen(
        [sys.executable, "-m", "posthouse", "demo", "--data", str(data)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def story(process):
    """What it prints until it is ready."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C stops" in line:
            return "".join(lines)
    raise AssertionError("".join(lines) + process.stderr.read())


def laptop_sees(house, text):
    (password,) = re.findall(r"alice@example.org +Laptop +(\S+)", text)
    pop = poplib.POP3_SSL("127.0.0.1", house.ports["pop3s"], timeout=20, context=house.tls())
    pop.user("alice@example.org")
    pop.pass_(password)
    heads = b"\n".join(b"\n".join(pop.top(n, 99)[1]) for n in range(1, pop.stat()[0] + 1))
    pop.quit()
    return heads.count(b"\nSubject: "), heads


def test_demo_shows_the_promises_twice_and_stops(house):
    with running(house.data) as process:
        text = story(process)
        assert "fetched 3 messages by POP3 and deleted every one; it sees 0 now" in text
        assert "Laptop still sees all 3: nothing vanished" in text
        assert "Sent Items (1)" in text
        assert f"POP3S {house.ports['pop3s']}" in text
        assert f"Exchange (ActiveSync), https {house.ports['https']}" in text
        assert str(house.data / "tls" / "ca.pem") in text
        assert "\x1b" not in text
        assert len(text.splitlines()) <= 30
        count, heads = laptop_sees(house, text)
        assert count == 3
        assert b"Re: Which coach?" in heads
        assert b'filename="departures.csv"' in heads
        process.send_signal(signal.SIGTERM)
        said, wrong = process.communicate(timeout=90)
        assert (process.returncode, wrong) == (0, "")
        assert "Stopped" in said
    with socket.socket() as probe:  # nobody is left behind
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", house.ports["pop3s"]))

    with running(house.data) as process:
        again = story(process)
        assert "runs again" in again
        assert "sees 0 messages; the Laptop sees 3; Bob's Sent Items hold 1" in again
        assert re.findall(r"Phone +(\S+)$", again, re.MULTILINE) == re.findall(
            r"Phone +(\S+)$", text, re.MULTILINE
        )
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_demo_says_which_port_is_taken(house):
    with socket.socket() as other:
        other.bind(("127.0.0.1", house.ports["submissions"]))
        other.listen()
        with running(house.data) as process:
            said, wrong = process.communicate(timeout=90)
    assert process.returncode == 1
    assert said == ""
    assert (
        f"listen.submissions: cannot listen on 127.0.0.1 port {house.ports['submissions']}" in wrong
    )
    assert "choose another port" in wrong
    assert str(house.data) in wrong


def test_demo_leaves_a_real_house_alone(house):
    house.add_user("dora")
    with running(house.data) as process:
        _, wrong = process.communicate(timeout=90)
    assert process.returncode == 1
    assert "has people of its own" in wrong
    assert "dora" in house.command("user", "list")
    assert "alice" not in house.command("user", "list")
