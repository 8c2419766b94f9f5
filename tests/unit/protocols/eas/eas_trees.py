"""Trees of elements for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from posthouse.protocols.eas.wire.code_pages_table import NAMES, OCTET_TAGS
from posthouse.protocols.eas.wire.element import Element

NAME_PAIRS = sorted(NAMES.values())
TEXT_PAIRS = [pair for pair in NAME_PAIRS if pair not in OCTET_TAGS]

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
octets = st.binary(max_size=300)
leaves = st.one_of(
    st.builds(lambda pair: Element(*pair), st.sampled_from(NAME_PAIRS)),
    st.builds(lambda pair, text: Element(*pair, text), st.sampled_from(TEXT_PAIRS), texts),
    st.builds(lambda pair, raw: Element(*pair, raw), st.sampled_from(NAME_PAIRS), octets),
)
trees = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda pair, children: Element(*pair, children),
        st.sampled_from(NAME_PAIRS),
        st.lists(inner, min_size=1, max_size=5),
    ),
    max_leaves=30,
)
