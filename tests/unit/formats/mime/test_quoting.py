"""Smart replies and forwards: the client's words whole, the original below them, nothing lost."""

import email
import email.policy
import time
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.mime.addresses import HeaderAddress
from posthouse.formats.mime.card import attachments
from posthouse.formats.mime.compose import NewAttachment, NewMessage, compose
from posthouse.formats.mime.compose_parts import with_crlf
from posthouse.formats.mime.dots import find_bare_eol
from posthouse.formats.mime.headers import all_of, fields, first
from posthouse.formats.mime.original import inner_html
from posthouse.formats.mime.quoting import How, with_original
from posthouse.formats.mime.structure import scan
from posthouse.formats.mime.text import TextLimits, decoded_body

ANN = HeaderAddress("Ann", "ann@example.net")
PICTURE = NewAttachment(
    name="p.png", content_type="image/png", content=b"\x89PNG", content_id="pic", is_inline=True
)
PDF = NewAttachment(name="plan.pdf", content_type="application/pdf", content=b"%PDF")


def original(**fields) -> bytes:
    known = {
        "from_": ANN,
        "to": (HeaderAddress("", "bob@example.org"),),
        "subject": "Grüße",
        "sent_at": 1_780_000_000_000,
        "message_id": "o@example.net",
        "references": ("root@example.net",),
    }
    return compose(NewMessage(**{**known, **fields}))


FULL = original(
    text="Erste Zeile\nZweite  Zeile\n",
    html='<html><head><style>p{display:none}</style></head><body class="a"><p>Erste <b>Zeile</b>'
    '<br>Zweite</p><img src="cid:pic"></body></html>',
    attachments=(PICTURE, PDF),
)


def draft(**fields) -> bytes:
    known = {"to": (ANN,), "subject": "RE: x", "headers": (("X-Client", "phone"),)}
    return compose(NewMessage(**{**known, **fields}))


def shape(part):
    return [part.content_type, [shape(child) for child in part.children]]


def texts(plain: bytes) -> dict[str, str]:
    limits = TextLimits(part_bytes_max=len(plain))
    found: dict[str, str] = {}
    for part in scan(plain).walk():
        if part.content_type.startswith("text/") and not part.disposition:
            raw = decoded_body(plain, part, limits)
            found.setdefault(part.content_type, raw.decode("utf-8", "replace"))
    return found


def reply(new: bytes, old: bytes = FULL, **more) -> bytes:
    return with_original(new, old, How.REPLY, **more)


def forward(new: bytes, old: bytes = FULL, **more) -> bytes:
    return with_original(new, old, How.FORWARD, **more)


def test_a_plain_reply():
    new = draft(text="Danke!\n")
    out = reply(new)
    assert texts(out)["text/plain"] == (
        "Danke!\r\n\r\n\r\n-----Original Message-----\r\n"
        "From: Ann <ann@example.net>\r\nSent: Thu, 28 May 2026 20:26:40 +0000\r\n"
        "To: bob@example.org\r\nSubject: Grüße\r\n\r\nErste Zeile\r\nZweite  Zeile\r\n\r\n"
    )
    assert shape(scan(out)) == ["text/plain", []]
    assert first(out, b"in-reply-to").strip() == b"<o@example.net>"
    assert first(out, b"references").split() == [b"<root@example.net>", b"<o@example.net>"]
    assert first(out, b"x-client").strip() == b"phone"
    assert [f for f in fields(out) if f.name in (b"to", b"subject")] == [
        f for f in fields(new) if f.name in (b"to", b"subject")
    ]
    assert len(all_of(out, b"mime-version")) == len(all_of(out, b"content-type")) == 1


def test_an_html_reply_keeps_the_pictures_it_shows_and_no_files():
    out = reply(draft(html="<html><body><p>Danke</p></body></html>"))
    html = texts(out)["text/html"]
    assert html.startswith("<html><body><p>Danke</p>\r\n<div><br></div>")
    assert html.endswith("</blockquote>\r\n</body></html>")
    assert "<b>From:</b> Ann &lt;ann@example.net&gt;<br>" in html
    assert '<p>Erste <b>Zeile</b><br>Zweite</p><img src="cid:pic">' in html
    assert html.count("<body") == html.count("<html") == 1
    assert "display:none" not in html
    assert shape(scan(out)) == ["multipart/related", [["text/html", []], ["image/png", []]]]
    assert first(out, b"mime-version").strip() == b"1.0"


