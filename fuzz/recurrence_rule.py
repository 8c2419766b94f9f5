"""Invariant: any rule is refused, has no counterpart, or says after writing what it said before.

What is read can be expanded in any window, within the limits and in bounded time; the starts of
a window are ascending, lie in it, and are those of its halves.
Run: ``python fuzz/recurrence_rule.py 10000`` (inputs), or with files that were kept.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from driving import drive

from posthouse.formats.recurrence.expand import occurrences
from posthouse.formats.recurrence.rule_text import recurrence_from_rule, rule_from_recurrence
from posthouse.formats.zones.civil import at_from_local
from posthouse.model.errors import RemoteProtocolError, TooLarge

if TYPE_CHECKING:
    import random

    from posthouse.model.recurrence import Recurrence

SEEDS = [
    b"FREQ=DAILY;COUNT=10",
    b"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR;WKST=SU",
    b"FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1",
    b"FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20270101T080000Z",
    b"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    b"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1;UNTIL=99991231",
    b"FREQ=YEARLY;BYMONTH=3;BYDAY=2SU;INTERVAL=999999999",
    b"FREQ=DAILY;UNTIL=20111230T235960",
    b"RSCALE=GREGORIAN;FREQ=HOURLY;BYWEEKNO=1;BYYEARDAY=-366",
]
STARTS = [
    datetime.fromisoformat(text)
    for text in ("2011-12-29T09:00", "2024-02-29T02:30", "2026-03-29T00:00", "9999-12-31T23:59")
]
ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "Pacific/Apia", "Etc/GMT+12")]
YEAR_MS = 365 * 86_400_000
CPU_MAX_S = 1.0


def starts(
    recurrence: Recurrence, start: datetime, zone: ZoneInfo, window: tuple[int, int]
) -> list[int] | None:
    try:
        return occurrences(recurrence, start, zone, *window)
    except TooLarge:
        return None


def check_windows(recurrence: Recurrence, start: datetime, zone: ZoneInfo) -> None:
    begin = at_from_local(start, zone)
    for low, high in ((begin, begin + YEAR_MS), (begin + 900 * YEAR_MS, begin + 905 * YEAR_MS)):
        whole = starts(recurrence, start, zone, (low, high))
        middle = (low + high) // 2
        first = starts(recurrence, start, zone, (low, middle))
        second = starts(recurrence, start, zone, (middle, high))
        assert whole is not None
        assert first is not None
        assert second is not None
        assert whole == first + second == sorted(set(whole))
        assert all(low <= at < high for at in whole)
    starts(recurrence, start, zone, (-(1 << 60), 1 << 60))


def fuzz_one(data: bytes) -> None:
    """The first octet chooses start and zone."""
    begun = time.process_time()
    choice = data[0] if data else 0
    start, zone = STARTS[choice % len(STARTS)], ZONES[choice // len(STARTS) % len(ZONES)]
    try:
        recurrence = recurrence_from_rule(data[1:].decode("utf-8", "replace"), start, zone)
    except (RemoteProtocolError, TooLarge):
        return
    if recurrence is not None:
        again = recurrence_from_rule(rule_from_recurrence(recurrence), start, zone)
        assert again == recurrence
        check_windows(recurrence, start, zone)
    assert time.process_time() - begun < CPU_MAX_S


def mutated(dice: random.Random) -> bytes:
    """A seed, or parts of several, with octets changed, doubled or lost."""
    parts = [part for seed in dice.choices(SEEDS, k=2) for part in seed.split(b";")]
    whole = dice.random() < 0.3
    rule = (
        dice.choice(SEEDS) if whole else b";".join(dice.sample(parts, dice.randint(1, len(parts))))
    )
    data = bytearray([dice.randrange(256)]) + rule
    for _ in range(dice.randint(0, 3)):
        at = dice.randrange(len(data))
        match dice.randrange(3):
            case 0:
                data[at : at + 1] = bytes([dice.choice(b"0123456789-+,;=TZMOSUFR\xff")])
            case 1:
                data[at:at] = data[at : at + dice.randint(1, 30)] * dice.randint(1, 3)
            case _:
                del data[at : at + dice.randint(1, 3)]
    return bytes(data)


if __name__ == "__main__":
    drive(__doc__, fuzz_one, mutated)
