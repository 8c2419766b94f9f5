"""Prints which Python to make the environment with: the given one, or a faster one beside it.

    python3 tools/interpreter.py

Notes:
    Pythons built by hand are often built without profile-guided optimisation; a delivery then costs
    1.4 times the CPU. How one was built cannot be read off it reliably, so all of the same version
    are timed. Needs nothing but the standard library.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FASTER = 1.1
"""So much faster another one must be to be preferred."""
ROUNDS = 4
"""All are timed in turn, so often: other work on the machine slows now one, now another."""
PROBE = """
import os, sys, time, venv, ensurepip
class Box:
    __slots__ = ("value",)
    def __init__(self, value): self.value = value
    def add(self, more): return Box(self.value + more)
async def words(line, seen):
    for word in line.split():
        seen[word] = seen.get(word, 0) + line.find(word)
    return seen
def turn():
    box, seen = Box(0), {}
    for i in range(600):
        box = box.add(i & 7)
        try: words(b"MAIL FROM:<a@example.org> SIZE=%d" % box.value, seen).send(None)
        except StopIteration as stop: seen = stop.value
def took():
    began = time.perf_counter()
    turn()
    return time.perf_counter() - began
best = min(took() for _ in range(60))
print("%d.%d" % sys.version_info[:2], best, os.path.realpath(sys.executable))
"""


def probe(python: str) -> tuple[str, float, str] | None:
    """Version, seconds of a fixed piece of work, file; None: it cannot make an environment."""
    try:
        done = subprocess.run(
            [python, "-I", "-c", PROBE], capture_output=True, text=True, timeout=30, check=True
        )
        version, seconds, path = done.stdout.strip().split(" ", 2)
        return version, float(seconds), path
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def candidates(version: str) -> list[str]:
    """Other Pythons of this version on the PATH, each file once."""
    found: dict[Path, str] = {}
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        for name in (f"python{version}", "python3"):
            path = Path(folder) / name
            if path.is_file() and os.access(path, os.X_OK):
                found.setdefault(path.resolve(), str(path))
    return list(found.values())


def main() -> None:
    """Choose and print; when it is not the given one, why goes to stderr."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    mine = os.path.realpath(sys.executable)
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        for python in (sys.executable, *candidates(version)):
            timed = probe(python)
            if timed is not None and timed[0] == version:
                best[timed[2]] = min(timed[1], best.get(timed[2], timed[1]))
    if not best:
        raise SystemExit(f"{mine} cannot make an environment: install Debian's python3-venv")
    chosen = min(best, key=best.__getitem__)
    if mine in best and best[chosen] * FASTER > best[mine]:
        chosen = mine
    if chosen != mine:
        times = f"{best[mine] / best[chosen]:.1f} times as fast" if mine in best else "with venv"
        print(f"using {chosen}: {times}, compared with {mine}", file=sys.stderr)
    print(chosen)


if __name__ == "__main__":
    main()
