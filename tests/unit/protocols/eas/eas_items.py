"""Items for tests: what holds them, whether a schema takes them, and rubbish instead of them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import strategies as st
from lxml import etree

from posthouse.protocols.eas.wire.as_text import text_from_element
from posthouse.protocols.eas.wire.body import body_element, text_source
from posthouse.protocols.eas.wire.code_pages_table import TOKENS
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import BodyKind, BodyPreference, ViewOptions
from posthouse.protocols.eas.wire.wbxml import decode, encode

SCHEMA = Path(__file__).parents[5] / "shared" / "schemas" / "eas" / "loadable" / "driver.xsd"

kinds = st.sampled_from([BodyKind.PLAIN, BodyKind.HTML])
texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.just("\n"),
    max_size=40,
)
names = texts.map(str.strip).filter(bool)


def application_data(children: list[Element]) -> Element:
    """As a client would read it, or send it."""
    return Element("AirSync", "ApplicationData", children)


def plain_body(text: str, kind: str = "1") -> list[Element]:
    return [
        Element(
            "AirSyncBase",
            "Body",
            [Element("AirSyncBase", "Type", kind), Element("AirSyncBase", "Data", text)],
        )
    ]


def shown_body(kind: BodyKind, body: str, html: str = "") -> list[Element]:
    """As the server shows it, without the note of which form is its own."""
    return body_element(text_source(body, html), ViewOptions(bodies=(BodyPreference(kind),)))[:1]


def data(namespace: str, /, **texts: str) -> Element:
    """ApplicationData of a few elements of one namespace."""
    return application_data([Element(namespace, tag, text) for tag, text in texts.items()])


@lru_cache(maxsize=1)
def _schema() -> etree.XMLSchema:
    if not SCHEMA.is_file():
        pytest.skip("no schemas here")
    return etree.XMLSchema(etree.parse(SCHEMA))


def check_sync_answer(children: list[Element]) -> None:
    """See that a schema and WBXML take an answer that adds such an item."""
    add = [Element("AirSync", "ServerId", "5:7"), application_data(children)]
    collection = [
        Element("AirSync", "SyncKey", "1"),
        Element("AirSync", "CollectionId", "5"),
        Element("AirSync", "Status", "1"),
        Element("AirSync", "Commands", [Element("AirSync", "Add", add)]),
    ]
    answer = Element("AirSync", "Sync")
    answer.add("Collections").add("Collection", collection)
    assert decode(encode(answer)) == answer
    check(answer)


def check(answer: Element) -> None:
    tree = etree.fromstring(text_from_element(answer).encode())
    etree.strip_attributes(tree, "opaque")
    _schema().assertValid(tree)


def rubbish(*namespaces: str) -> st.SearchStrategy[Element]:
    """ApplicationData with the right tags and the wrong things in them."""
    pairs = [(namespace, tag) for namespace in namespaces for tag in TOKENS[namespace]]
    content = st.one_of(
        st.sampled_from(
            ["", "0", "1", "2", "3", "7", "-1", "1e3", "٣", "9" * 20, "IPM.Note", "QQ==", "QQ"]
        ),
        st.sampled_from(
            [
                "0001-01-01T00:00:00.000Z",
                "1604-02-29T11:59:00.000Z",
                "1970-01-01T00:00:59.000Z",
                "2026-11-24T15:00:00.000Z",
                "4500-12-31T23:00:00.000Z",
                "9999-12-31T23:59:59.999Z",
                "20261124T150000Z",
                "2026-02-30",
            ]
        ),
        texts,
        st.binary(max_size=20),
    )
    leaf = st.builds(lambda pair, inner: Element(*pair, inner), st.sampled_from(pairs), content)
    parent = st.builds(
        lambda pair, inner: Element(*pair, inner),
        st.sampled_from(pairs),
        st.lists(leaf, min_size=1, max_size=6),
    )
    return st.lists(leaf | leaf | parent, max_size=12).map(application_data)
