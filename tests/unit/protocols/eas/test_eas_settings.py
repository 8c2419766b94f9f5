"""SETTINGS: replies while away, the device, the person."""

import asyncio
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.protocols.eas.eas_finding import ask
from tests.unit.protocols.eas.eas_items import texts
from tests.unit.protocols.eas.house import play

from posthouse.model.errors import Unavailable
from posthouse.model.out_of_office import Audience, OofState, OutOfOffice
from posthouse.protocols.eas.commands import settings
from posthouse.protocols.eas.wire.as_text import element_from_text
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.oof import changed_oof, oof_elements

TIMES = "<StartTime>2026-06-01T08:00:00.000Z</StartTime><EndTime>2026-06-05T08:00:00.000Z</EndTime>"


def message(whom, text=None, enabled="1", body_type="Text"):
    reply = "" if text is None else f"<ReplyMessage>{text}</ReplyMessage>"
    return (
        f"<OofMessage><AppliesTo{whom}/><Enabled>{enabled}</Enabled>{reply}"
        f"<BodyType>{body_type}</BodyType></OofMessage>"
    )


async def oof(house, inner):
    return (await ask(house, "Settings", f"<Oof>{inner}</Oof>")).child("Oof")


async def settled(house):
    return await house.services.out_of_offices.read(house.people["alice"].mailbox_id)


def test_replies_are_settled_and_told():
    async def scene(house):
        said = await oof(
            house,
            f"<Set><OofState>2</OofState>{TIMES}{message('Internal', 'In.')}"
            f"{message('ExternalKnown', 'Out.')}{message('ExternalUnknown', enabled='0')}</Set>",
        )
        assert said.text_of("Status") == "1"
        kept = await settled(house)
        assert (kept.state, kept.audience) == (OofState.SCHEDULED, Audience.KNOWN)
        assert (kept.internal, kept.external) == ("In.", "Out.")
        told = (await oof(house, "<Get><BodyType>Text</BodyType></Get>")).child("Get")
        assert told.text_of("OofState") == "2"
        assert told.text_of("StartTime") == "2026-06-01T08:00:00.000Z"
        rows = [
            (one.text_of("Enabled"), one.text_of("ReplyMessage")) for one in told.each("OofMessage")
        ]
        assert rows == [("1", "In."), ("1", "Out."), ("0", "Out.")]

    play(scene)


def test_off_again_keeps_the_texts():
    async def scene(house):
        await oof(house, f"<Set><OofState>1</OofState>{message('Internal', 'In.')}</Set>")
        await oof(house, "<Set><OofState>0</OofState></Set>")
        kept = await settled(house)
        assert (kept.state, kept.internal) == (OofState.DISABLED, "In.")

    play(scene)


def test_html_or_text():
    async def scene(house):
        html = message("Internal", "&lt;b&gt;In&lt;/b&gt; &amp;amp; out", body_type="HTML")
        await oof(house, f"<Set><OofState>1</OofState>{html}</Set>")
        assert (await settled(house)).is_internal_html
        told = await oof(house, "<Get><BodyType>TEXT</BodyType></Get>")
        assert told.find("Get", "OofMessage", "ReplyMessage").text.strip() == "In & out"
        told = await oof(house, "<Get><BodyType>HTML</BodyType></Get>")
        assert told.find("Get", "OofMessage", "ReplyMessage").text == "<b>In</b> &amp; out"

    play(scene)


@pytest.mark.parametrize(
    ("inner", "status"),
    [
        ("", "2"),
        ("<Get/><Set/>", "2"),
        ("<Set><OofState>3</OofState></Set>", "5"),
        ("<Set><OofState>on</OofState></Set>", "5"),
        ("<Set><OofState>2</OofState></Set>", "6"),
        ("<Set><StartTime>2026-06-01T08:00:00.000Z</StartTime></Set>", "6"),
        ("<Set><StartTime>soon</StartTime><EndTime>later</EndTime></Set>", "5"),
        (f"<Set>{message('Internal', 'x' * 32_001)}</Set>", "5"),
    ],
)
def test_what_cannot_be_settled(inner, status):
    async def scene(house):
        assert (await oof(house, inner)).text_of("Status") == status
        assert await settled(house) == OutOfOffice()

    play(scene)


