"""The tables against the facts gathered from five independent sources."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from posthouse.protocols.eas.wire.code_pages_table import (
    NAMES,
    NAMESPACES,
    OCTET_TAGS,
    TOKENS,
)

FACTS = Path(__file__).resolve().parents[5] / "shared" / "data" / "eas-codepages.json"


@pytest.mark.skipif(not FACTS.exists(), reason="the gathered facts are not beside the repository")
def test_tables_are_the_facts():
    pages = json.loads(FACTS.read_text("utf-8"))["pages"]
    assert [page["namespace"] for page in pages] == list(NAMESPACES)
    octet_tags = set()
    for page in pages:
        tokens = {fact["tag"]: int(token, 16) for token, fact in page["tokens"].items()}
        assert tokens == TOKENS[page["namespace"]]
        octet_tags |= {
            (page["namespace"], fact["tag"])
            for fact in page["tokens"].values()
            if fact.get("binary_value")
        }
    assert octet_tags == set(OCTET_TAGS)


def test_there_are_26_pages_and_654_tags():
    assert len(NAMESPACES) == 26
    assert len(NAMES) == 654


@pytest.mark.parametrize(
    ("name", "page", "token"),
    [
        ("AirSync:Sync", 0, 0x05),
        ("Email:ReplyTo", 2, 0x19),
        ("ComposeMail:Mime", 21, 0x10),
        ("ComposeMail:ForwardeeName", 21, 0x17),
        ("ComposeMail:ForwardeeEmail", 21, 0x18),
        ("RightsManagement:RemoveRightsManagementProtection", 24, 0x18),
        ("Settings:RightsManagementInformation", 18, 0x2B),
        ("Find:MaxPictures", 25, 0x20),
        ("Find:MaxSize", 25, 0x21),
        ("Find:Picture", 25, 0x22),
    ],
)
def test_what_sources_disagreed_on(name, page, token):
    namespace, tag = NAMES[name]
    assert NAMESPACES[page] == namespace
    assert TOKENS[namespace][tag] == token
