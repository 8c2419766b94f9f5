from __future__ import annotations

import base64
import contextlib
import struct
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.request_line import (
    COMMANDS,
    RequestHeaders,
    RequestLine,
    request_from_query,
)

NO_HEADERS = RequestHeaders()
DEVICE = "DeviceId=d1&DeviceType=t"


def packed(code=0, version=161, device=b"d1", key=b"", kind=b"t", *parameters, locale=0x0409):
    octets = struct.pack("<BBH", version, code, locale)
    octets += b"".join(bytes((len(field),)) + field for field in (device, key, kind))
    octets += b"".join(bytes((tag, len(value))) + value for tag, value in parameters)
    return base64.b64encode(octets).decode()


def hint(query, headers=NO_HEADERS):
    with pytest.raises(RemoteProtocolError) as e:
        request_from_query(query, headers)
    return e.value.reply_hint


def test_the_examples_of_the_document():
    plain = request_from_query(
        "Cmd=Sync&User=rmjones&DeviceId=v140Device&DeviceType=SmartPhone",
        RequestHeaders(version="14.0"),
    )
    assert plain == RequestLine("Sync", "v140Device", "SmartPhone", "rmjones", "14.0")
    assert request_from_query("jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l") == RequestLine(
        "Sync", "v140Device", "SmartPhone", version="14.0", locale=0x0409
    )


def test_plain_with_everything():
    query = (
        "Cmd=SmartReply&User=EXAMPLE%5Ca+b%40c.example&DeviceId=ABC&DeviceType=iPhone"
        "&CollectionId=5&ItemId=5%3A7&LongId=l&Occurrence=o&AttachmentName=n&SaveInSent=T&New=x"
    )
    headers = RequestHeaders("16.1", "4294967295", "T")
    assert request_from_query(query, headers) == RequestLine(
        command="SmartReply",
        device_id="ABC",
        device_type="iPhone",
        user="EXAMPLE\\a+b@c.example",
        version="16.1",
        policy_key=0xFFFF_FFFF,
        collection_id="5",
        item_id="5:7",
        long_id="l",
        occurrence="o",
        attachment_name="n",
        saves_in_sent=True,
        accepts_multipart=True,
    )


def test_base64_with_everything():
    query = packed(
        3, 141, b"ABC", struct.pack("<I", 0x1234_5678), b"iPhone",
        (0, b"n"), (1, b"5"), (3, b"5:7"), (4, b"l"), (6, b"o"), (7, b"\x03"), (8, b"alice"), (99, b"x"),
    )  # fmt: skip
    assert request_from_query(query, RequestHeaders("16.1", "1", "F")) == RequestLine(
        command="SmartReply",
        device_id="ABC",
        device_type="iPhone",
        user="alice",
        version="14.1",
        policy_key=0x1234_5678,
        locale=0x0409,
        collection_id="5",
        item_id="5:7",
        long_id="l",
        occurrence="o",
        attachment_name="n",
        saves_in_sent=True,
        accepts_multipart=True,
    )


@pytest.mark.parametrize(("code", "name"), COMMANDS.items())
def test_every_command_in_both_forms(code, name):
    assert request_from_query(packed(code)).command == name
    assert request_from_query(f"Cmd={name}&{DEVICE}").command == name


def test_options_one_by_one():
    for options, expected in ((0, (False, False)), (1, (True, False)), (2, (False, True))):
        line = request_from_query(packed(1, 161, b"d", b"", b"t", (7, bytes((options,)))))
        assert (line.saves_in_sent, line.accepts_multipart) == expected