@given(
    state=st.sampled_from(list(OofState)),
    audience=st.sampled_from(list(Audience)),
    internal=texts.map(str.strip),
    external=texts.map(str.strip).filter(bool),
)
def test_what_was_told_said_back_changes_nothing(state, audience, internal, external):
    known = OutOfOffice(
        state=state, start_at=1_000, end_at=2_000, audience=audience,
        internal=internal, external=external,
    )  # fmt: skip
    said = Element("Settings", "Set", oof_elements(known, "Text"))
    assert changed_oof(known, said) == known


@pytest.mark.parametrize(
    ("before", "known", "unknown", "after"),
    [
        (Audience.ALL, None, "0", Audience.KNOWN),
        (Audience.ALL, "0", "0", Audience.NONE),
        (Audience.NONE, "1", None, Audience.KNOWN),
        (Audience.NONE, None, "1", Audience.ALL),
        (Audience.KNOWN, "1", "1", Audience.ALL),
        (Audience.KNOWN, None, None, Audience.KNOWN),
    ],
)
def test_who_is_answered(before, known, unknown, after):
    parts = (("ExternalKnown", known), ("ExternalUnknown", unknown))
    inner = "".join(message(whom, "Out.", on) for whom, on in parts if on is not None)
    said = element_from_text(f'<Set xmlns="Settings">{inner}</Set>')
    assert changed_oof(OutOfOffice(audience=before), said).audience is after


def test_of_two_texts_for_others_that_for_strangers_counts():
    inner = message("ExternalKnown", "Friends.") + message("ExternalUnknown", "All.")
    said = element_from_text(f'<Set xmlns="Settings">{inner}</Set>')
    assert changed_oof(OutOfOffice(), said).external == "All."


def test_the_rest():
    async def scene(house):
        alice = house.people["alice"]
        house.directory.add_alias("al@example.org", alice.principal_id)
        answer = await ask(
            house,
            "Settings",
            "<DeviceInformation><Set><Model>M1</Model><OS>Home 1</OS></Set></DeviceInformation>"
            "<DevicePassword><Set><Password>x</Password></Set></DevicePassword>"
            "<UserInformation><Get/></UserInformation>"
            "<RightsManagementInformation><Get/></RightsManagementInformation>",
        )
        assert answer.text_of("Status") == "1"
        assert answer.find("DeviceInformation", "Status").text == "1"
        assert answer.find("DevicePassword", "Status").text == "7"
        assert answer.find("RightsManagementInformation", "Status").text == "168"
        account = answer.find("UserInformation", "Get", "Accounts", "Account")
        assert account.text_of("UserDisplayName") == "Alice"
        addresses = account.child("EmailAddresses")
        assert [one.text for one in addresses.each("SMTPAddress")] == [
            "alice@example.org",
            "al@example.org",
        ]
        assert addresses.text_of("PrimarySmtpAddress") == "alice@example.org"
        (phone,) = house.directory.partnerships(alice.principal_id)
        assert (phone.model, phone.os) == ("M1", "Home 1")

    play(scene)


def test_nothing_asked():
    async def scene(house):
        assert (await ask(house, "Settings", "")).text_of("Status") == "2"
        answer = await ask(house, "Settings", "<DeviceInformation/><UserInformation/>")
        assert answer.find("DeviceInformation", "Status").text == "2"
        assert answer.find("UserInformation", "Status").text == "2"

    play(scene)


def test_not_now():
    class Broken:
        async def read(self, _):
            raise Unavailable("no")

    call = SimpleNamespace(services=SimpleNamespace(out_of_offices=Broken()), mailbox_id=1)
    request = element_from_text('<Settings xmlns="Settings"><Oof><Get/></Oof></Settings>')
    answer = asyncio.run(settings.handle(call, request))
    assert answer.find("Oof", "Status").text == "4"
