"""Measures Posthouse beside Dovecot and Postfix and writes docs/dev/performance.md.

    python benchmarks/run.py [--quick] [--only drain,poll,...] [--growth] [--no-peers]

Needs gcc, libssl-dev and Debian's dovecot-core, dovecot-lmtpd, postfix. Everything runs on loopback, in one
run, ours and the peer in turn (A B A B), and the figure is CPU per operation of the server's whole process tree.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import populate
from house import House

HERE = Path(__file__).resolve().parent
KIT = HERE / "kit"
WORK = HERE / ".work"
REPORT = HERE.parent / "docs" / "dev" / "performance.md"
DOMAIN = "example.test"


@dataclass(slots=True)
class Scenario:
    """One row of the table."""

    name: str
    what: str
    peer_name: str
    ours: str
    peer: str
    figure: str
    wanted: float
    rate: str = ""
    wanted_rate: float = 0.0
    unit: str = "us"
    rounds: int = 3
    spare: dict[str, object] = field(default_factory=dict)


def kit(script: str, arguments: str) -> dict[str, float]:
    """Run one script of the kit; its last JSON line."""
    command = [sys.executable, script, *arguments.split()]
    done = subprocess.run(
        command, cwd=KIT, stdout=subprocess.PIPE, check=True, text=True, timeout=900
    )
    return json.loads([line for line in done.stdout.splitlines() if line.startswith("{")][-1])


def build() -> None:
    """The generator and the corpora."""
    WORK.mkdir(exist_ok=True)
    if not (KIT / "mailgen").exists():
        subprocess.run(
            ["gcc", "-O2", "-pthread", "mailgen.c", "-o", "mailgen", "-lssl", "-lcrypto"],
            cwd=KIT,
            check=True,
        )
    for name, count, profile in (
        ("mix", 2000, "mix"),
        ("f4k", 4000, "fixed:4096"),
        ("f50k", 1500, "fixed:51200"),
        ("f5m", 40, "fixed:5242880"),
        ("f2k", 10_000, "fixed:2048"),
    ):
        corpus(name, count, profile)


def corpus(name: str, count: int, profile: str) -> Path:
    """A folder of messages, made once; every message differs."""
    where = WORK / name
    if not where.exists() or len(os.listdir(where)) < count:
        subprocess.run(
            [sys.executable, "corpus.py", str(where), str(count), "--profile", profile],
            cwd=KIT,
            check=True,
        )
    return where


class Peers:
    """Dovecot and Postfix, started and stopped."""

    def __init__(self) -> None:
        self.dovecot = self._start("start_dovecot.sh", "sdbox 21000 tuned")
        self.postfix = self._start("start_postfix.sh", "21005 22025")

    @staticmethod
    def _start(script: str, arguments: str) -> dict[str, str]:
        out = WORK / f"{script}.out"
        with out.open("w") as sink:
            subprocess.run(
                ["bash", str(KIT / "peers" / script), *arguments.split()],
                stdout=sink,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                check=True,
                start_new_session=True,
            )
        line = [x for x in out.read_text().splitlines() if x.startswith("NAME=")][-1]
        return dict(pair.split("=", 1) for pair in line.split())

    def restart_dovecot(self) -> None:
        """After many idle sessions its re-usable workers would make it look worse than it is."""
        self._stop(self.dovecot, keep=True)
        self.dovecot = {**self.dovecot, **self._again()}

    def _again(self) -> dict[str, str]:
        where = self.dovecot["DIR"]
        subprocess.run(
            ["/usr/sbin/dovecot", "-c", f"{where}/dovecot.conf"],
            check=True,
            stdin=subprocess.DEVNULL,
        )
        time.sleep(1)
        return {"PID": Path(f"{where}/run/master.pid").read_text().strip()}

    @staticmethod
    def _stop(peer: dict[str, str], *, keep: bool = False) -> None:
        words = [peer["PID"]] if keep else [peer["PID"], peer["DIR"]]
        subprocess.run(["bash", str(KIT / "peers" / "stop.sh"), *words], check=False)

    def stop(self) -> None:
        """End both."""
        self._stop(self.postfix)
        self._stop(self.dovecot)


def scenarios(house: House, peers: Peers | None, *, quick: bool) -> list[Scenario]:
    """The table of the figures to reach."""
    d = peers.dovecot if peers else {"POP3": "0", "POP3S": "0", "PID": "0"}
    p = peers.postfix if peers else {"SMTP": "0", "PID": "0"}
    few = 2 if quick else 3
    both = f"{p['PID']},{d['PID']}"

    def pop(verb: str, user: str, more: str, *, tls: bool = False) -> tuple[str, str]:
        flag = " --tls" if tls else ""
        ours = f"pop3.py {verb} 127.0.0.1:{house.port('pop3s' if tls else 'pop3')} {house.pid} {user} pw {more}{flag}"
        peer = f"pop3.py {verb} 127.0.0.1:{d['POP3S' if tls else 'POP3']} {d['PID']} {user} pw {more}{flag}"
        return ours, peer

    def smtp(where: str, messages: int, connections: int) -> tuple[str, str]:
        more = f"{WORK / where} --msgs {messages} --conns {connections} --users 10"
        ours = f"smtp.py ingest 127.0.0.1:{house.port('smtp')} {house.pid} {more} --pop3 127.0.0.1:{house.port('pop3')}"
        peer = f"smtp.py ingest 127.0.0.1:{p['SMTP']} {both} {more} --pop3 127.0.0.1:{d['POP3']}"
        return ours, peer

    cpu = "cpu_us_per_op"
    rows = [
        (
            "drain",
            "POP3 drain, realistic mix, 8 connections",
            pop("drain", "u20", "--conns 8 --loops 2"),
            cpu,
            4,
            "MB_s",
            2,
        ),
        (
            "drain-tls",
            "the same over TLS",
            pop("drain", "u20", "--conns 8 --loops 1", tls=True),
            cpu,
            5,
            "MB_s",
            3,
        ),
        (
            "poll",
            "POP3 poll over TLS, 10 000 messages, nothing new",
            pop("poll", "u21", "--conns 4 --loops 100", tls=True),
            cpu,
            15,
            "",
            0,
        ),
        (
            "poll-empty",
            "POP3 poll over TLS, empty mailbox",
            pop("poll", "u22", "--conns 4 --loops 300", tls=True),
            cpu,
            2,
            "",
            0,
        ),
        (
            "first",
            "first RETR in a mailbox of 100 000, warm",
            pop("first", "u23", ""),
            "first_retr_ms",
            155 / 8,
            "",
            0,
        ),
        (
            "idle",
            "idle POP3 connection, plain",
            pop("idle", "idle%d", "--conns 2000"),
            "kB_per_conn",
            534 / 4,
            "",
            0,
        ),
        (
            "idle-tls",
            "idle POP3 connection, TLS",
            pop("idle", "idle%d", "--conns 2000", tls=True),
            "kB_per_conn",
            615 / 16,
            "",
            0,
        ),
        (
            "smtp-4k-4",
            "SMTP 4 KB, 4 senders, durable and visible",
            smtp("f4k", 3000, 4),
            cpu,
            12,
            "visible_per_s",
            6,
        ),
        (
            "smtp-4k-32",
            "SMTP 4 KB, 32 senders",
            smtp("f4k", 4000, 32),
            cpu,
            20,
            "visible_per_s",
            12,
        ),
        ("smtp-50k-8", "SMTP 50 KB, 8 senders", smtp("f50k", 1500, 8), cpu, 14, "", 0),
        ("smtp-5m-4", "SMTP 5 MB, 4 senders", smtp("f5m", 40, 4), cpu, 3, "", 0),
    ]
    units = {"first": "ms", "idle": "kB", "idle-tls": "kB"}
    return [
        Scenario(
            name,
            what,
            "Postfix + Dovecot" if name.startswith("smtp") else "Dovecot",
            commands[0],
            commands[1],
            figure,
            wanted,
            rate,
            wanted_rate,
            units.get(name, "us"),
            1 if name.startswith("idle") else few,
        )
        for name, what, commands, figure, wanted, rate, wanted_rate in rows
    ]


@dataclass(slots=True)
class Row:
    """A scenario's outcome: every round's figure, ours and the peer's."""

    scenario: Scenario
    ours: list[float]
    peer: list[float]
    ours_rate: list[float]
    peer_rate: list[float]