def test_both_forms_get_the_original_in_their_own():
    out = reply(draft(text="Danke\n", html="<p>Danke</p>"))
    found = texts(out)
    assert "\r\nZweite  Zeile\r\n" in found["text/plain"]
    assert "<br>Zweite</p>" in found["text/html"]
    assert shape(scan(out)) == [
        "multipart/alternative",
        [["text/plain", []], ["multipart/related", [["text/html", []], ["image/png", []]]]],
    ]


def test_the_other_form_is_converted():
    only_html = original(html="<p>Eins &amp; zwei</p><div>drei<br>vier</div>")
    assert (
        "\r\nEins & zwei\r\n\r\ndrei\r\nvier\r\n"
        in texts(reply(draft(text="x"), only_html))["text/plain"]
    )
    only_text = original(text="a < b\n  c\n")
    assert (
        'pre-wrap">a &lt; b\r\n  c\r\n</div>'
        in texts(reply(draft(html="x"), only_text))["text/html"]
    )


def test_a_forward_brings_the_files_along():
    out = forward(draft(text="Siehe unten\n"))
    assert shape(scan(out)) == [
        "multipart/mixed",
        [["text/plain", []], ["image/png", []], ["application/pdf", []]],
    ]
    assert "plan.pdf" in [part.name for part in attachments(scan(out))]
    assert "Erste Zeile" in texts(out)["text/plain"]
    pdf = scan(out).children[2]
    assert decoded_body(out, pdf) == b"%PDF"
    assert pdf.name == "plan.pdf"
    assert email.message_from_bytes(out, policy=email.policy.compat32).defects == []


def test_a_forward_in_html_keeps_pictures_related():
    out = forward(draft(text="x", html="<p>x</p>"))
    assert shape(scan(out)) == [
        "multipart/mixed",
        [
            [
                "multipart/alternative",
                [
                    ["text/plain", []],
                    ["multipart/related", [["text/html", []], ["image/png", []]]],
                ],
            ],
            ["application/pdf", []],
        ],
    ]


def test_what_the_client_attached_itself_stays():
    own = NewAttachment(name="own.txt", content_type="text/plain", content=b"own")
    logo = NewAttachment(
        content_type="image/gif", content=b"GIF", content_id="logo", is_inline=True
    )
    new = draft(text="x", html='<img src="cid:logo">', attachments=(logo, own))
    out = forward(new)
    assert shape(scan(out)) == [
        "multipart/mixed",
        [
            [
                "multipart/alternative",
                [
                    ["text/plain", []],
                    [
                        "multipart/related",
                        [["text/html", []], ["image/gif", []], ["image/png", []]],
                    ],
                ],
            ],
            ["text/plain", []],
            ["application/pdf", []],
        ],
    ]
    parts = {part.name: part for part in scan(out).walk()}
    assert decoded_body(out, parts["own.txt"]) == b"own"


def test_an_enclosed_message_goes_along_as_it_is():
    inner = original(text="innermost", subject="In")
    enclosed = NewAttachment(name="i.eml", content_type="message/rfc822", content=inner)
    out = forward(draft(text="x"), original(text="y", attachments=(enclosed,)))
    part = scan(out).children[1]
    assert part.content_type == "message/rfc822"
    assert out[part.body_start : part.end] == inner


def test_further_texts_are_not_lost():
    old = with_crlf(
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: text/plain\n\n"
        b"two\n--b\nContent-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\n--b--\n"
    )
    out = forward(draft(text="x"), old)
    assert [p.content_type for p in scan(out).children] == [
        "text/plain", "text/plain", "text/calendar",
    ]  # fmt: skip
    assert "one" in texts(out)["text/plain"]
    assert "two" not in texts(out)["text/plain"]
    assert out.count(b"two") == 1


def test_a_client_that_put_the_original_in_itself():
    new = draft(text="mine\n")
    for how in How:
        out = with_original(new, FULL, how, replaces_mime=True)
        assert out.endswith(new)
        assert [field.name for field in fields(out)][:2] == [b"in-reply-to", b"references"]


def test_threading_that_the_client_wrote_stays():
    new = draft(text="x", in_reply_to="mine@x", references=("r@x", "mine@x"))
    out = reply(new)
    assert [one.strip() for one in all_of(out, b"in-reply-to")] == [b"<mine@x>"]
    assert [one.split() for one in all_of(out, b"references")] == [[b"<r@x>", b"<mine@x>"]]
    nameless = original(text="x", message_id="")
    assert first(reply(draft(text="x"), nameless), b"references") is None


