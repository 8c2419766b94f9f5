"""Recurrences of every kind, for property tests."""

from hypothesis import strategies as st
from msgspec.structs import replace

from posthouse.formats.recurrence.pattern import COUNTED_DAYS, UNTIL_AT_MAX
from posthouse.model.recurrence import LAST, Frequency, Recurrence, Weekdays

INTERVAL = st.integers(1, 400)
ENDS = st.one_of(
    st.just((0, 0)),
    st.tuples(st.integers(1, 10_000), st.just(0)),
    st.tuples(st.just(0), st.integers(1, UNTIL_AT_MAX // 1000).map(lambda second: second * 1000)),
)
NTH = st.integers(1, LAST)
MONTH = st.integers(1, 12)
DAY = st.integers(1, 31)
COUNTED = st.sampled_from(sorted(COUNTED_DAYS))
MARKS = st.integers(1, 127).map(Weekdays)


PATTERNS = st.one_of(
    st.builds(Recurrence, st.just(Frequency.DAILY), INTERVAL),
    st.builds(
        Recurrence, st.just(Frequency.WEEKLY), INTERVAL, MARKS, first_weekday=st.integers(0, 6)
    ),
    st.builds(Recurrence, st.just(Frequency.MONTHLY), INTERVAL, day=DAY),
    st.builds(Recurrence, st.just(Frequency.MONTHLY_NTH), INTERVAL, COUNTED, nth=NTH),
    st.builds(Recurrence, st.just(Frequency.YEARLY), INTERVAL, day=DAY, month=MONTH),
    st.builds(Recurrence, st.just(Frequency.YEARLY_NTH), INTERVAL, COUNTED, nth=NTH, month=MONTH),
)
RECURRENCES = st.builds(
    lambda pattern, ends: replace(pattern, count=ends[0], until_at=ends[1]), PATTERNS, ENDS
)
