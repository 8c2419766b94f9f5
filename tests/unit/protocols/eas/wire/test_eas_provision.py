"""Provision and DeviceInformation: read, written in the schema's order, bounded."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from msgspec.structs import asdict
from tests.unit.protocols.eas.eas_trees import texts, trees

from posthouse.model.errors import RemoteProtocolError
from posthouse.model.partnership import DeviceInformation, DevicePolicy
from posthouse.protocols.eas.wire.as_text import element_from_text, text_from_element
from posthouse.protocols.eas.wire.device_information import (
    device_information_answer,
    device_information_from_element,
)
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.provision import (
    POLICY_TYPE,
    PolicyAnswer,
    PolicyAsked,
    ProvisionAnswer,
    ProvisionRequest,
    element_from_answer,
    request_from_element,
)
from posthouse.protocols.eas.wire.wbxml import decode, encode

SCHEMAS = Path(__file__).resolve().parents[6] / "shared" / "schemas" / "eas" / "loadable"


@pytest.fixture(scope="module")
def schema():
    if not SCHEMAS.exists():
        pytest.skip("no schemas beside the repository")
    return etree.XMLSchema(etree.parse(SCHEMAS / "driver.xsd"))


ASKS = """
<Provision xmlns="Provision" xmlns:Settings="Settings">
  <Settings:DeviceInformation>
    <Settings:Set>
      <Settings:Model>iPhone14C2</Settings:Model>
      <Settings:IMEI>990000862471854</Settings:IMEI>
      <Settings:FriendlyName>Alice &amp; Co</Settings:FriendlyName>
      <Settings:OS>iOS 26.1 23B85</Settings:OS>
      <Settings:OSLanguage>de-DE</Settings:OSLanguage>
      <Settings:PhoneNumber>+49 30 1234</Settings:PhoneNumber>
      <Settings:UserAgent>Apple-iPhone14C2/2301.85</Settings:UserAgent>
      <Settings:EnableOutboundSMS>1</Settings:EnableOutboundSMS>
      <Settings:MobileOperator>Telekom</Settings:MobileOperator>
    </Settings:Set>
  </Settings:DeviceInformation>
  <Policies>
    <Policy><PolicyType>MS-EAS-Provisioning-WBXML</PolicyType></Policy>
  </Policies>
</Provision>
"""
SAYS = """
<Provision xmlns="Provision">
  <Policies><Policy>
    <PolicyType>MS-EAS-Provisioning-WBXML</PolicyType>
    <PolicyKey>4294967295</PolicyKey>
    <Status>1</Status>
  </Policy></Policies>