SIGNED = (
    b"Message-ID: <s@x>\r\nSubject: secret: plan/1\r\nContent-Type: multipart/signed; boundary=s;"
    b' protocol="application/pkcs7-signature"\r\n\r\n--s\r\n\r\nsigned words\r\n--s\r\n'
    b"Content-Type: application/pkcs7-signature\r\n\r\nABC\r\n--s--\r\n"
)
SEALED = [
    b"Subject: x\r\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nQUJD\r\n",
    b"Subject: x\r\nContent-Type: multipart/encrypted; boundary=e\r\n\r\n--e\r\n\r\nx\r\n--e--\r\n",
    b"Subject: x\r\nContent-Type: multipart/mixed\r\n\r\nno boundary at all\r\n",
    b"Subject: x\r\nContent-Type: text/plain; charset=klingon\r\n\r\n\xfe\xff\r\n",
    b"Subject: too long\r\n\r\n" + b"words\r\n" * 400_000,
]


@pytest.mark.parametrize("old", SEALED, ids=lambda old: old[:40].decode())
def test_what_cannot_be_quoted_goes_along_whole(old):
    new = draft(text="x\n")
    assert reply(new, old) == new
    out = forward(new, old)
    assert shape(scan(out))[1][0] == ["text/plain", []]
    whole = scan(out).children[1]
    assert whole.content_type == "message/rfc822"
    assert out[whole.body_start : whole.end] == old
    assert texts(out)["text/plain"] == "x\r\n"


def test_hidden_recipients_of_a_sent_message_stay_hidden():
    bcc = (HeaderAddress("", "hidden@example.org"),)
    for old in (original(text="x", bcc=bcc), b"Bcc: hidden@example.org\r\n" + SIGNED):
        assert b"hidden" not in forward(draft(text="x"), old)
        assert b"hidden" not in reply(draft(text="x"), old)


def test_signed_mail_is_quoted_in_replies_and_forwarded_whole():
    assert "signed words" in texts(reply(draft(text="x"), SIGNED))["text/plain"]
    out = forward(draft(text="x"), SIGNED)
    whole = scan(out).children[1]
    assert out[whole.body_start : whole.end] == SIGNED
    assert whole.name == "secret  plan 1.eml"


def test_a_signed_draft_is_not_touched_inside():
    body = SIGNED[SIGNED.index(b"--s") :]
    assert SIGNED in reply(SIGNED, FULL)
    out = forward(SIGNED, FULL)
    assert body in out
    assert scan(out).children[0].content_type == "multipart/signed"
    assert scan(out).children[1].content_type == "message/rfc822"


def test_nothing_is_put_beside_an_encrypted_draft():
    for how in How:
        assert with_original(SEALED[0], FULL, how).endswith(SEALED[0])


@pytest.mark.parametrize(
    "new",
    [
        b"Content-Type: text/plain; charset=klingon\r\n\r\n\xfe\r\n",
        b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\xfe\xff\r\n",
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin\r\n",
        b"Content-Type: application/pdf\r\n\r\n%PDF\r\n",
    ],
)
def test_a_text_that_cannot_be_read_exactly_is_left_alone(new):
    assert reply(new).endswith(new)
    out = forward(new)
    own = scan(out).children[0]
    assert out[own.body_start : own.end] == new[new.index(b"\r\n\r\n") + 4 :]
    assert scan(out).children[1].content_type == "message/rfc822"


def test_charsets_of_the_client_become_utf8():
    new = 'Content-Type: text/plain; charset="iso-8859-1"; format=flowed\r\n\r\nGrüße \r\nda\r\n'
    out = reply(new.encode("iso-8859-1"), original(text=" eingerückt \n"))
    assert texts(out)["text/plain"].startswith("Grüße \r\nda\r\n\r\n\r\n-----Original")
    assert "\r\n  eingerückt\r\n" in texts(out)["text/plain"]
    assert scan(out).parameters == {"charset": "utf-8", "format": "flowed"}


def test_a_delimiter_in_the_original_ends_no_part_of_the_client():
    new = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n"
        b"<p>x</p>\r\n--b\r\nContent-Type: text/x-own\r\n\r\nown\r\n--b--\r\n"
    )
    inner = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nin\r\n--b--\r\n"
    old = original(
        html='--b--\n<img src="cid:pic">',
        attachments=(
            PICTURE,
            NewAttachment(content_type="message/rfc822", content=inner),
        ),
    )
    out = forward(new, old)
    assert shape(scan(out)) == [
        "multipart/mixed",
        [
            [
                "multipart/mixed",
                [["multipart/related", [["text/html", []], ["image/png", []]]], ["text/x-own", []]],
            ],
            ["message/rfc822", [["multipart/mixed", [["text/plain", []]]]]],
        ],
    ]


