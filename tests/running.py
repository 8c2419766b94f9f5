"""A real server in a process tree of its own, for tests that drive it from outside."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from click.testing import CliRunner

from posthouse.app.cli import posthouse
from posthouse.app.wiring import open_house
from posthouse.model.people import PrincipalKind

PEOPLE = ("alice", "bob", "carol")
DOMAIN = "example.org"
PASSWORD = "wonderland"
DOORS = ("smtp", "submission", "submissions", "pop3", "pop3s", "lmtp", "http", "https", "admin")
START_S = 30
STOP_S = 30


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now (below the ephemeral range, so that no client takes them)."""
    found: list[int] = []
    port = 20_000 + (os.getpid() * 37) % 9_000
    while len(found) < count:
        port = port + 1 if port < 31_000 else 20_000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
    return found


def run_command(data: Path, *words: str, given: str = "", check: bool = True) -> str:
    """Run the command line, in this process since starting one takes longer than most commands.

    Returns:
        Its standard output.
    """
    done = CliRunner().invoke(posthouse, [*words, "--data", str(data)], input=given or None)
    if check and done.exit_code:
        raise AssertionError(f"{words}: {done.exit_code}\n{done.output}") from done.exception
    return done.stdout


def add_user(data: Path, address: str, password: str = PASSWORD) -> None:
    """A person."""
    words = ("user", "add", address, "--name", address.partition("@")[0], "--password-stdin")
    run_command(data, *words, given=password + "\n")


@cache
def _template(people: tuple[str, ...]) -> Path:
    """A data directory as the commands make it; made once and copied, since each takes half a second."""
    place = Path(tempfile.mkdtemp(prefix="posthouse-template-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    data = place / "data"
    run_command(data, "init", "--domain", DOMAIN, "--hostname", "mail.example.org")
    if people:
        with open_house(data) as house:
            for name in people:
                house.run(house.people.add(PrincipalKind.USER, f"{name}@{DOMAIN}", name, PASSWORD))
    return data


@dataclass
class Server:
    """One data directory and, while it runs, its supervisor."""

    data: Path
    settings: str = ""
    tables: dict[str, str] = field(default_factory=dict)
    people: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    workers: int = 1
    ports: dict[str, int] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    def __post_init__(self) -> None:
        self.ports = dict(zip(DOORS, free_ports(len(DOORS)), strict=True))
        shutil.copytree(_template(self.people), self.data)
        listen = "\n".join(f'{door} = ["127.0.0.1:{port}"]' for door, port in self.ports.items())
        path = self.data / "posthouse.toml"
        tables = "\n".join(f"[{name}]\n{body}" for name, body in self.tables.items())
        path.write_text(f"{self.settings}\n{path.read_text()}\n[listen]\n{listen}\n{tables}\n")

    def command(self, *words: str, given: str = "", check: bool = True) -> str:
        """Run the command line on this data directory; its standard output."""
        return run_command(self.data, *words, given=given, check=check)

    def add_user(self, name: str, password: str = PASSWORD) -> None:
        """A person of our domain."""
        add_user(self.data, f"{name}@{DOMAIN}", password)

    def add_device(self, name: str, label: str) -> str:
        """A device password."""
        out = self.command("device", "add", f"{name}@{DOMAIN}", "--label", label, "--json")
        password: str = json.loads(out)["password"]
        return password

    def start(self) -> float:
        """Start and wait until it is ready; the seconds that took."""
        begun = time.monotonic()
        log = (self.data / "server.log").open("a")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "posthouse",
                "serve",
                "--data",
                str(self.data),
                "--workers",
                str(self.workers),
            ],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **self.environment},
        )
        log.close()
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line or not json.loads(line)["ready"]:
            raise AssertionError(
                f"did not start: {line!r}\n{(self.data / 'server.log').read_text()[-4000:]}"
            )
        return time.monotonic() - begun

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the supervisor; the kernel ends its children."""
        if self.process:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait(STOP_S)
            if self.process.stdout:
                self.process.stdout.close()
            self.process = None

    def tls(self) -> ssl.SSLContext:
        """A client context that trusts the house's authority."""
        return ssl.create_default_context(cafile=str(self.data / "tls" / "ca.pem"))

    def log_lines(self) -> list[dict[str, object]]:
        """Everything it logged."""
        text = (self.data / "server.log").read_text()
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def bugs(self) -> list[dict[str, object]]:
        """Log lines that no client may ever cause."""
        return [
            line
            for line in self.log_lines()
            if line["level"] == "error" or str(line["event"]).endswith(".bug")
        ]

    def is_healthy(self) -> bool:
        """What the admin door says."""
        url = f"http://127.0.0.1:{self.ports['admin']}/health"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return bool(json.load(answer)["healthy"])
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return False

    def children(self) -> list[int]:
        """Process ids of workers and jobs."""
        assert self.process
        pid = self.process.pid
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def memory_kib(self) -> int:
        """What the children keep in memory of their own."""
        total = 0
        for pid in self.children():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(("Private_Dirty:", "Private_Clean:")):
                    total += int(line.split()[1])
        return total
