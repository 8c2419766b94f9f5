"""Values: text, structures, dates, pictures."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.vcard.lines import Form, Version, line_from_bytes
from posthouse.formats.vcard.values import (
    clean,
    components,
    date_from_line,
    day_from_date,
    escape,
    escape_part,
    escape_uri,
    escaped_text,
    list_value,
    listed,
    photo_from_line,
    split_parts,
    unescape,
    unescape_part,
    with_components,
    with_photo,
    with_text,
)
from posthouse.model.contact import Photo

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\\;,:\n="))
VERSION = st.sampled_from(Version)
ITEM = TEXT.map(str.strip).filter(bool)


@given(TEXT, VERSION)
def test_text_reads_back(text: str, version: Version) -> None:
    assert unescape(escape(text, version), version) == text
    assert unescape(escape_uri(text, version), version) == text
    assert unescape_part(escape_part(text, version), version) == text
    line = line_from_bytes(b"NOTE;X-A=b;CHARSET=latin1;ENCODING=QUOTED-PRINTABLE:=3D\r\n", version)
    written = with_text(line, escape(text, version), Form(version, b"\r\n"))
    assert unescape(escaped_text(written), version) == text
    assert written.param("X-A") == "b"


@given(st.lists(ITEM), VERSION)
def test_list_reads_back(items: list[str], version: Version) -> None:
    assert listed(list_value(items, version), version) == tuple(items)


@given(TEXT, st.lists(TEXT, min_size=1, max_size=5), VERSION)
def test_components_read_back(text: str, wanted: list[str], version: Version) -> None:
    parts = split_parts(text, ";")
    assert ";".join(parts) == text
    written = with_components(text, wanted, version)
    assert components(written, len(wanted), version) == wanted
    assert split_parts(written, ";")[len(wanted) :] == parts[len(wanted) :]


def test_split() -> None:
    assert split_parts("a\\;b;c\\\\;d\\", ";") == ["a\\;b", "c\\\\", "d\\"]
    assert split_parts("a;b;c", ";", 1) == ["a", "b;c"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"FN:Gr\xc3\xbc\xc3\x9fe", "Grüße"),
        (b"FN:Gr\xfc\xdfe", "Grüße"),
        (b"FN;CHARSET=iso-8859-5:\xbf\xe0", "Пр"),
        (b"FN;QUOTED-PRINTABLE:=C3=BC=0D=0Ab=ZZ", "ü\nb=ZZ"),
        (b"FN;ENCODING=b:w7w", "ü"),
        (b"FN:a\0b\x1b\xc2\x85c", "abc"),
    ],
)
def test_decoding(line: bytes, text: str) -> None:
    assert escaped_text(line_from_bytes(line, Version.V21)) == text


def test_clean() -> None:
    assert clean("a\r\nb\rc\td\0\x7f\ud800") == "a\nb\nc\td?"


@pytest.mark.parametrize(
    ("line", "date"),
    [
        (b"BDAY:19850412", "1985-04-12"),
        (b"BDAY: 1985-04-12 ", "1985-04-12"),
        (b"BDAY:1985-04-12T23:00:00Z", "1985-04-12"),
        (b"BDAY:19850412T230000-0500", "1985-04-12"),
        (b"BDAY:--0412", "1604-04-12"),
        (b"BDAY:--04-12", "1604-04-12"),
        (b"BDAY;X-APPLE-OMIT-YEAR=1900:1900-04-12", "1604-04-12"),
        (b"BDAY:1985-04", None),
        (b"BDAY:---12", None),
        (b"BDAY:1985", None),
        (b"BDAY:19850230", None),
        (b"BDAY:00000101", None),
        (b"BDAY;VALUE=text:circa 1800", None),
        ("BDAY:١٩٨٥٠٤١٢".encode(), None),
        (b"BDAY:", None),
    ],
)
def test_dates(line: bytes, date: str | None) -> None:
    assert date_from_line(line_from_bytes(line, Version.V30)) == date


def test_date_without_year() -> None:
    assert day_from_date("1604-02-29", Version.V40) == (b"--0229", False)
    assert day_from_date("1604-02-29", Version.V30) == (b"1604-02-29", True)


@pytest.mark.parametrize(
    ("line", "media_type"),
    [
        (b"PHOTO;ENCODING=b;TYPE=JPG:", "image/jpeg"),
        (b"PHOTO;ENCODING=B;TYPE=image/png:", "image/png"),
        (b"PHOTO;BASE64:", "image/gif"),
        (b"PHOTO:data:image/webp;base64,", "image/webp"),
        (b"PHOTO:data:image/webp\\;base64,", "image/webp"),
        (b"PHOTO:data:;base64,", "image/gif"),
        (b"PHOTO;VALUE=uri:http://example.com/", None),
        (b"PHOTO;ENCODING=b;TYPE=?:", "image/gif"),
    ],
)
def test_photos(line: bytes, media_type: str | None) -> None:
    data = b"GIF89a\0\xff"
    found = photo_from_line(line_from_bytes(line + base64.b64encode(data), Version.V30))
    assert found == (Photo(data, media_type) if media_type else None)


@pytest.mark.parametrize("value", [b"", b"****", b"data:,", b"data:image/png;base64,"])
def test_photo_of_nothing(value: bytes) -> None:
    assert photo_from_line(line_from_bytes(b"PHOTO;ENCODING=b:" + value, Version.V30)) is None


@given(st.binary(min_size=1, max_size=300), VERSION)
def test_photo_reads_back(data: bytes, version: Version) -> None:
    line = line_from_bytes(b"PHOTO;PREF=1;VALUE=uri;X-ABCROP-RECTANGLE=a:http://a\r\n", version)
    written = with_photo(line, Photo(data, "image/png"), Form(version, b"\r\n"))
    assert photo_from_line(written) == Photo(data, "image/png")
    assert [param.name for param in written.params if param.name.startswith(("P", "X"))] == ["PREF"]