def test_drafts_without_an_end_or_with_bare_line_ends():
    new = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nmine"
    out = forward(new)
    assert find_bare_eol(out) == -1
    assert [p.content_type for p in scan(out).children] == [
        "text/plain", "image/png", "application/pdf",
    ]  # fmt: skip
    assert texts(out)["text/plain"].startswith("mine")


def test_a_binary_part_is_encoded_on_the_way():
    old = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nwords\r\n--b\r\n"
        b"Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\n\r\0\n\r\n--b--\r\n"
    )
    out = forward(draft(text="x"), old)
    assert decoded_body(out, scan(out).children[1]) == b"\n\r\0\n"


def test_pictures_of_the_same_name_do_not_replace_the_clients():
    own = NewAttachment(content_type="image/gif", content=b"OWN", content_id="pic", is_inline=True)
    out = forward(draft(html='<img src="cid:pic">', attachments=(own,)))
    root = scan(out)
    assert shape(root) == [
        "multipart/mixed",
        [
            ["multipart/related", [["text/html", []], ["image/gif", []]]],
            ["image/png", []],
            ["application/pdf", []],
        ],
    ]


def test_html_of_any_kind():
    assert inner_html("<BODY x>a</BODY></html>") == "a"
    assert inner_html("<html><head><title>t</title></head>a</html>") == "a"
    assert inner_html("<head>never ends") == ""
    assert inner_html("no tags < at all") == "no tags < at all"


PIECES = st.sampled_from(
    [
        *(b"--a", b"--b", b"--", b"\r\n", b"\n", b"\r\n\r\n", b"x", b";", b"\xff", b"\0"),
        *(b"Content-Type: ", b"text/html", b"text/plain", b"message/rfc822", b"</body>"),
        *(b"multipart/mixed; boundary=a", b"multipart/related; boundary=b", b"cid:x"),
        *(b"Content-Transfer-Encoding: base64", b"Content-ID: <x>", b"Message-ID: <m@x>"),
        *(b"Content-Disposition: attachment", b"; charset=utf-8", b"multipart/alternative"),
    ]
)
ANY = st.lists(PIECES, max_size=40).map(b"".join)


@given(ANY, ANY, st.sampled_from(How))
def test_any_bytes(new, old, how):
    out = with_original(new, old, how)
    if find_bare_eol(old) == -1:
        assert find_bare_eol(out) == -1
    assert with_original(new, old, how) == out


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)


@given(WORDS, WORDS | st.none(), WORDS, ANY, st.sampled_from(How))
def test_the_clients_words_and_files_are_always_whole(text, html, file, old, how):
    own = NewAttachment(name="own.bin", content=file.encode())
    new = draft(text=text, html=html, attachments=(own,))
    out = with_original(new, old, how)
    found = texts(out)
    assert found["text/plain"].startswith(text)
    if html is not None:
        assert found["text/html"].startswith(html)
    kept = next(part for part in scan(out).walk() if part.name == "own.bin")
    assert decoded_body(out, kept) == file.encode()


def test_a_message_of_the_standard_library():
    old = EmailMessage()
    old["Message-ID"] = "<std@x>"
    old["Subject"] = "Übersicht"
    old.set_content("Zeile eins\n")
    old.add_alternative("<p>Zeile eins</p>", subtype="html")
    old.add_attachment(b"abc", maintype="application", subtype="zip", filename="ä.zip")
    raw = old.as_bytes(policy=email.policy.SMTP)
    out = forward(draft(text="x"), raw)
    assert scan(out).children[1].name == "ä.zip"
    assert "Zeile eins" in texts(out)["text/plain"]


@pytest.mark.parametrize(
    "bomb", [b"<br", b"<body", b"</body", b"<head", b"<", b"cid:", b"&#", b"\r\n", b"<!--"]
)
def test_bombs_are_cheap(bomb):
    part = b"Content-ID: <%d>\r\n\r\nx\r\n--b\r\n"
    old = (
        b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n"
        + bomb * (1_500_000 // len(bomb))
        + b"\r\n--b\r\n"
        + b"".join(part % n for n in range(900))
    )
    begun = time.process_time()
    forward(draft(text="x", html="x"), old)
    assert time.process_time() - begun < 3
