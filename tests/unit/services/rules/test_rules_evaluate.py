"""Rules and a message: what each condition sees, and what the rules come to together."""

from __future__ import annotations

from email.message import EmailMessage
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.mime.columns import columns_from_head
from posthouse.formats.mime.headers import header_block
from posthouse.model.appointment import Importance, Sensitivity
from posthouse.model.item import Flags
from posthouse.model.rule import Actions, Conditions, HeaderWords, Rule, Trait
from posthouse.services.rules.evaluate import Verdict, evaluate, holds
from posthouse.services.rules.facts import Facts

MINE = {"alice@example.org", "office@example.org"}
HEAD = (
    "From: Bob Builder <Bob@Example.NET>\r\n"
    "To: Alice <alice@example.org>, x@example.net\r\n"
    "Cc: Carol <carol@example.org>\r\n"
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from Rome\r\n"
    "Importance: high\r\n"
    "Sensitivity: Private\r\n"
    "Keywords: Work, Travel\r\n"
    "X-Message-Flag: Follow up\r\n"
    "List-Id: Builders <builders.lists.example.net>\r\n"
    "X-Odd: Zebra\r\n"
    "Content-Type: {kind}\r\n"
)


class Message:
    def __init__(self, body="The quick brown fox.\r\n", kind="text/plain", head=HEAD, at=1_000):
        text = head.replace("{kind}", kind) + "\r\n" + body
        self.plain = text.encode()
        self.at = at
        self.reads = 0

    def beginning(self):
        self.reads += 1
        return self.plain

    def facts(self):
        head = self.plain[: header_block(self.plain)]
        return Facts(
            head,
            columns_from_head(head),
            len(self.plain),
            self.at,
            is_mine=MINE.__contains__,
            beginning=self.beginning,
        )


def asks(**conditions):
    return Rule(name="rule", conditions=Conditions(**conditions))


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ({"from_addresses": ("x@y.z", "BOB@example.net")}, {"from_addresses": ("b@example.net",)}),
        ({"sender_contains": ("builder",)}, {"sender_contains": ("alice",)}),
        ({"sender_contains": ("@example.net>",)}, {"sender_contains": ("rome",)}),
        (
            {"sent_to_addresses": ("carol@example.org",)},
            {"sent_to_addresses": ("bob@example.net",)},
        ),
        ({"recipient_contains": ("ALICE",)}, {"recipient_contains": ("bob",)}),
        ({"subject_contains": ("none", "GRÜSSE FROM")}, {"subject_contains": ("fox",)}),
        ({"body_contains": ("QUICK",)}, {"body_contains": ("rome",)}),
        ({"subject_or_body_contains": ("rome",)}, {"subject_or_body_contains": ("zebra",)}),
        ({"subject_or_body_contains": ("fox",)}, {"subject_or_body_contains": ("paris",)}),
        (
            {"header_contains": (HeaderWords("x-ODD", ("zeb",)),)},
            {"header_contains": (HeaderWords("subject", ("zeb",)),)},
        ),
        (
            {"header_contains": (HeaderWords("", ("x-odd: z",)),)},
            {"header_contains": (HeaderWords("", ("x-even",)),)},
        ),
        ({"lists": ("builders.lists",)}, {"lists": ("painters",)}),
        ({"importances": (Importance.LOW, Importance.HIGH)}, {"importances": (Importance.LOW,)}),
        ({"sensitivities": (Sensitivity.PRIVATE,)}, {"sensitivities": (Sensitivity.NORMAL,)}),
        ({"item_classes": ("ipm.note",)}, {"item_classes": ("IPM.Note.SMIME",)}),
        ({"flagged_for": ("Follow Up",)}, {"flagged_for": ("Call",)}),
        ({"flagged_for": ("Any",)}, {"flagged_for": ("Read",)}),
        ({"categories": ("travel",)}, {"categories": ("home",)}),
        ({"traits": (Trait.MAILING_LIST,)}, {"traits": (Trait.SIGNED,)}),
        ({"is_sent_to_me": True}, {"is_not_sent_to_me": True}),
        ({"is_sent_to_or_cc_me": True}, {"is_sent_cc_me": True}),
        ({}, {"is_sent_only_to_me": True}),
        ({}, {"has_attachments": True}),
        ({"size_least": 10}, {"size_least": 10_000}),
        ({"size_most": 10_000}, {"size_most": 10}),
        ({"size_least": 10, "size_most": 10_000}, {"size_least": 9_999, "size_most": 10_000}),
        ({"received_from": 1_000}, {"received_from": 1_001}),
        ({"received_until": 1_000}, {"received_until": 999}),
    ],
)
def test_each_condition(yes, no):
    assert holds(asks(**yes), Message().facts())
    assert not holds(asks(**no), Message().facts())
    # As exceptions they say the opposite; asked together, all must hold.
    assert holds(Rule(name="r", exceptions=Conditions(**yes)), Message().facts()) == (not yes)
    assert holds(Rule(name="r", exceptions=Conditions(**no)), Message().facts())
    assert not holds(asks(**(yes | no)), Message().facts())


