"""Autodiscover as its clients ask: Outlook, Thunderbird, phones, exchangelib, Apple; over the running server."""

from __future__ import annotations

import base64
import http.client
import json
import plistlib
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from lxml import etree
from tests.running import PASSWORD

if TYPE_CHECKING:
    from tests.running import Server

pytestmark = pytest.mark.clients

OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
MOBILE = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
REQUEST = (
    '<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/'
    'outlook/requestschema/2006"><Request><EMailAddress>{}</EMailAddress><AcceptableResponseSchema>{}'
    "</AcceptableResponseSchema></Request></Autodiscover>"
)
POX = "/Autodiscover/Autodiscover.xml"


def basic(name="alice@example.org", password=PASSWORD):
    text = (
        f"{name}:{password}".encode()
        if isinstance(password, str)
        else name.encode() + b":" + password
    )
    return {"Authorization": "Basic " + base64.b64encode(text).decode()}


@pytest.fixture
def ask(house: Server):
    """``ask(method, path, body, headers)``: status, headers, body; one connection each."""
    connections = []

    def one(method, path, body=None, headers=None, *, tls=True, connection=None):
        if connection is None:
            if tls:
                connection = http.client.HTTPSConnection(
                    "127.0.0.1", house.ports["https"], timeout=10, context=house.tls()
                )
            else:
                connection = http.client.HTTPConnection(
                    "127.0.0.1", house.ports["http"], timeout=10
                )
            connections.append(connection)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    yield one
    for connection in connections:
        connection.close()


def pox(ask, address="alice@example.org", schema=OUTLOOK, **more):
    status, headers, body = ask("POST", POX, REQUEST.format(address, schema), {**basic(), **more})
    assert status == 200
    assert headers["Content-Type"].startswith("text/xml")
    return etree.fromstring(body)


def text(root, name):
    return root.findtext(".//{*}" + name)


def test_outlook_finds_the_mail_services_and_nothing_that_does_not_answer(ask, house):
    root = pox(ask)
    assert text(root, "DisplayName") == "alice"
    assert text(root, "AutoDiscoverSMTPAddress") == "alice@example.org"
    assert (text(root, "AccountType"), text(root, "Action")) == ("email", "settings")
    found = [
        (text(p, "Type"), text(p, "Server"), int(text(p, "Port")), text(p, "Encryption"))
        for p in root.iter("{*}Protocol")
    ]
    assert found == [
        ("POP3", "mail.example.org", house.ports["pop3s"], "SSL"),
        ("POP3", "mail.example.org", house.ports["pop3"], "TLS"),
        ("SMTP", "mail.example.org", house.ports["submissions"], "SSL"),
        ("SMTP", "mail.example.org", house.ports["submission"], "TLS"),
    ]
    assert b"EwsUrl" not in etree.tostring(root)


def test_an_alias_leads_to_its_owner(ask, house):
    house.command("alias", "add", "al@example.org", "alice@example.org")
    try:
        assert text(pox(ask, "AL@Example.ORG"), "AutoDiscoverSMTPAddress") == "alice@example.org"
    finally:
        house.command("alias", "remove", "al@example.org")


@pytest.mark.parametrize(
    ("address", "schema", "code"),
    [
        ("alice@example.org", "http://example.com/other", "601"),
        ("nobody@example.org", OUTLOOK, "501"),
        ("alice@elsewhere.example", OUTLOOK, "501"),
        ("no address", OUTLOOK, "501"),
        ("", OUTLOOK, "600"),
    ],
)
def test_pox_errors(ask, address, schema, code):
    root = pox(ask, address, schema)
    assert text(root, "ErrorCode") == code
    assert root.find(".//{*}Error").get("Time").count(":") == 2


