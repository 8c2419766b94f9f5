"""Content lines of all three versions, and their limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.content_lines import folded
from posthouse.formats.vcard.lines import (
    Card,
    Form,
    NotVcard,
    VcardLimits,
    Version,
    line_from_bytes,
    line_from_parts,
    param_bytes,
    read_card,
    unfold,
)

CRLF = b"\r\n"
V30 = Form(Version.V30, CRLF)


def _whole(card: Card) -> bytes:
    return b"".join(line.raw for line in card.lines) + card.tail


def _card(body: bytes, version: bytes = b"3.0") -> Card:
    return read_card(b"BEGIN:VCARD\r\nVERSION:" + version + CRLF + body + b"END:VCARD\r\n")


@pytest.mark.parametrize(
    ("raw", "version", "group", "name", "params", "value"),
    [
        (b"FN:a:b\r\n", "3.0", "", "FN", [], b"a:b"),
        (b"item1.tel;type=work,fax:1\n", "3.0", "ITEM1", "TEL", [("TYPE", "work", "fax")], b"1"),
        (
            b'TEL;TYPE="a,b";X="c:d;e":1',
            "4.0",
            "",
            "TEL",
            [("TYPE", "a", "b"), ("X", "c:d;e")],
            b"1",
        ),
        (b"TEL;CELL;PREF:1", "2.1", "", "TEL", [("TYPE", "CELL"), ("TYPE", "PREF")], b"1"),
        (b"A;BASE64;URL:1", "2.1", "", "A", [("ENCODING", "BASE64"), ("VALUE", "URL")], b"1"),
        (b'N;X="^\'a^n^^^x":1', "4.0", "", "N", [("X", '"a\n^^x')], b"1"),
        (b"NO\r\n TE:a\r\n  b\r\n\tc\r\n", "3.0", "", "NOTE", [], b"a bc"),
        (b"NOTE:a\r\n b\r\n", "2.1", "", "NOTE", [], b"a b"),
        (b'NOTE;X="a:b', "3.0", "", "NOTE", [("",)], b"b"),
        (b"a.b.c.NOTE:1", "3.0", "A.B.C", "NOTE", [], b"1"),
        ("Grüße:1".encode(), "3.0", "", "", [], b""),
        (b"nothing\r\n", "3.0", "", "", [], b""),
        (b":1", "3.0", "", "", [], b""),
        (b"", "3.0", "", "", [], b""),
    ],
)
def test_line(
    raw: bytes, version: str, group: str, name: str, params: list[tuple[str, ...]], value: bytes
) -> None:
    line = line_from_bytes(raw, Version(version))
    assert (line.raw, line.group, line.name, line.value) == (raw, group, name, value)
    assert [(param.name, *param.values) for param in line.params] == params


def test_soft_breaks_end_at_the_end_of_the_card() -> None:
    card = _card(b"NOTE;ENCODING=QUOTED-PRINTABLE:a=\r\n b=\r\nFN:c\r\nTEL:1\r\n", b"2.1")
    assert [(line.name, line.value) for line in card.lines[2:4]] == [
        ("NOTE", b"a bFN:c"),
        ("TEL", b"1"),
    ]
    card = _card(b"NOTE;QUOTED-PRINTABLE:a=\r\n", b"2.1")
    assert [line.name for line in card.lines] == ["BEGIN", "VERSION", "NOTE", "END"]


def test_base64_need_not_be_indented() -> None:
    card = _card(b"PHOTO;ENCODING=BASE64:\r\nQUJD\r\nREVG\r\n\r\nFN:a\r\n", b"2.1")
    assert [line.name for line in card.lines] == ["BEGIN", "VERSION", "PHOTO", "FN", "END"]
    assert card.lines[2].value.split() == [b"QUJD", b"REVG"]


def test_first_card_of_several() -> None:
    data = b"junk\r\n\xef\xbb\xbfBegin:vCard\nVERSION:4.0\nFN:a\nEND:VCARD\nBEGIN:VCARD\nFN:b\n"
    card = read_card(data)
    assert card.form == Form(Version.V40, CRLF)
    assert [line.name for line in card.lines] == ["", "BEGIN", "VERSION", "FN", "END"]
    assert card.tail == b"BEGIN:VCARD\nFN:b\n"
    assert _whole(card) == data


def test_limits() -> None:
    body = b"FN:abcdef\r\nTEL;A=1;B=2:1\r\nX-A:1\r\n"
    data = b"BEGIN:VCARD\r\n" + body + b"END:VCARD\r\n"
    for limits, names in (
        (VcardLimits(lines_max=2), ["BEGIN", "FN"]),
        (VcardLimits(card_bytes_max=24), ["BEGIN", "FN"]),
        (VcardLimits(text_bytes_max=5), ["BEGIN", "", "TEL", "X-A", "END"]),
        (VcardLimits(params_max=1), ["BEGIN", "FN", "", "X-A", "END"]),
        (VcardLimits(head_bytes_max=5), ["BEGIN", "FN", "", "X-A", "END"]),
        (VcardLimits(line_bytes_max=13), ["BEGIN", "FN", "", "X-A", "END"]),
    ):
        card = read_card(data, limits)
        assert [line.name for line in card.lines] == names
        assert _whole(card) == data


@given(st.lists(st.sampled_from([*b'AEFNTQ;:="\\\r\n \t.,^\0\xc3\xff', 0])).map(bytes))
def test_any_bytes(body: bytes) -> None:
    card = _card(body)
    assert _whole(card) == b"BEGIN:VCARD\r\nVERSION:3.0\r\n" + body + b"END:VCARD\r\n"


@given(st.binary(max_size=200).filter(lambda data: b"VCARD" not in data.upper()))
def test_no_card(data: bytes) -> None:
    with pytest.raises(NotVcard):
        read_card(data)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=400))
def test_folding(text: str) -> None:
    raw = folded(text.encode(), CRLF)
    lines = raw.removesuffix(CRLF).split(CRLF)
    assert all(len(line) <= 75 for line in lines)
    assert "".join(line.decode()[n > 0 :] for n, line in enumerate(lines)) == text
    assert unfold(raw, Version.V30) == text.encode()


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=99))
def test_parameter_of_any_text(text: str) -> None:
    line = line_from_parts(b"EMAIL", [param_bytes("X-A", text)], b"a", V30)
    assert (line.param("X-A"), line.value) == (text, b"a")
