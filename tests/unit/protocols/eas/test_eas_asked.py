"""Rubbish in requests of Search, Find, ResolveRecipients and Settings is refused, nothing else."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.protocols.eas.eas_items import rubbish

from posthouse.model.errors import RemoteProtocolError
from posthouse.model.out_of_office import OutOfOffice
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.oof import changed_oof
from posthouse.protocols.eas.wire.recipients import recipients_asked
from posthouse.protocols.eas.wire.search import (
    find_query,
    page_asked,
    picture_wish,
    search_options,
    search_query,
)


def in_query(element):
    return Element("Search", "Store", [Element("Search", "Query", element.children)])


@given(rubbish("Search", "AirSync", "Email", "AirSyncBase"), st.booleans())
def test_search(data, is_nested):
    data = Element("Search", "And" if is_nested else "Options", data.children)
    outer = Element("Search", "Store", [data])
    for read, what in (
        (search_query, in_query(outer)),
        (search_query, in_query(data)),
        (page_asked, data),
        (picture_wish, data),
        (search_options, data),
    ):
        with contextlib.suppress(RemoteProtocolError):
            read(what)


@given(rubbish("Find", "AirSync"))
def test_find(data):
    for tag in ("Query", "Options"):
        inner = Element("Find", tag, data.children)
        with contextlib.suppress(RemoteProtocolError):
            find_query(Element("Find", "MailBoxSearchCriterion", [inner]))


@given(rubbish("ResolveRecipients"))
def test_resolve(data):
    name = Element("ResolveRecipients", "To", "x")
    options = Element("ResolveRecipients", "Options", data.children)
    for inner in ([name, options], data.children):
        with contextlib.suppress(RemoteProtocolError):
            recipients_asked(Element("ResolveRecipients", "ResolveRecipients", inner))


@given(rubbish("Settings"))
def test_oof(data):
    message = Element("Settings", "OofMessage", data.children)
    for inner in ([message], data.children):
        with contextlib.suppress(RemoteProtocolError):
            changed_oof(OutOfOffice(), Element("Settings", "Set", inner))