def test_phones_find_where_they_synchronise(ask, house):
    root = pox(ask, "alice@example.org", MOBILE)
    assert text(root, "Action/{*}Settings/{*}Server/{*}Type") == "MobileSync"
    url = f"https://mail.example.org:{house.ports['https']}/Microsoft-Server-ActiveSync"
    assert text(root, "Action/{*}Settings/{*}Server/{*}Url") == url


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<Autodiscover/>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><Autodiscover><EMailAddress>&b;</EMailAddress></Autodiscover>",
        '<!DOCTYPE a SYSTEM "http://127.0.0.1/"><Autodiscover/>'.encode("utf-16"),
        b"<Autodiscover>" + b"<a>" * 500 + b"</a>" * 500 + b"</Autodiscover>",
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_request_is_told_so(ask, body):
    status, _, answer = ask("POST", POX, body, basic())
    assert status == 200
    assert text(etree.fromstring(answer), "ErrorCode") == "600"


def test_who_asks_must_log_in(ask):
    body = REQUEST.format("alice@example.org", OUTLOOK)
    for headers in (
        {},
        basic(password="wrong"),
        {"Authorization": "Basic !!!"},
        {"Authorization": "NTLM abc"},
    ):
        status, told, _ = ask("POST", POX, body, headers)
        assert status == 401
        assert told["WWW-Authenticate"] == 'Basic realm="Posthouse", charset="UTF-8"'
    assert ask("POST", POX, body, basic("EXAMPLE\\alice"))[0] == 200
    assert ask("POST", POX, body, basic("alice"))[0] == 200
    assert ask("GET", POX, None, basic())[0] == 405


def test_a_password_in_windows_1252(ask, house):
    house.command("user", "passwd", "carol@example.org", "--password-stdin", given="Grüße\n")
    try:
        body = REQUEST.format("carol@example.org", OUTLOOK)
        for octets in ("Grüße".encode(), "Grüße".encode("cp1252")):
            assert ask("POST", POX, body, basic("carol@example.org", octets))[0] == 200
    finally:
        house.command(
            "user", "passwd", "carol@example.org", "--password-stdin", given=PASSWORD + "\n"
        )


def test_without_tls_clients_are_sent_to_where_it_is(ask, house):
    status, headers, _ = ask("GET", POX, tls=False)
    assert status == 302
    assert headers["Location"] == f"https://mail.example.org:{house.ports['https']}{POX.lower()}"
    assert ask("POST", POX, "x", basic(), tls=False)[0] == 302, "and no password is looked at"


def test_version_2(ask, house):
    path = "/autodiscover/autodiscover.json?Email=alice%40example.org&Protocol="
    status, _, body = ask("GET", path + "AutodiscoverV1")
    assert status == 200
    assert json.loads(body) == {
        "Protocol": "AutodiscoverV1",
        "Url": f"https://mail.example.org:{house.ports['https']}/autodiscover/autodiscover.xml",
    }
    assert json.loads(ask("GET", path + "ActiveSync")[2]) == {
        "Protocol": "ActiveSync",
        "Url": f"https://mail.example.org:{house.ports['https']}/Microsoft-Server-ActiveSync",
    }
    for protocol in ("Ews", "Nonsense"):
        status, _, body = ask("GET", path + protocol)
        assert (status, json.loads(body)["ErrorCode"]) == (200, "ProtocolNotSupported")
    status, _, body = ask(
        "GET", "/Autodiscover/Autodiscover.json/v1.0/alice@example.org?Protocol=autodiscoverv1"
    )
    assert json.loads(body)["Protocol"] == "AutodiscoverV1"


