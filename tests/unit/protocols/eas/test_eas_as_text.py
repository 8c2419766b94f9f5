from __future__ import annotations

import contextlib
import re
from xml.parsers import expat

import pytest
from eas_trees import trees
from hypothesis import given
from hypothesis import strategies as st

from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.as_text import element_from_text, text_from_element
from posthouse.protocols.eas.wire.element import Element

SEND_MAIL = """\
<SendMail xmlns="ComposeMail" xmlns:AirSyncBase="AirSyncBase">
  <ClientId>a &lt; b</ClientId>
  <SaveInSentItems/>
  <Mime>Subject: ä&#xD;
&#xD;
</Mime>
  <AirSyncBase:Data opaque="base64">/w==</AirSyncBase:Data>
  <AirSyncBase:Data opaque="text">x</AirSyncBase:Data>
</SendMail>
"""


def send_mail():
    root = Element("ComposeMail", "SendMail")
    root.add("ClientId", "a < b")
    root.add("SaveInSentItems")
    root.add("Mime", "Subject: ä\r\n\r\n".encode())
    root.add("AirSyncBase:Data", b"\xff")
    root.add("AirSyncBase:Data", b"x")
    return root


def test_looks_like_xml():
    assert text_from_element(send_mail()) == SEND_MAIL
    assert element_from_text(SEND_MAIL) == send_mail()


def test_by_hand():
    text = """<?xml version="1.0"?>
        <Sync xmlns="AirSync"><Collections>
          <Collection><SyncKey>0</SyncKey ><Supported xmlns="Email"><Subject/></Supported></Collection>
        </Collections>
        </Sync>
    """
    with pytest.raises(RemoteProtocolError, match="Email:Supported"):
        element_from_text(text)
    root = element_from_text(
        text.replace('Supported xmlns="Email"', 'Supported xmlns="AirSync"').replace(
            "<Subject/>", '<Subject xmlns="Email"/><Email:Read />'
        )
    )
    supported = root.find("Collections", "Collection", "Supported")
    assert [child.name for child in supported.children] == ["Email:Subject", "Email:Read"]


@given(trees)
def test_reading_undoes_writing(tree):
    assert element_from_text(text_from_element(tree)) == tree


@given(trees)
def test_it_is_xml(tree):
    text = text_from_element(tree)
    # What XML 1.0 cannot say at all is written as references that expat refuses.
    text = re.sub(r"&#x(?!D;)\w+;", "", text)
    names = []
    parser = expat.ParserCreate(namespace_separator=":")
    parser.StartElementHandler = lambda name, _attributes: names.append(name)
    parser.Parse(text, True)
    assert names[0] == tree.name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sync",
        "<Sync/>",
        "<AirSync:/>",
        '<Sync xmlns="AirSync:"/>',
        '<Sync xmlns="AirSync">',
        '<Sync xmlns="AirSync"/>x',
        '<Sync xmlns="AirSync"/><AirSync:Sync/>',
        '<Sync xmlns="AirSync" xmlns="AirSync"/>',
        '<Sync xmlns="AirSync" xmlns:Email="AirSync"/>',
        '<Sync xmlns="AirSync" id="1"/>',
        "<Sync xmlns='AirSync'/>",
        '<Sync xmlns="AirSync"></Collections>',
        '<Sync xmlns="AirSync">x<Status/></Sync>',
        '<Sync xmlns="AirSync"><Status/>x</Sync>',
        '<Sync xmlns="AirSync" opaque="text"><Status/></Sync>',
        '<Sync xmlns="AirSync" opaque="hex"/>',
        '<Sync xmlns="AirSync" opaque="base64">ä</Sync>',
        '<Sync xmlns="AirSync" opaque="base64">=</Sync>',
        '<Sync xmlns="AirSync">&nbsp;</Sync>',
        '<Sync xmlns="AirSync">& </Sync>',
        '<Sync xmlns="AirSync">&#0;</Sync>',
        '<Sync xmlns="AirSync">&#xD800;</Sync>',
        '<Sync xmlns="AirSync">&#x110000;</Sync>',
        '<Sync xmlns="AirSync">\0</Sync>',
        '<Sync xmlns="AirSync"><!-- x --></Sync>',
        '<!DOCTYPE x><Sync xmlns="AirSync"/>',
        '<Sync xmlns="AirSync"><![CDATA[x]]></Sync>',
        "<AirSync:Sync>" * 65,
    ],
)
def test_refusals(text):
    with pytest.raises(RemoteProtocolError) as e:
        element_from_text(text)
    assert e.value.reply_hint == "xml"


@given(st.text(alphabet='<>/&;#x" =:AirSyncStatu', max_size=60))
def test_any_text_is_read_or_refused(text):
    for lead in ("", '<Sync xmlns="AirSync"', '<Sync xmlns="AirSync">'):
        with contextlib.suppress(RemoteProtocolError):
            root = element_from_text(lead + text)
            assert element_from_text(text_from_element(root)) == root