def test_one_exception_is_enough():
    unless = Conditions(subject_contains=("paris",), is_sent_to_me=True)
    assert not holds(Rule(name="r", exceptions=unless), Message().facts())
    unless = Conditions(traits=(Trait.SIGNED, Trait.MAILING_LIST))
    assert not holds(Rule(name="r", exceptions=unless), Message().facts())


@pytest.mark.parametrize(
    ("head", "only", "cc"),
    [
        ("To: office@example.org\r\n", True, False),
        ("To: office@example.org\r\nCc: x@y.z\r\n", False, False),
        ("To: alice@example.org, office@example.org\r\n", False, False),
        ("To: x@y.z\r\nCc: a@b.c\r\nCc: Alice <ALICE@example.org>\r\n", False, True),
        ("To: undisclosed:;\r\n", False, False),
        ("Subject: none\r\n", False, False),
    ],
)
def test_to_whom(head, only, cc):
    facts = Message(head=head).facts()
    assert holds(asks(is_sent_only_to_me=True), facts) == only
    assert holds(asks(is_sent_cc_me=True), facts) == cc


@pytest.mark.parametrize(
    ("kind", "trait"),
    [
        ("text/calendar; method=REQUEST", Trait.MEETING_REQUEST),
        ('text/calendar; charset=utf-8; method="reply"', Trait.MEETING_RESPONSE),
        ("text/calendar; method=CANCEL", Trait.MEETING_CANCELLATION),
        ("multipart/report; report-type=disposition-notification", Trait.READ_RECEIPT),
        ("multipart/report; report-type=delivery-status", Trait.NON_DELIVERY),
        ("multipart/signed; protocol=x", Trait.SIGNED),
        ("application/pkcs7-mime; smime-type=signed-data", Trait.SIGNED),
        ("application/pkcs7-mime; smime-type=enveloped-data", Trait.ENCRYPTED),
        ("multipart/encrypted", Trait.ENCRYPTED),
        ("text/plain\r\nAuto-Submitted: auto-replied (vacation)", Trait.AUTOMATIC_REPLY),
        ("text/plain\r\nAuto-Submitted: Auto-Replied; x=y", Trait.AUTOMATIC_REPLY),
        ("text/plain\r\nAutoforwarded: TRUE", Trait.AUTOMATIC_FORWARD),
        ("text/plain", None),
    ],
)
def test_traits_by_the_header(kind, trait):
    message = Message(kind=kind)
    found = {one for one in Trait if holds(asks(traits=(one,)), message.facts())}
    assert found == {Trait.MAILING_LIST} | ({trait} if trait else set())


def test_a_meeting_among_alternatives():
    mail = EmailMessage()
    mail["From"] = "bob@example.net"
    mail.set_content("Come to Rome")
    mail.add_alternative(b"BEGIN:VCALENDAR", "text", "calendar", params={"method": "REQUEST"})
    plain = mail.as_bytes().replace(b"\n", b"\r\n")
    message = Message()
    message.plain = plain
    assert holds(asks(traits=(Trait.MEETING_REQUEST,)), message.facts())
    assert not holds(asks(traits=(Trait.MEETING_RESPONSE,)), message.facts())


def test_bodies_are_read_only_when_somebody_asks():
    message = Message()
    facts = message.facts()
    rules = (
        asks(subject_contains=("paris",), body_contains=("fox",)),
        asks(traits=(Trait.SIGNED,)),
    )
    assert evaluate(rules, facts) == Verdict()
    assert message.reads == 0
    evaluate((asks(body_contains=("fox",)), asks(body_contains=("dog",))), facts)
    assert message.reads == 1


def test_texts_of_attachments_and_tags_are_no_body():
    mail = EmailMessage()
    mail.set_content("<p class='zebra'>visible</p>", subtype="html")
    mail.add_attachment("inner secret", filename="lion.txt")
    message = Message()
    message.plain = mail.as_bytes()
    assert holds(asks(body_contains=("visible",)), message.facts())
    for word in ("zebra", "secret", "lion"):
        assert not holds(asks(body_contains=(word,)), message.facts())


def test_words_are_found_across_lines():
    message = Message(body="The quick\r\n  brown fox\r\n")
    assert holds(asks(body_contains=("quick brown fox",)), message.facts())


def test_only_so_much_of_a_body_is_looked_at():
    far = Message(body="word " * 60_000 + "zebra\r\n")
    assert not holds(asks(body_contains=("zebra",)), far.facts())
    html = Message(body="<" * 600_000 + "<p>zebra", kind="text/html")
    assert not holds(asks(body_contains=("zebra",)), html.facts())


# --- together


def does(name, sequence=0, *, stops=False, **actions):
    return Rule(name=name, sequence=sequence, stops=stops, actions=Actions(**actions))