def test_soap(ask):
    body = """<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:a="http://schemas.microsoft.com/exchange/2010/Autodiscover"
      xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><a:GetUserSettingsRequestMessage><a:Request><a:Users>
      <a:User><a:Mailbox>alice@example.org</a:Mailbox></a:User><a:User><a:Mailbox>x@example.org</a:Mailbox></a:User></a:Users>
      <a:RequestedSettings><a:Setting>UserDisplayName</a:Setting><a:Setting>ExternalEwsUrl</a:Setting></a:RequestedSettings>
      </a:Request></a:GetUserSettingsRequestMessage></soap:Body></soap:Envelope>"""
    status, _, answer = ask("POST", "/autodiscover/autodiscover.svc", body, basic())
    assert status == 200
    root = etree.fromstring(answer)
    alice, nobody = root.iter("{*}UserResponse")
    assert (text(alice, "Name"), text(alice, "Value")) == ("UserDisplayName", "alice")
    assert text(alice, "UserSettingErrors/{*}UserSettingError/{*}SettingName") == "ExternalEwsUrl"
    assert text(nobody, "ErrorCode") == "InvalidUser"
    _, _, answer = ask("POST", "/autodiscover/autodiscover.svc", "<a/>", basic())
    assert text(etree.fromstring(answer), "ErrorCode") == "InvalidRequest"


@pytest.mark.parametrize(
    "path", ["/.well-known/autoconfig/mail/config-v1.1.xml", "/mail/config-v1.1.xml"]
)
@pytest.mark.parametrize("tls", [True, False])
def test_thunderbird(ask, house, path, tls):
    status, _, body = ask("GET", f"{path}?emailaddress=alice%40example.org", tls=tls)
    assert status == 200
    root = etree.fromstring(body)
    incoming = root.find(".//incomingServer")
    assert (incoming.get("type"), incoming.findtext("hostname")) == ("pop3", "mail.example.org")
    assert (incoming.findtext("port"), incoming.findtext("socketType")) == (
        str(house.ports["pop3s"]),
        "SSL",
    )
    assert incoming.findtext("pop3/leaveMessagesOnServer") == "true"
    assert root.find(".//outgoingServer").findtext("port") == str(house.ports["submissions"])
    assert ask("GET", f"{path}?emailaddress=a@elsewhere.example")[0] == 404
    assert ask("GET", path, None, {"Host": "autoconfig.example.org"})[0] == 200


def test_an_apple_device_installs_a_profile(ask, house):
    status, headers, body = ask("GET", "/mobileconfig?email=" + quote("bob@example.org"))
    assert (status, headers["Content-Type"]) == (200, "application/x-apple-aspen-config")
    profile = plistlib.loads(body)
    (account,) = profile["PayloadContent"]
    assert account["PayloadType"] == "com.apple.eas.account"
    assert account["EmailAddress"] == "bob@example.org"
    assert account["Host"].split(":")[0] == "mail.example.org"
    assert ask("GET", "/mobileconfig?email=" + quote("bob@example.org"))[2] == body, (
        "the same each time"
    )
    assert ask("GET", "/mobileconfig")[0] == 400
    assert ask("GET", "/mobileconfig?email=x@elsewhere.example")[0] == 404


def test_nothing_tells_who_is_here(ask):
    for path in ("/mail/config-v1.1.xml?emailaddress=", "/mobileconfig?email="):
        known = ask("GET", path + "alice@example.org")[2]
        assert (
            ask("GET", path + "nobody@example.org")[2].replace(b"nobody@", b"alice@")[:40]
            == known[:40]
        )


def test_other_paths_and_methods(ask):
    assert ask("GET", "/")[0] == 404
    assert ask("GET", "/autodiscover/other")[0] == 404
    assert ask("DELETE", "/mobileconfig")[0] == 405
    assert ask("GET", "/" + "a" * 40_000)[0] == 431
    assert ask("POST", POX, b"x" * 100_000, basic())[0] == 413


def test_outlooks_burst_on_one_connection_is_cheap(ask, house):
    connection = http.client.HTTPSConnection(
        "127.0.0.1", house.ports["https"], timeout=10, context=house.tls()
    )
    body = REQUEST.format("alice@example.org", OUTLOOK)
    ask("POST", POX, body, basic(), connection=connection)
    begun = time.monotonic()
    for _ in range(100):
        assert ask("POST", POX, body, basic(), connection=connection)[0] == 200
    assert time.monotonic() - begun < 2
    connection.close()


def test_no_client_ever_caused_a_bug(house):
    assert house.bugs() == []