def measure(scenario: Scenario, *, with_peer: bool) -> Row:
    """A B A B, rounds as the scenario says."""
    row = Row(scenario, [], [], [], [])
    for _ in range(scenario.rounds):
        for mine in (False, True):
            if not mine and not with_peer:
                continue
            script, _, arguments = (scenario.ours if mine else scenario.peer).partition(" ")
            got = kit(script, arguments)
            (row.ours if mine else row.peer).append(float(got[scenario.figure]))
            if scenario.rate:
                (row.ours_rate if mine else row.peer_rate).append(float(got[scenario.rate]))
    print(
        f"{scenario.name}: ours {row.ours} peer {row.peer} rates {row.ours_rate} {row.peer_rate}",
        flush=True,
    )
    return row


def _spread(values: list[float]) -> str:
    if not values:
        return "-"
    middle = statistics.median(values)
    digits = 0 if middle >= 100 else 1 if middle >= 10 else 2
    return f"{middle:,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"


def _ratio(above: list[float], below: list[float]) -> float:
    if not above or not below:
        return 0.0
    return statistics.median(above) / max(statistics.median(below), 1e-9)


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = [
        "| workload | unit | peer | Posthouse | times less | wanted | rate, peer -> ours | times | wanted |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        s = r.scenario
        ratio = _ratio(r.peer, r.ours)
        rate = f"{_spread(r.peer_rate)} -> {_spread(r.ours_rate)} {s.rate}" if s.rate else ""
        times = f"{_ratio(r.ours_rate, r.peer_rate):.1f}" if s.rate else ""
        wanted = f"{s.wanted_rate:g}" if s.rate else ""
        mark = "" if ratio >= s.wanted else " **below**"
        lines.append(
            f"| {s.what} ({s.peer_name}) | {s.unit} | {_spread(r.peer)} | {_spread(r.ours)} | {ratio:.1f}{mark} "
            f"| {s.wanted:.3g} | {rate} | {times} | {wanted} |"
        )
    return "\n".join(lines)


def growth(house: House, *, sizes: list[int], accounts: list[int]) -> str:
    """Cost per operation as mailboxes and accounts grow (ours alone)."""
    lines = [
        "| mailbox of | poll over TLS, us | first RETR, ms | RETR, us | delivery, us |",
        "|---|---|---|---|---|",
    ]
    for size in sizes:
        user = f"g{size}"
        populate.fill(house, user, size)
        tls = f"127.0.0.1:{house.port('pop3s')} {house.pid} {user} pw"
        plain = f"127.0.0.1:{house.port('pop3')} {house.pid} {user} pw"
        for _ in range(4):  # every worker has seen it
            kit("pop3.py", f"first {plain}")
        poll = kit("pop3.py", f"poll {tls} --conns 4 --loops {60 if size < 500_000 else 6} --tls")[
            "cpu_us_per_op"
        ]
        first = kit("pop3.py", f"first {plain}")["first_retr_ms"]
        retr = kit("pop3.py", f"drain {plain} --conns 4 --loops 1 --max 1000")["cpu_us_per_op"]
        into = kit(
            "smtp.py",
            f"ingest 127.0.0.1:{house.port('smtp')} {house.pid} {WORK / 'f4k'} --msgs 2000 --conns 4 --users 1 --rcpt {user}@{DOMAIN}",
        )["cpu_us_per_op"]
        lines.append(f"| {size:,} | {poll:,.0f} | {first:.2f} | {retr:.1f} | {into:,.0f} |")
        print(lines[-1], flush=True)
    lines += [
        "",
        "| accounts | poll over TLS, empty box, us | delivery to 10 of them, us |",
        "|---|---|---|",
    ]
    for count in accounts:
        populate.accounts(house, count)
        poll = kit(
            "pop3.py",
            f"poll 127.0.0.1:{house.port('pop3s')} {house.pid} u22 pw --conns 4 --loops 200 --tls",
        )
        into = kit(
            "smtp.py",
            f"ingest 127.0.0.1:{house.port('smtp')} {house.pid} {WORK / 'f4k'} --msgs 2000 --conns 4 --users 10",
        )
        lines.append(f"| {count:,} | {poll['cpu_us_per_op']:,.0f} | {into['cpu_us_per_op']:,.0f} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def machine() -> str:
    """What this was measured on."""
    model = next(
        (
            x.split(":")[1].strip()
            for x in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in x
        ),
        "",
    )
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, CPython {platform.python_version()}"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--growth", default="", help="sizes, e.g. 1000,10000,100000,1000000")
    parser.add_argument("--accounts", default="", help="counts, e.g. 10,1000,10000")
    parser.add_argument("--write", action="store_true", help="write docs/dev/performance.md")
    a = parser.parse_args()
    build()
    only = set(filter(None, a.only.split(",")))
    house = House(WORK / "house", DOMAIN)
    peers = None if a.no_peers else Peers()
    try:
        house.start()
        populate.standard(house, WORK, peers.dovecot if peers else None, KIT, only)
        rows = []
        table_rows = scenarios(house, peers, quick=a.quick)
        for scenario in table_rows:
            if only and scenario.name not in only:
                continue
            if scenario.name.startswith("idle"):
                before = str(house.pid)
                house.restart()  # memory freed earlier would hide the growth
                for later in table_rows:
                    later.ours = later.ours.replace(f" {before} ", f" {house.pid} ")
            rows.append(measure(scenario, with_peer=peers is not None))
            if scenario.name.startswith("idle") and peers:
                before = peers.dovecot["PID"]
                peers.restart_dovecot()
                for later in table_rows:
                    later.peer = later.peer.replace(before, peers.dovecot["PID"])
        text = table(rows) if rows else ""
        grown = ""
        if a.growth or a.accounts:
            house.restart()
            numbers = [[int(n) for n in x.split(",") if n] for x in (a.growth, a.accounts)]
            grown = growth(house, sizes=numbers[0], accounts=numbers[1])
        print(text, grown, sep="\n\n")
        (WORK / "last.json").write_text(
            json.dumps([[r.scenario.name, r.ours, r.peer, r.ours_rate, r.peer_rate] for r in rows])
        )
        (WORK / "last.md").write_text(f"Machine: {machine()}\n\n{text}\n\n{grown}\n")
        if a.write:
            write(text, grown)
    finally:
        house.stop()
        if peers:
            peers.stop()


def write(text: str, grown: str) -> None:
    """Replace the measured part of the report; the words around it stay."""
    begin, end = "<!-- measured: begin -->", "<!-- measured: end -->"
    old = REPORT.read_text() if REPORT.exists() else f"# Performance\n\n{begin}\n{end}\n"
    head, _, rest = old.partition(begin)
    _, _, tail = rest.partition(end)
    when = time.strftime("%Y-%m-%d", time.gmtime())
    body = f"\nMeasured {when} on {machine()}; medians, lowest and highest in brackets.\n\n{text}\n\n{grown}\n\n"
    REPORT.write_text(head + begin + body + end + tail)


if __name__ == "__main__":
    main()
