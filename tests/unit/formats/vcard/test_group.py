"""Distribution lists through vCards."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from posthouse.formats.vcard.group import group_from_vcard, is_group, vcard_from_group
from posthouse.formats.vcard.lines import NotVcard
from posthouse.model.contact import DistributionList, Member

GOLDEN = Path("tests/golden/vcard")
APPLE = (GOLDEN / "group-apple.vcf").read_bytes()
V4 = (GOLDEN / "group-v4.vcf").read_bytes()
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
SOME = TEXT.filter(bool)
MEMBER = st.builds(Member, name=TEXT, address=SOME) | st.builds(Member, name=TEXT, uid=SOME)
GROUP = st.builds(DistributionList, TEXT, st.lists(MEMBER, max_size=5).map(tuple), TEXT)


def test_apple() -> None:
    assert is_group(APPLE)
    assert group_from_vcard(APPLE) == DistributionList(
        "Crew",
        (
            Member(uid="7B1C0A4E-0001-4E0A-9B7A-0123456789AB"),
            Member(uid="7B1C0A4E-0002-4E0A-9B7A-0123456789AB"),
        ),
        "7B1C0A4E-1000-4E0A-9B7A-0123456789AB",
    )


def test_version_4() -> None:
    assert is_group(V4)
    assert group_from_vcard(V4).members == (
        Member(address="ines@mail.example"),
        Member(uid="5f0b7e1c-0002-4d55-8c11-aabbccddeeff"),
        Member(address="jörg+club@example.org"),
    )


def test_contact_is_no_group() -> None:
    assert not is_group((GOLDEN / "ios.vcf").read_bytes())
    with pytest.raises(NotVcard):
        is_group(b"KIND:group\r\n")


def test_members_keep_their_lines() -> None:
    group = group_from_vcard(V4)
    ines, yuki, joerg = group.members
    new = Member("New, One", "new@example.org")
    changed = vcard_from_group(replace(group, members=(yuki, new, ines)), V4)
    assert changed == V4.replace(
        b"MEMBER;PREF=1:mailto:ines@mail.example\r\n"
        b"MEMBER;X-A=b:urn:uuid:5f0b7e1c-0002-4d55-8c11-aabbccddeeff\r\n",
        b"MEMBER;X-A=b:urn:uuid:5f0b7e1c-0002-4d55-8c11-aabbccddeeff\r\n"
        b'MEMBER;X-DISPLAY-NAME="New, One":mailto:new@example.org\r\n',
    ).replace(
        b"MEMBER:mailto:j%C3%B6rg+club@example.org?subject=hello\r\n",
        b"MEMBER;PREF=1:mailto:ines@mail.example\r\n",
    )
    assert joerg not in group_from_vcard(changed).members


def test_name_is_also_in_n() -> None:
    changed = vcard_from_group(replace(group_from_vcard(APPLE), name="Team; A"), APPLE)
    assert changed == APPLE.replace(b":Crew", b":Team\\; A")


@given(GROUP, GROUP, st.sampled_from([None, APPLE, V4]))
def test_groups_read_back(group: DistributionList, another: DistributionList, original) -> None:
    data = vcard_from_group(group, original)
    assert is_group(data)
    assert group_from_vcard(data) == group
    assert vcard_from_group(group, data) == data
    assert group_from_vcard(vcard_from_group(another, data)) == another
    if original is V4:
        assert b"MEMBER:xmpp:chidi@jabber.example\r\n" in data
