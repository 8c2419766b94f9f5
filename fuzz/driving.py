"""How a fuzz target is run: kept files, mutated seeds by count or time, or atheris in the lead."""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def drive(
    what: str | None, fuzz_one: Callable[[bytes], None], mutated: Callable[[random.Random], bytes]
) -> None:
    """Read the command line and run.

    Args:
        what: the target's own description.
        fuzz_one: checks the invariant; raises when it does not hold.
        mutated: makes the next input.
    """
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("what", nargs="*", help="a number of inputs, or files")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--atheris", action="store_true")
    chosen = parser.parse_args()
    if chosen.atheris:
        import atheris  # type: ignore[import-not-found]

        atheris.instrument_all()
        atheris.Setup(sys.argv[:1], fuzz_one)
        atheris.Fuzz()
    count = int(chosen.what[0]) if chosen.what and chosen.what[0].isdigit() else 0
    files = [] if count else [Path(name) for name in chosen.what]
    for path in files:
        fuzz_one(path.read_bytes())
    dice = random.Random(chosen.seed)
    until = time.monotonic() + chosen.seconds
    done = 0
    while not files and (done < count if count else time.monotonic() < until):
        data = mutated(dice)
        try:
            fuzz_one(data)
        except BaseException:
            print("failed on", data, file=sys.stderr)
            raise
        done += 1
