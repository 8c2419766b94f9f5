"""Messages in any order, late and twice: the newest of the whole and of each occurrence count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.services.meetings.conftest import DAY, HOUR, NOW, START, meeting, person

from posthouse.formats.ical.itip import cancellation, reply, request
from posthouse.model.appointment import Organizer, Response
from posthouse.model.recurrence import Frequency, Recurrence
from posthouse.services.meetings.answers import answered
from posthouse.services.meetings.cancelling import cancelled
from posthouse.services.meetings.document import held_from_original, told_from_ical
from posthouse.services.meetings.incoming import About, Effect, Known, Nothing, requested
from posthouse.services.meetings.keeping import taken_at
from posthouse.services.meetings.outgoing import occurrence_document

BOB = frozenset({"bob@example.org"})
ALICE = frozenset({"alice@example.org"})
KEYS = tuple(START + n * DAY for n in (1, 2))
SERIES = meeting("bob", recurrence=Recurrence(Frequency.DAILY, count=9), location="as called")


class Calendar:
    """What a store would hold of one meeting."""

    def __init__(self):
        self.live, self.gone, self.count = {}, {}, 0

    def known(self):
        there = list(self.live.values())
        whole = [one for one in there if one.recurrence_at is None]
        return Known(
            whole[0] if whole else None,
            () if whole else tuple(one for one in there if one.recurrence_at is not None),
            tuple(self.gone.values()),
        )

    def hear(self, data, senders=ALICE, own=BOB):
        about = About(own, frozenset(senders))
        for told in told_from_ical(data):
            method = told.message.method
            if method == "REQUEST":
                found = requested(self.known(), told, about)
            elif method == "CANCEL":
                found = cancelled(self.known(), told, about)
            else:
                found = answered(self.known(), told, about)
            if isinstance(found, Nothing):
                continue
            for effect in [found] if isinstance(found, Effect) else found:
                self.take(effect)

    def take(self, effect):
        held = effect.held
        if held.item_id is None:
            self.count += 1
            held = replace(held, item_id=self.count)
        # As a store gives it back: read from its document.
        again = held_from_original(held.original, held.item_id)
        assert again.appointment == held.appointment
        assert again.revision == held.revision
        self.live.pop(held.item_id, None)
        (self.gone if effect.is_put_away else self.live)[held.item_id] = again
        for item_id in effect.folded:
            self.gone[item_id] = self.live.pop(item_id)

    def subject_at(self, key):
        """What is shown at an original start; None: nothing that takes place."""
        shown = []
        for held in self.live.values():
            one = held.appointment
            if held.recurrence_at is None:
                one = taken_at(one, key)
            elif held.recurrence_at != key:
                continue
            if one is not None and not one.is_cancelled:
                shown.append(one.subject)
        assert len(shown) <= 1
        return shown[0] if shown else None


@st.composite
def stories(draw, kinds, least=1):
    """Messages as (kind, revision, version), each revision once."""
    count = draw(st.integers(least, 6))
    stamps = draw(st.permutations(range(1, count + 1)))
    return [
        (draw(st.sampled_from(kinds)), (draw(st.integers(0, 3)), NOW + stamp * 1000), f"v{stamp}")
        for stamp in stamps
    ]


def heard(draw_order, story):
    """The messages in another order, some of them several times."""
    return draw_order.draw(
        st.permutations(story + draw_order.draw(st.lists(st.sampled_from(story), max_size=3)))
    )


def single(message):
    kind, (sequence, stamp), version = message
    moved = int(version[1:]) * HOUR
    one = meeting(
        subject=version, sequence=sequence, start_at=START + moved, end_at=START + moved + HOUR
    )
    return (cancellation if kind == "cancel" else request)(one, stamp)


@given(stories(["request", "cancel"]), st.data())
def test_of_one_meeting_the_newest_counts(story, data):
    calendar = Calendar()
    for message in heard(data, story):
        calendar.hear(single(message))
    kind, (sequence, _), version = max(story, key=lambda one: one[1])
    live = [one.appointment for one in calendar.live.values() if not one.appointment.is_cancelled]
    assert len(calendar.live) <= 1
    if kind == "cancel":
        assert live == []
        return
    (one,) = live
    assert (one.subject, one.sequence) == (version, sequence)
    assert one.start_at == START + int(version[1:]) * HOUR


def of_series(message):
    kind, (sequence, stamp), version = message
    what, _, number = kind.partition("-")
    make = cancellation if what == "cancel" else request
    if not number:
        return make(replace(SERIES, subject=version, sequence=sequence), stamp)
    one, data = occurrence_document(SERIES, b"", KEYS[int(number)])
    return make(replace(one, subject=version, sequence=sequence), stamp, data)


_KINDS = ["request", "cancel", "request-0", "cancel-0", "request-1", "cancel-1"]


@given(stories(_KINDS), st.data())
def test_of_a_series_the_newest_of_the_whole_and_of_each_occurrence_count(story, data):
    calendar = Calendar()
    for message in heard(data, story):
        calendar.hear(of_series(message))
    whole = [one for one in story if "-" not in one[0]]
    newest = max(whole, key=lambda one: one[1], default=None)
    for number, key in enumerate(KEYS):
        own = [one for one in story if one[0].endswith(f"-{number}")]
        meant = max([*own, *([newest] if newest else [])], key=lambda one: one[1], default=None)
        expected = meant[2] if meant and meant[0].startswith("request") else None
        assert calendar.subject_at(key) == expected
    other = calendar.subject_at(START + 3 * DAY)
    assert other == (newest[2] if newest and newest[0] == "request" else None)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["bob", "carol"]),
            st.sampled_from([Response.ACCEPTED, Response.TENTATIVE, Response.DECLINED]),
            st.integers(1, 50),
            st.sampled_from([None, 0, 1]),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda one: (one[0], one[2]),
    ),
    st.data(),
)
def test_of_answers_the_latest_counts(answers, data):
    calendar = Calendar()
    asked = (person("bob", response=Response.NONE), person("carol", response=Response.NONE))
    series = replace(SERIES, attendees=asked)
    calendar.take(Effect(held_from_original(request(series, NOW))))
    for name, response, second, number in heard(data, answers):
        meeting_, original = series, b""
        if number is not None:
            meeting_, original = occurrence_document(series, b"", KEYS[number])
        told = reply(
            meeting_, person(name, response=response), NOW + second * 1000, original or None
        )
        calendar.hear(told, {f"{name}@example.org"}, ALICE)
    (held,) = calendar.live.values()
    for name in ("bob", "carol"):
        for number, key in ((None, START), *enumerate(KEYS)):
            meant = [one for one in answers if one[0] == name and one[3] in (None, number)]
            expected = max(meant, key=lambda one: one[2])[1] if meant else Response.NONE
            taken = taken_at(held.appointment, key)
            said = {one.address: one.response for one in taken.attendees}
            assert said[f"{name}@example.org"] is expected


@given(stories(_KINDS, least=2), st.data())
def test_what_strangers_say_changes_nothing(story, data):
    calendar = Calendar()
    calendar.hear(of_series(("request", (1, NOW), "v0")))
    before = dict(calendar.live)
    for message in heard(data, story):
        calendar.hear(
            of_series(message), {"eve@example.net", "bob@example.org", "carol@example.org"}
        )
    assert calendar.live == before
    assert calendar.gone == {}


def test_a_stranger_cannot_cancel_what_comes_later():
    calendar = Calendar()
    calendar.hear(of_series(("cancel", (9, NOW + 9000), "v9")), {"eve@example.net"})
    calendar.hear(of_series(("request", (0, NOW), "v0")))
    assert calendar.subject_at(KEYS[0]) == "v0"


def test_a_stranger_who_knows_the_uid_makes_nothing_stale():
    calendar = Calendar()
    eves = replace(SERIES, organizer=Organizer("eve@example.net"), sequence=9)
    calendar.hear(cancellation(eves, NOW + 9000), {"eve@example.net"})
    one, data = occurrence_document(eves, b"", KEYS[0])
    calendar.hear(cancellation(replace(one, sequence=9), NOW + 10_000, data), {"eve@example.net"})
    assert len(calendar.gone) == 2
    calendar.hear(of_series(("request-1", (0, NOW), "v0")))
    calendar.hear(of_series(("request", (0, NOW), "v0")))
    assert [calendar.subject_at(key) for key in KEYS] == ["v0", "v0"]


def test_an_answer_of_another_or_to_an_old_version_or_of_nobody_asked():
    calendar = Calendar()
    asked = replace(SERIES, sequence=2)
    calendar.take(Effect(held_from_original(request(asked, NOW))))
    before = dict(calendar.live)
    yes = person("bob", response=Response.ACCEPTED)
    bob, eve = {"bob@example.org"}, {"eve@example.net"}
    calendar.hear(reply(asked, yes, NOW + 1000), eve, ALICE)
    calendar.hear(reply(replace(asked, sequence=1), yes, NOW + 1000), bob, ALICE)
    calendar.hear(
        reply(asked, person("eve", response=Response.ACCEPTED), NOW), {"eve@example.org"}, ALICE
    )
    # Carol is not the organizer: what she holds is not hers to count.
    calendar.hear(reply(asked, yes, NOW + 1000), bob, frozenset({"carol@example.org"}))
    assert calendar.live == before
    calendar.hear(reply(asked, yes, NOW + 1000), bob, ALICE)
    assert calendar.live != before


def test_a_service_that_invites_for_others_may_change_what_it_brought():
    calendar = Calendar()
    calendar.hear(single(("request", (0, NOW), "v1")), {"invites@service.example"})
    (held,) = calendar.live.values()
    assert held.brought_by == "invites@service.example"
    calendar.hear(single(("request", (1, NOW), "v2")), {"invites@service.example"})
    assert calendar.subject_at(START) == "v2"
    calendar.hear(single(("request", (2, NOW), "v3")), {"other@service.example"})
    assert calendar.subject_at(START) == "v2"


def test_who_passes_an_invitation_on_may_not_change_it():
    calendar = Calendar()
    asked = meeting("bob", "carol")
    calendar.hear(request(asked, NOW), {"carol@example.org"})
    calendar.hear(cancellation(replace(asked, sequence=1), NOW), {"carol@example.org"})
    (held,) = calendar.live.values()
    assert not held.appointment.is_cancelled


@pytest.mark.parametrize("organizer", [None, Organizer("bob@example.org")])
def test_an_invitation_by_nobody_or_by_oneself(organizer):
    calendar = Calendar()
    calendar.hear(request(replace(meeting(), organizer=organizer), NOW))
    assert calendar.live == {}
