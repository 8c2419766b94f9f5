"""Measures ActiveSync beside SOGo, in turn, and prints the table for docs/dev/performance.md.

    python benchmarks/phones.py [--items 10000] [--peer-items 1000] [--pings 1000] [--no-peer]

Needs Debian's sogo, sogo-activesync, postgresql, memcached, dovecot-core, dovecot-lmtpd. The peer has the same mailbox, but is
stopped after its first items, since it needs half a minute for a thousand; the figures are per item. CPU is that of the server's whole process tree.
"""

from __future__ import annotations

import argparse
import imaplib
import smtplib
import socket
import statistics
import subprocess
import sys
import threading
import time
from base64 import b64encode

from house import House
from run import DOMAIN, KIT, WORK, Peers, corpus, kit, machine

sys.path.insert(0, str(KIT))
from wbxml import PG, decode, encode, text

USERS = 50
CHANGES = "2"
"""Ping's status when something has changed."""
PATH = "/SOGo/Microsoft-Server-ActiveSync"
DOVECOT = 31_500
SOGO = 31_600


def wake_ms(house: House, user: str, waiting: int) -> list[float]:
    """How long after SMTP's 250 each of the waiting requests of one person is answered."""
    answered: list[tuple[bytes, float]] = []
    devices = [_hung(house, user, f"wake{number}") for number in range(waiting)]
    readers = [
        threading.Thread(target=lambda s=sock: answered.append((s.recv(4096), time.monotonic())))
        for sock in devices
    ]
    for reader in readers:
        reader.start()
    time.sleep(1)
    with smtplib.SMTP("127.0.0.1", house.port("smtp")) as smtp:
        smtp.sendmail("a@example.net", f"{user}@{DOMAIN}", "From: a@example.net\n\nwake\n")
        told_at = time.monotonic()
    for reader in readers:
        reader.join(30)
    for sock in devices:
        sock.close()
    for said, _ in answered:
        status = text(decode(said.partition(b"\r\n\r\n")[2]), PG["Status"], "")
        if status != CHANGES:
            raise SystemExit(f"woken with status {status!r}")
    return [(at - told_at) * 1e3 for _, at in answered]


def _hung(house: House, user: str, device: str) -> socket.socket:
    """A connection with a Ping under way."""
    sock = socket.create_connection(("127.0.0.1", house.port("http")))
    folder = (PG["Folder"], (PG["Id"], "2"), (PG["Class"], "Email"))
    ask = (PG["Ping"], (PG["HeartbeatInterval"], "600"), (PG["Folders"], folder))
    body = encode(ask)
    login = b64encode(f"{user}:pw".encode()).decode()
    head = (
        f"POST /Microsoft-Server-ActiveSync?Cmd=Ping&User={user}&DeviceId={device}&DeviceType=b"
        f" HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\nMS-ASProtocolVersion: 14.1\r\n"
        f"Content-Type: application/vnd.ms-sync.wbxml\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    sock.sendall(head.encode() + body)
    return sock


def _people(house: House) -> None:
    for number in range(USERS):
        house.command("user", "add", f"u{number}@{DOMAIN}", "--password-stdin", given="pw\n")


def _ours(items: int) -> House:
    house = House(WORK / "phones", DOMAIN)
    settings = house.data / "posthouse.toml"
    text = settings.read_text().replace("#[activesync]", "[activesync]")
    settings.write_text(text.replace("#devices_per_person = 100", "devices_per_person = 100000"))
    _people(house)
    house.command("import", f"u1@{DOMAIN}", str(corpus(f"mix{items}", items, "mix")))
    house.command("import", f"u2@{DOMAIN}", str(corpus("mix300", 300, "mix")))
    house.start()
    time.sleep(15 + items / 250)  # the cards are made
    return house


def _sogo(items: int) -> tuple[dict[str, str], str]:
    """SOGo over Dovecot; a mark must have been set before it sees what IMAP brought."""
    dovecot = Peers._start("start_dovecot.sh", f"sdbox {DOVECOT} tuned")  # noqa: SLF001
    imap = dovecot["IMAP"]
    for user, count in (("u1", items), ("u2", 300)):
        kit("load.py", f"127.0.0.1:{imap} {user} pw {corpus(f'mix{count}', count, 'mix')} {count}")
        with imaplib.IMAP4("127.0.0.1", int(imap)) as box:
            box.login(user, "pw")
            box.enable("CONDSTORE")
            box.select("INBOX")
            box.store("1:20", "+FLAGS", r"(\Answered)")
    sogo = Peers._start("start_sogo.sh", f"{imap} {SOGO} 8")  # noqa: SLF001
    return sogo, f"{sogo['PIDS']},{dovecot['PID']}"


def _stop(sogo: dict[str, str], pids: str) -> None:
    for pid in pids.split(","):
        subprocess.run(["kill", pid], check=False)
    subprocess.run(["bash", str(KIT / "peers" / "stop.sh"), pids, sogo["DIR"]], check=False)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--peer-items", type=int, default=1_000)
    parser.add_argument("--pings", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-peer", action="store_true")
    asked = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    imaplib.Commands["ENABLE"] = ("AUTH", "SELECTED")
    house = _ours(asked.items)
    sogo, pids = ({}, "") if asked.no_peer else _sogo(asked.items)
    where = f"127.0.0.1:{house.port('http')}"
    rows: dict[str, tuple[list[float], list[float]]] = {}

    def note(name: str, ours: float, peer: float | None) -> None:
        mine, theirs = rows.setdefault(name, ([], []))
        mine.append(ours)
        if peer is not None:
            theirs.append(peer)

    for _ in range(asked.rounds):
        for what, user, loops in (("initial", "u1", ""), ("poll", "u2", "--loops 1000")):
            ours = kit("eas.py", f"{what} {where} {house.pid} {user} pw {loops}")
            peer = None
            if pids:
                loops = loops.replace("1000", "100") or f"--limit {asked.peer_items}"
                peer = kit(
                    "eas.py", f"{what} 127.0.0.1:{SOGO} {pids} {user} pw --path {PATH} {loops}"
                )
            note(f"{what}: CPU us", ours["cpu_us_per_op"], peer and peer["cpu_us_per_op"])
            if what == "initial":
                note("initial: items/s", ours["per_s"], peer and peer["per_s"])
    house.restart()
    time.sleep(5)
    ping = kit(
        "eas.py",
        f"ping {where} {house.pid} u%d pw --conns {asked.pings} --sharekeys 1 --idleonly --hb 600",
    )
    note("Ping: kB each", ping["kB_per_conn"], None)
    note("Ping: ended early", ping["ended_early"], None)
    woken = [ms for _ in range(asked.rounds) for ms in wake_ms(house, "u7", 20)]
    note("Ping: woken after, ms, median", statistics.median(woken), None)
    note("Ping: woken after, ms, longest", max(woken), None)
    house.stop()
    if pids:
        _stop(sogo, pids)
    print(machine())
    for name, (ours_, theirs) in rows.items():
        mine = statistics.median(ours_)
        line = f"| {name} | {mine:.1f} ({min(ours_):.1f}-{max(ours_):.1f}) |"
        if theirs:
            other = statistics.median(theirs)
            factor = mine / other if "items/s" in name else other / mine
            line += f" {other:.1f} ({min(theirs):.1f}-{max(theirs):.1f}) | {factor:.1f} |"
        print(line)


if __name__ == "__main__":
    main()