def test_rules_add_up_in_order():
    rules = (
        does("third", 3, move_to=6, copy_to=(7, 5), categories=("b", "a"), redirect_to=("r@x.y",)),
        does("first", 1, move_to=5, marks_read=True, categories=("a",), forward_to=("f@x.y",)),
        does("second", 2, importance=Importance.LOW, marks_flagged=True, reply="Hello"),
        does("asleep", 2, move_to=9),
    )
    asleep = rules[3]
    rules = (*rules[:3], Rule(name=asleep.name, is_enabled=False, actions=asleep.actions))
    assert evaluate(rules, Message().facts()) == Verdict(
        folder=5,
        copies=(6, 7),
        marks=Flags.SEEN | Flags.FLAGGED,
        categories=("a", "b"),
        importance=Importance.LOW,
        forwards=("f@x.y",),
        redirects=("r@x.y",),
        replies=("Hello",),
        fired=("first", "second", "third"),
    )


def test_a_rule_stops_the_later_ones_when_it_fires():
    stopping = does("one", 1, stops=True, marks_read=True)
    later = does("two", 2, move_to=5)
    assert evaluate((later, stopping), Message().facts()).fired == ("one",)
    missing = Rule(name="one", stops=True, conditions=Conditions(subject_contains=("paris",)))
    assert evaluate((missing, later), Message().facts()).folder == 5


def test_a_rule_is_done_whole_or_not_at_all():
    rules = (
        does("gone", 1, stops=True, move_to=5, marks_read=True),
        does("copies", 2, copy_to=(6, 5), reply="x"),
        Rule(name="odd", sequence=3, actions=Actions(marks_read=True, beyond={"burns": True})),
        Rule(name="far", sequence=4, conditions=Conditions(beyond={"moon": "full"})),
        does("fine", 5, move_to=6),
    )
    verdict = evaluate(rules, Message().facts(), frozenset({5}))
    assert verdict == Verdict(folder=6, fired=("fine",), skipped=("gone", "copies", "odd", "far"))


@pytest.mark.parametrize(
    ("rules", "folder", "deleted", "expunged"),
    [
        ((does("d", deletes=True),), None, True, False),
        ((does("p", deletes_permanently=True),), None, False, True),
        ((does("p", deletes_permanently=True), does("d", deletes=True)), None, True, False),
        ((does("d", deletes=True), does("m", 1, move_to=4)), 4, False, False),
        ((does("m", move_to=4), does("p", 1, deletes_permanently=True)), 4, False, False),
    ],
)
def test_what_is_kept_somewhere_is_not_deleted(rules, folder, deleted, expunged):
    verdict = evaluate(rules, Message().facts())
    assert (verdict.folder, verdict.is_deleted, verdict.is_expunged) == (folder, deleted, expunged)


def test_a_message_is_handed_on_to_twenty_at_most():
    rules = [
        does(str(n), n, redirect_to=tuple(f"a{n}.{m}@x.y" for m in range(8)), forward_to=("f@x.y",))
        for n in range(5)
    ]
    verdict = evaluate(rules, Message().facts())
    assert len(verdict.redirects) + len(verdict.forwards) == 20
    assert len(verdict.fired) == 5


# --- any message

_asks = st.lists(
    st.sampled_from(
        [
            Conditions(sender_contains=("a",)),
            Conditions(recipient_contains=("@",)),
            Conditions(body_contains=("b",)),
            Conditions(header_contains=(HeaderWords("", (":",)),)),
            Conditions(traits=(Trait.MEETING_REQUEST,)),
            Conditions(traits=(Trait.NON_DELIVERY,)),
            Conditions(is_sent_only_to_me=True),
            Conditions(is_sent_to_or_cc_me=True),
            Conditions(sensitivities=(Sensitivity.PRIVATE,)),
            Conditions(flagged_for=("any",), categories=("x",), lists=("y",)),
            Conditions(size_least=3, size_most=100),
        ]
    ),
    max_size=6,
)
_lines = st.lists(
    st.sampled_from(
        [
            b"From: a <",
            b"To: alice@example.org",
            b"\r\n",
            b"\n",
            b"Content-Type: multipart/mixed; boundary=x",
            b"--x",
            b"text/calendar; method=REQUEST",
            b"=?utf-8?b?",
            b"\x00\xff",
            b":",
            b" ",
        ]
    )
    | st.binary(max_size=10),
    max_size=30,
).map(b"".join)


@given(_lines, _asks, st.integers(0, 3))
def test_any_message_gives_a_verdict(plain, asked, gone):
    facts = Facts(
        plain,
        columns_from_head(plain),
        len(plain),
        5,
        is_mine=MINE.__contains__,
        beginning=lambda: plain,
    )
    rules = [
        Rule(
            name=str(n),
            sequence=n,
            conditions=one,
            actions=Actions(move_to=n + 1, copy_to=(n + 2,)),
        )
        for n, one in enumerate(asked)
    ]
    verdict = evaluate(rules, facts, frozenset({gone}))
    assert set(verdict.fired) | set(verdict.skipped) <= {rule.name for rule in rules}
    assert all(int(a) < int(b) for a, b in pairwise(verdict.fired))
    assert gone not in verdict.folders
    assert verdict.folder not in verdict.copies
    assert len(set(verdict.folders)) == len(verdict.folders)
