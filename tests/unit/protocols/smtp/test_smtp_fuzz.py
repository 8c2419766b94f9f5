from __future__ import annotations

import random

from fuzz.smtp_wire import SEEDS, check, mutated


def test_the_seeds_and_some_of_their_kin_hold_the_invariant():
    chance = random.Random(5)
    for seed in SEEDS:
        check(seed)
        for _ in range(60):
            check(mutated(chance, seed))