</Provision>
"""
INFORMATION = DeviceInformation(
    model="iPhone14C2",
    imei="990000862471854",
    friendly_name="Alice & Co",
    os="iOS 26.1 23B85",
    os_language="de-DE",
    phone_number="+49 30 1234",
    user_agent="Apple-iPhone14C2/2301.85",
    mobile_operator="Telekom",
)


def said(inner):
    return f'<Provision xmlns="Provision">{inner}</Provision>'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ASKS, ProvisionRequest(INFORMATION, PolicyAsked(POLICY_TYPE))),
        (SAYS, ProvisionRequest(None, PolicyAsked(POLICY_TYPE, 2**32 - 1, 1))),
        (said(""), ProvisionRequest()),
        (said("<RemoteWipe><Status>1</Status></RemoteWipe>"), ProvisionRequest(wipe=1)),
        (said("<RemoteWipe/>"), ProvisionRequest()),
        (
            said("<AccountOnlyRemoteWipe><Status>2</Status></AccountOnlyRemoteWipe>"),
            ProvisionRequest(account_wipe=2),
        ),
        (said("<Policies/>"), ProvisionRequest()),
        (said("<Policies><Policy/></Policies>"), ProvisionRequest(policy=PolicyAsked(""))),
    ],
)
def test_requests(text, expected):
    assert request_from_element(element_from_text(text)) == expected
    assert request_from_element(decode(encode(element_from_text(text)))) == expected


@pytest.mark.parametrize(
    "inner",
    [
        "<RemoteWipe><Status>yes</Status></RemoteWipe>",
        "<Policies><Policy><PolicyKey>4294967296</PolicyKey></Policy></Policies>",
        "<Policies><Policy><PolicyKey>-1</PolicyKey></Policy></Policies>",
        "<Policies><Policy><Status/></Policy></Policies>",
        "<Policies><Policy><PolicyType>a&#x7;</PolicyType></Policy></Policies>",
        f"<Policies><Policy><PolicyType>{'a' * 65}</PolicyType></Policy></Policies>",
        "<Policies><Policy><PolicyType><Status>1</Status></PolicyType></Policy></Policies>",
    ],
)
def test_what_is_no_request(inner):
    with pytest.raises(RemoteProtocolError) as caught:
        request_from_element(element_from_text(said(inner)))
    assert caught.value.reply_hint == "content"


@given(trees)
def test_any_tree_is_read_or_refused(tree):
    for read in (request_from_element, device_information_from_element):
        with suppress(RemoteProtocolError):
            read(tree)


@given(st.builds(DeviceInformation, **dict.fromkeys(asdict(INFORMATION), texts)))
def test_what_a_phone_says_of_itself_comes_in(information):
    tags = ("Model", "IMEI", "FriendlyName", "OS", "OSLanguage", "PhoneNumber", "UserAgent")
    values = asdict(information)
    element = Element("Settings", "DeviceInformation")
    inside = element.add("Set")
    for tag, value in zip((*tags, "MobileOperator"), values.values(), strict=True):
        inside.add(tag, value)
    assert device_information_from_element(element) == information


def test_long_texts_are_cut():
    element = Element("Settings", "DeviceInformation")
    element.add("Set").add("OS", "x" * 5000)
    assert device_information_from_element(element) == DeviceInformation(os="x" * 1024)
    nothing = Element("Settings", "DeviceInformation")
    assert device_information_from_element(nothing) == DeviceInformation()


def test_handed_out_in_the_schemas_order():
    answer = ProvisionAnswer(1, 1, PolicyAnswer(POLICY_TYPE, 1, 4_000_000_000, DevicePolicy()))
    text = text_from_element(element_from_answer(answer))
    assert [line.strip() for line in text.splitlines()[:12]] == [
        '<Provision xmlns="Provision" xmlns:Settings="Settings">',
        "<Settings:DeviceInformation>",
        "<Settings:Status>1</Settings:Status>",
        "</Settings:DeviceInformation>",
        "<Status>1</Status>",
        "<Policies>",
        "<Policy>",
        f"<PolicyType>{POLICY_TYPE}</PolicyType>",
        "<Status>1</Status>",
        "<PolicyKey>4000000000</PolicyKey>",
        "<Data>",
        "<EASProvisionDoc>",
    ]


def document_of(policy):
    answer = element_from_answer(ProvisionAnswer(1, 1, PolicyAnswer(POLICY_TYPE, 1, 7, policy)))
    document = answer.find("Policies", "Policy", "Data", "EASProvisionDoc")
    return {child.tag: child.text for child in document.children}


def test_a_policy_that_demands_nothing_says_so_of_everything(schema):
    free = document_of(DevicePolicy())
    declared = etree.parse(SCHEMAS / "Provision.xsd").findall(
        ".//{*}element[@name='EASProvisionDoc']/{*}complexType/{*}sequence/{*}element"
    )
    assert list(free) == [element.get("name") for element in declared]
    assert free["MaxInactivityTimeDeviceLock"] == ""
    assert {tag for tag, text in free.items() if tag.startswith("Allow") and text == "0"} == set()
    assert {tag for tag, text in free.items() if tag.startswith("Require") and text != "0"} == set()


def test_a_policy_that_demands():
    document = document_of(
        DevicePolicy(
            password_required=True,
            password_length_min=6,
            password_letters=True,
            allow_simple_password=False,
            password_days=90,
            lock_after_s=300,
            wipe_after_failures=10,
            require_encryption=True,
            require_card_encryption=True,
            allow_camera=False,
        )
    )
    free = document_of(DevicePolicy())
    assert {tag: text for tag, text in document.items() if text != free[tag]} == {
        "DevicePasswordEnabled": "1",
        "AlphanumericDevicePasswordRequired": "1",
        "RequireStorageCardEncryption": "1",
        "MinDevicePasswordLength": "6",
        "MaxInactivityTimeDeviceLock": "300",
        "MaxDevicePasswordFailedAttempts": "10",
        "AllowSimpleDevicePassword": "0",
        "DevicePasswordExpiration": "90",
        "AllowCamera": "0",
        "RequireDeviceEncryption": "1",
        "MinDevicePasswordComplexCharacters": "2",
    }


def test_what_needs_a_password_is_nothing_without():
    meaningless = DevicePolicy(
        password_length_min=6,
        password_letters=True,
        allow_simple_password=False,
        password_days=90,
        lock_after_s=300,
        wipe_after_failures=10,
    )
    assert document_of(meaningless) == document_of(DevicePolicy())
    bare = document_of(DevicePolicy(password_required=True))
    assert (bare["MinDevicePasswordLength"], bare["MaxInactivityTimeDeviceLock"]) == ("", "9999")


POLICIES = st.builds(
    DevicePolicy,
    password_required=st.booleans(),
    password_length_min=st.integers(0, 16),
    password_letters=st.booleans(),
    allow_simple_password=st.booleans(),
    password_days=st.integers(0, 730),
    lock_after_s=st.integers(0, 10**6),
    wipe_after_failures=st.sampled_from([0, 4, 16]),
    require_encryption=st.booleans(),
    require_card_encryption=st.booleans(),
    allow_camera=st.booleans(),
)
POLICY_ANSWERS = st.tuples(
    st.just(POLICY_TYPE),
    st.sampled_from([1, 3, 5]),
    st.integers(0, 2**32 - 1),
    st.none() | POLICIES,
).map(lambda values: PolicyAnswer(*values))
ANSWERS = st.tuples(
    st.sampled_from([1, 2, 3, 139, 145, 165]),
    st.none() | st.just(1),
    st.none() | POLICY_ANSWERS,
    st.booleans(),
    st.booleans(),
).map(lambda values: ProvisionAnswer(*values))


@given(ANSWERS)
def test_every_answer_keeps_to_the_schema(schema, answer):
    element = element_from_answer(answer)
    schema.assertValid(etree.fromstring(text_from_element(element)))
    assert decode(encode(element)) == element
    wipes = [child.tag for child in element.children if child.tag.endswith("Wipe")]
    assert len(wipes) == (answer.wipes_device or answer.wipes_account)


def test_the_answer_to_what_a_phone_says_of_itself_keeps_to_the_schema(schema):
    schema.assertValid(etree.fromstring(text_from_element(device_information_answer(1))))
