"""Somebody else's codec reads what we write, and we read what it writes."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from posthouse.protocols.eas.wire.as_text import element_from_text, text_from_element
from posthouse.protocols.eas.wire.code_pages_table import OCTET_TAGS, TOKENS
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.wbxml import decode, encode

pytestmark = pytest.mark.skipif(
    not (shutil.which("wbxml2xml") and shutil.which("xml2wbxml")),
    reason="libwbxml2-utils is not installed",
)


def run(tool, data, *options):
    done = subprocess.run(
        [tool, *options, "-o", "-", "-"], input=data, capture_output=True, check=True
    )
    return done.stdout


def xml_of(root):
    """Our text as libwbxml wants it: namespaces end in a colon, and a document type comes first."""
    text = text_from_element(root)
    for namespace in TOKENS:
        text = text.replace(f'="{namespace}"', f'="{namespace}:"')
    doctype = '<!DOCTYPE ActiveSync PUBLIC "-//MICROSOFT//DTD ActiveSync//EN" "http://www.microsoft.com/">'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{doctype}\n{text}'.encode()


def element_of(xml):
    text = xml.decode().split("?>", 1)[1].split(">", 1)[1]
    for namespace in TOKENS:
        text = text.replace(f'="{namespace}:"', f'="{namespace}"')
    return element_from_text(text)


def sync():
    root = Element("AirSync", "Sync")
    collection = root.add("Collections").add("Collection")
    collection.add("SyncKey", "1")
    data = collection.add("Commands").add("Add").add("ApplicationData")
    data.add("Email:Subject", "Größe & <mehr>")
    data.add("Email:Flag")
    body = data.add("AirSyncBase:Body")
    body.add("Type", "1")
    body.add("Data", "x" * 300)
    data.add("Email:Read", "1")
    data.add("Email2:ReceivedAsBcc", "0")
    return root


OTHERWISE = {
    "AssistantPhoneNumber": "AssistantTelephoneNumber",
    "RequireStorageCardEncryption": "DeviceEncryptionEnabled",
    "RightsManagementInformation": "ihsManagementInformation",
    "RemoveRightsManagementProtection": "RemoveRightsManagementDistribution",
}
"""Spelled otherwise in version 0.11."""
UNHEARD = {
    *(f"Calendar:{tag}" for tag in ("Attachment", "Attachments", "AttName", "AttSize", "AttOid")),
    *(f"Calendar:{tag}" for tag in ("AttMethod", "AttRemoved", "DisplayName")),
    "MeetingResponse:ProposedStartTime",
    "MeetingResponse:ProposedEndTime",
    "Ping:Version",
    "Provision:AccountOnlyRemoteWipe",
    "ComposeMail:Type",
}
"""Version 0.11 does not know them, nor the page Find."""


def is_same(theirs, ours):
    """Older spellings have a prefix or a hyphen more, or an ``Address`` less."""
    theirs = theirs.replace("_", "").replace("-", "").lower()
    ours = ours.replace("_", "").lower()
    return theirs.endswith((ours, ours.replace("address", "")))


@pytest.mark.parametrize("namespace", [name for name in TOKENS if name != "Find"])
def test_it_knows_our_pages(namespace):
    first, *tags = ours = list(TOKENS[namespace])
    content = {True: b"octets", False: "text"}
    root = Element(
        namespace,
        first,
        [Element(namespace, tag, content[(namespace, tag) in OCTET_TAGS]) for tag in tags],
    )
    xml = run("wbxml2xml", encode(root), "-m", "0", "-l", "ACTIVESYNC").decode()
    theirs = re.findall(r"<([A-Za-z][^ >/]*)", xml)
    for their_tag, our_tag in zip(theirs, ours, strict=True):
        if f"{namespace}:{our_tag}" in UNHEARD:
            assert is_same(their_tag, our_tag) or their_tag == "unknown"
        else:
            assert is_same(their_tag, our_tag) or OTHERWISE.get(our_tag) == their_tag


def test_it_reads_what_we_write():
    assert element_of(run("wbxml2xml", encode(sync()), "-m", "0", "-l", "ACTIVESYNC")) == sync()


def test_we_read_what_it_writes():
    assert decode(run("xml2wbxml", xml_of(sync()), "-v", "1.3", "-n", "-a")) == sync()