def test_liberties():
    assert request_from_query(f"cmd=Ping&{DEVICE.lower()}").device_type == "t"
    assert request_from_query(f"Cmd=Ping&{DEVICE}&User=m%FCller").user == "müller"
    assert request_from_query(f"Cmd=GetHierarchy&{DEVICE}").command == "GetHierarchy"
    assert request_from_query("Cmd=Ping&DeviceId=d").device_type == ""
    guid = bytes(range(0xF0, 0x100))
    assert request_from_query(packed(0, 161, guid)).device_id == guid.hex()
    query = packed(0, 161, b"abcde")
    assert query.endswith("=")
    assert request_from_query(query.rstrip("=")) == request_from_query(query)
    assert request_from_query(quote(query, safe="")) == request_from_query(query)
    assert request_from_query(packed(), RequestHeaders(policy_key="7")).policy_key == 7


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "query"),
        ("=", "query"),
        ("&", "query"),
        ("Cmd=", "command"),
        (f"Cmd=&{DEVICE}", "command"),
        (DEVICE, "command"),
        (f"Cmd=sync&{DEVICE}", "command"),
        (f"Cmd=Sync&Cmd=Sync&{DEVICE}", "query"),
        (f"Cmd=Sync&cmd=Ping&{DEVICE}", "query"),
        (f"Cmd=Sync&{DEVICE}&x", "query"),
        (f"Cmd=Sync&{DEVICE}&", "query"),
        (f"Cmd=Sync&{DEVICE}&User=%", "query"),
        (f"Cmd=Sync&{DEVICE}&User=%4", "query"),
        (f"Cmd=Sync&{DEVICE}&User=%00", "query"),
        (f"Cmd=Sync&{DEVICE}&User=%0D%0Ax", "query"),
        (f"Cmd=Sync&{DEVICE}&User=%E2%80%AE", "query"),
        (f"Cmd=Sync&{DEVICE}&User=ä", "query"),
        (f"Cmd=Sync&{DEVICE}&SaveInSent=1", "query"),
        (f"Cmd=Sync&{DEVICE}" + "".join(f"&p{i}=" for i in range(30)), "query"),
        (f"Cmd=Sync&{DEVICE}&x=" + "x" * 8192, "query"),
        ("Cmd=Sync&DeviceType=t", "device"),
        ("Cmd=Sync&DeviceId=&DeviceType=t", "device"),
        ("Cmd=Sync&DeviceId=a,b&DeviceType=t", "device"),
        ("Cmd=Sync&DeviceId=..%2F..%2Fetc%2Fpass&DeviceType=t", "device"),
        ("Cmd=Sync&DeviceId=" + "d" * 65, "device"),
        ("Cmd=Sync&DeviceId=d&DeviceType=" + "t" * 65, "device"),
        ("/", "query"),
        ("====", "query"),
        ("AAAA", "query"),
        (packed(5), "command"),
        (packed(24), "command"),
        (packed(0, 161, b""), "device"),
        (packed(0, 161, b"a,b"), "device"),
        (packed(0, 161, b"d", b"abc"), "query"),
        (packed(0, 161, b"d", b"", b"t" * 65), "device"),
        (packed(0, 161, b"d", b"", b"t\n"), "query"),
        (packed(0, 161, b"d", b"", b"t", (7, b"")), "query"),
        (packed(0, 161, b"d", b"", b"t", (7, b"\1\1")), "query"),
        (packed(0, 161, b"d", b"", b"t", (1, b"5"), (1, b"5")), "query"),
        (packed(0, 161, b"d", b"", b"t", (1, b"\0")), "query"),
    ],
)
def test_refusals(query, expected):
    assert hint(query) == expected


@pytest.mark.parametrize(
    "headers",
    [
        RequestHeaders(version="x"),
        RequestHeaders(version="16.1, 14.1"),
        RequestHeaders(version="\u0661\u0666.\u0661"),
        RequestHeaders(policy_key="-1"),
        RequestHeaders(policy_key="4294967296"),
        RequestHeaders(policy_key="²"),
        RequestHeaders(accept_multipart="yes"),
    ],
)
def test_refused_headers(headers):
    assert hint(f"Cmd=Sync&{DEVICE}", headers) == "query"


def test_base64_cut_anywhere_but_at_a_parameter_is_refused():
    whole = base64.b64decode(packed(0, 161, b"dev", b"1234", b"t", (1, b"55"), (8, b"u")))
    good = {len(whole), len(whole) - 3, len(whole) - 7}
    for size in range(len(whole)):
        query = base64.b64encode(whole[:size]).decode()
        if size in good:
            assert request_from_query(query).command == "Sync"
        else:
            assert hint(query) == "query"


words = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x17F), max_size=20).filter(
    str.isprintable
)


@given(
    st.sampled_from(sorted(COMMANDS)),
    st.from_regex(r"[A-Za-z0-9._{}-]{1,64}", fullmatch=True),
    words,
    words,
    st.one_of(st.none(), st.integers(0, 0xFFFF_FFFF)),
)
def test_both_forms_say_the_same(code, device, kind, user, key):
    plain = request_from_query(
        f"Cmd={COMMANDS[code]}&User={quote(user, safe='')}&DeviceId={quote(device)}"
        f"&DeviceType={quote(kind, safe='')}&SaveInSent=T",
        RequestHeaders("16.1", "" if key is None else str(key)),
    )
    raw_key = b"" if key is None else struct.pack("<I", key)
    parameters = ((8, user.encode()), (7, b"\1"))
    query = packed(code, 161, device.encode(), raw_key, kind.encode(), *parameters)
    short = request_from_query(query)
    assert short.locale == 0x0409
    assert plain == RequestLine(
        **{f: getattr(short, f) for f in short.__struct_fields__ if f != "locale"}
    )


@given(st.binary(max_size=80))
def test_any_octets_are_read_or_refused(data):
    for query in (
        base64.b64encode(data).decode(),
        base64.b64encode(b"\xa1\0\x09\x04\1d\0\1t" + data).decode(),
        data.decode("latin-1"),
        f"Cmd=Sync&{DEVICE}&User=" + data.decode("latin-1"),
    ):
        with contextlib.suppress(RemoteProtocolError):
            request_from_query(query)
