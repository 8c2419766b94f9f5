from __future__ import annotations

import importlib
import random
from pathlib import Path

FUZZ = Path(__file__).resolve().parents[4] / "fuzz"


def test_the_seeds_and_some_of_their_kin_hold_the_invariant(monkeypatch):
    monkeypatch.syspath_prepend(str(FUZZ))
    target = importlib.import_module("eas_wire")
    dice = random.Random(5)
    for seed in target.SEEDS:
        target.fuzz_one(seed)
    for _ in range(500):
        target.fuzz_one(target.mutated(dice))
