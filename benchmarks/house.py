"""A Posthouse server of its own for the benchmarks, with the logging and the limits of a normal one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PORTS = {
    "smtp": 23025,
    "submission": 23587,
    "submissions": 23465,
    "pop3": 23110,
    "pop3s": 23995,
    "lmtp": 23024,
    "http": 23080,
    "https": 23443,
}


class House:
    """Start, stop, restart; ``pid`` is the supervisor's."""

    def __init__(self, data: Path, domain: str) -> None:
        self.data = data
        self.domain = domain
        self.pid = 0
        self._process: subprocess.Popen[str] | None = None
        shutil.rmtree(data, ignore_errors=True)
        self.command("init", "--domain", domain, "--hostname", "mail." + domain)
        listen = "\n".join(f'{door} = ["127.0.0.1:{port}"]' for door, port in PORTS.items())
        settings = data / "posthouse.toml"
        settings.write_text(
            f"allow_plaintext_auth = true\n{settings.read_text()}\n[listen]\n{listen}\n"
            'admin = ["127.0.0.1:23088"]\n[limits]\nspace_floor = "64 MiB"\n'
        )

    def command(self, *words: str, given: str = "") -> str:
        """Run ``posthouse`` with these words."""
        done = subprocess.run(
            [sys.executable, "-m", "posthouse", *words, "--data", str(self.data)],
            input=given,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def port(self, door: str) -> int:
        """Where a door listens."""
        return PORTS[door]

    def start(self) -> None:
        """Return when it says that it is ready."""
        log = (self.data / "benchmark.log").open("a")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "posthouse", "serve", "--data", str(self.data)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line.startswith("{") or not json.loads(line).get("ready"):
            raise SystemExit(f"did not start: {line} (see {log.name})")
        self.pid = self._process.pid

    def stop(self) -> None:
        """Ask it to drain, and wait."""
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._process = None

    def restart(self) -> None:
        """A fresh process tree on the same data."""
        self.stop()
        self.start()
