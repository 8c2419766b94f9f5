from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.html_text import cut_html, cut_text, html_from_text, readable_text

PIECES = (
    "<p> </p> <br> </div> <li> </a> <b > < &amp; &lt; &#8364; & ; \" ' = <!-- --> <style> </style> "
    "<pre> </pre> <blockquote> word Grüße € 😀 <![if> <script> <svg>"
)
MORE = [" ", "\r\n", "\r", "\x01", "\x02", '<a href="https://e.org/\'">', "<img alt='a>b'>"]
TAG_SOUP = st.lists(st.sampled_from([*PIECES.split(), *MORE]), max_size=60).map("".join)
BOMBS = (
    '<a> <!-- <pre> <p> </a> <blockquote>x <a_href=http://x>t &amp; <a_href=" ="x> =" <hr> <! '
    '<li> <td> x<br> &# &a <a_ <a_" <a_">"_ <pre_ <svg_ <script_ <_ <a_<!--_ <a_= _ =\'x> \n'
)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("one<br>two<BR/>three", "one\ntwo\nthree"),
        ("one<br><br>two", "one\n\ntwo"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<div>one</div><div><div>two</div></div>", "one\ntwo"),
        ("<h1>Head</h1>text", "Head\n\ntext"),
        ("<ul><li>one<li>two</li></ul>after", "- one\n- two\n\nafter"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><th>c</th></tr></table>", "a b\nc"),
        ("much   \r\n white\tspace", "much white space"),
        ("<b>a</b> <i>b</i>c", "a bc"),
        ("Gr&uuml;&szlig;e &lt;p&gt; &amp;amp; &#8364;", "Grüße <p> &amp; €"),
        ("a&nbsp;&nbsp;b<p>&nbsp;</p>c", "a  b\n\nc"),
        ('<a href="https://e.org/x">here</a>', "here <https://e.org/x>"),
        ("<a href='HTTPS://e.org/'>e.org</a>", "e.org"),
        ("<a href=mailto:x@e.org>write</a>", "write <x@e.org>"),
        ("<a href='mailto:x@e.org'>x@e.org</a>", "x@e.org"),
        ('<a href="javascript:x()">no</a> <a href="#top">up</a>', "no up"),
        ("<blockquote>a<br>b<blockquote>c</blockquote></blockquote>d", "> a\n> b\n>\n> > c\n\nd"),
        ("<pre>\nif x:\n    y</pre>z", "if x:\n    y\n\nz"),
        ("<head><title>T</title><style>p{}</style></head><body>b</body>", "b"),
        ("a<script>if (1<2) x('</p>')</script>b", "ab"),
        ("a<!-- <p>no</p> -->b<!-- rest", "ab"),
        ("a<![if !mso]>b<![endif]><?xml x?>c", "abc"),
        ('<img alt="a > b" src=x> 1 < 2 & <b title="1>2">x</b>', "[a > b] 1 < 2 & x"),
        ("<svg><text>no</text></svg>yes<math/>", "yes"),
        ("a<hr>b", "a\n---\nb"),
        ("<b title='1>2'>x</b>", "x"),
        ("cut in a <a href='http", "cut in a"),
        ("<p>a</p>\x01\x02b", "a\n\nb"),
        ("", ""),
    ],
)
def test_reading(source, text):
    assert readable_text(source) == text


def test_links_can_be_left_out():
    assert readable_text("<a href='https://e.org/'>x</a>", links=False) == "x"


@given(TAG_SOUP)
def test_whatever_it_is_there_are_lines(source):
    text = readable_text(source)
    assert len(text) <= 12 * len(source) + 10
    assert "\n\n\n" not in text
    assert text == text.strip("\n")
    assert not any(line.endswith(" ") for line in text.split("\n"))


@given(st.lists(st.sampled_from(["p", "div", "b", "td", "li", "span", "h2"]), max_size=20))
def test_no_tags_are_left(names):
    source = "".join(f"<{name} class='c'>word{i}</{name}>" for i, name in enumerate(names))
    text = readable_text(source)
    assert "<" not in text
    assert re.findall(r"word\d+", text) == [f"word{i}" for i in range(len(names))]


@pytest.mark.parametrize("unit", [bomb.replace("_", " ") for bomb in BOMBS.split(" ")])
@pytest.mark.parametrize("end", ["", ">", '="x>y"', "-->", "</pre>", "<!-- >"])
def test_bombs_take_linear_time(unit, end):
    source = unit * ((256 << 10) // len(unit)) + end
    begun = time.perf_counter()
    text = readable_text(source)
    cut_html(source.encode(), len(source) - 5)
    assert time.perf_counter() - begun < 3
    assert len(text) <= 12 * len(source)


def test_text_as_html():
    assert "a &lt;b&gt; &amp; c\n  d</div>" in html_from_text("a <b> & c\n  d")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t")))
def test_text_survives_as_html(text):
    begin, _, rest = html_from_text(text).partition("pre-wrap")
    inner = rest.removeprefix('">').removesuffix("</div></body></html>")
    assert begin.startswith("<html>")
    assert "<" not in inner
    assert readable_text(f"<pre>\n{inner}</pre>").split() == text.split()


@given(TAG_SOUP, st.integers(0, 200))
def test_text_is_cut_between_characters(source, size):
    whole = source.encode()
    kept = cut_text(whole, size)
    assert whole.startswith(kept)
    assert len(kept) <= size
    kept.decode()
    if len(kept) < len(whole):
        assert len(kept) > size - 5
        assert not (kept.endswith(b"\r") and whole[len(kept) :].startswith(b"\n"))


@given(TAG_SOUP, st.integers(0, 200))
def test_html_is_cut_like_text(source, size):
    whole = source.encode()
    kept = cut_html(whole, size)
    assert whole.startswith(kept)
    assert len(kept) <= size
    kept.decode()


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("abc<p class='x'>def", "abc"),
        ("abc<p>def", "abc<p>def"),
        ("abc<a title='1>2' href=x>d", "abc"),
        ("ab &amp; cd", "ab "),
        ("a < b and c", "a < b and c"),
        ("abc</p>", "abc"),
        ("abc<!-- no -->d", "abc"),
        ("Grüße<br>", "Grüße"),
        ("<a b='x <i", ""),
    ],
)
def test_html_is_not_cut_within_a_tag(source, kept):
    octets = source.encode()
    for size in range(len(kept.encode()), len(octets)):
        found = cut_html(octets, size).decode()
        assert source.startswith(found)
        last = found.rfind("<")
        if last >= 0 and found[last + 1 : last + 2] != " ":
            assert ">" in found[last:]
            assert found[last:].count("'") != 1
        assert not re.search(r"&#?\w*$", found)
    assert cut_html(octets, len(kept.encode())).decode() == kept
    assert cut_html(octets, len(octets)) == octets


def test_octets_that_are_no_text_are_cut_too():
    assert cut_text(b"\x80" * 10, 5) == b"\x80\x80"
    assert cut_text(b"abc", 0) == b""
