"""PROVISION: what is said, and what is kept, for each thing that a phone may say."""

import asyncio
import hashlib
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from posthouse.backends.memory.directory import MemoryDirectory
from posthouse.model.errors import RemoteProtocolError
from posthouse.model.ids import DeviceId, MailboxId
from posthouse.model.partnership import DevicePolicy, Wipe
from posthouse.model.people import Login, PrincipalKind
from posthouse.protocols.eas.commands import provision
from posthouse.protocols.eas.wire.as_text import element_from_text
from posthouse.services.devices.partnerships import Partnerships
from posthouse.services.devices.policies import DeviceRules, Standing

INFORMATION = (
    "<Settings:DeviceInformation><Settings:Set><Settings:Model>M</Settings:Model>"
    "</Settings:Set></Settings:DeviceInformation>"
)
ASKS = "<Policies><Policy><PolicyType>MS-EAS-Provisioning-WBXML</PolicyType></Policy></Policies>"


class Clock:
    def now_ms(self):
        return 1_700_000_000_000


class Chance:
    count = 0

    def token_bytes(self, count):
        self.count += 1
        return hashlib.shake_256(b"%d" % self.count).digest(count)


class Phone:
    """Speaks with the command."""

    def __init__(self, policy, *, accepts_partial=False, version=161):
        directory = MemoryDirectory(Chance())
        alice = directory.add_principal(
            PrincipalKind.USER, "alice@example.org", "Alice", MailboxId(1)
        )
        rules = DeviceRules(policy=policy, accepts_partial=accepts_partial)
        self.directory = directory
        self.phones = Partnerships(directory, Clock(), Chance(), rules)
        partnership = self.phones.meet(Login(alice, DeviceId(0)), "x", version=version)
        self.call = SimpleNamespace(
            services=SimpleNamespace(partnerships=self.phones), partnership=partnership
        )

    def says(self, inner):
        """The answer; what is kept is what the call holds."""
        text = f'<Provision xmlns="Provision" xmlns:Settings="Settings">{inner}</Provision>'
        answer = asyncio.run(provision.handle(self.call, element_from_text(text)))
        held = self.call.partnership
        assert self.directory.partnership(held.principal_id, "x") == held
        return answer

    def wants_wiped(self, *, wipes_device):
        held = self.call.partnership
        self.call.partnership = self.directory.keep_partnership(
            replace(held, wipe=Wipe.REQUESTED, wipes_device=wipes_device)
        )


@pytest.fixture
def phone():
    return Phone(DevicePolicy(password_required=True))


def took(key, status=1):
    return ASKS.replace(
        "</Policy>", f"<PolicyKey>{key}</PolicyKey><Status>{status}</Status></Policy>"
    )


def statuses(answer):
    """Of the command and of the policy."""
    policy = answer.find("Policies", "Policy")
    return answer.text_of("Status"), policy.text_of("Status") if policy else None


def key_of(answer):
    return int(answer.find("Policies", "Policy").text_of("PolicyKey", "0"))


@pytest.mark.parametrize("policy", [DevicePolicy(), DevicePolicy(password_required=True)])
@pytest.mark.parametrize("version", [141, 160, 161])
def test_the_two_round_trips(policy, version):
    phone = Phone(policy, version=version)
    first = phone.says(INFORMATION + ASKS)
    assert statuses(first) == ("1", "1")
    assert first.find("Settings:DeviceInformation", "Settings:Status").text == "1"
    enabled = first.find("Policies", "Policy", "Data", "EASProvisionDoc", "DevicePasswordEnabled")
    assert enabled.text == str(int(policy.password_required))
    assert phone.call.partnership.model == "M"
    second = phone.says(took(key_of(first)))
    assert statuses(second) == ("1", "1")
    assert second.find("Policies", "Policy", "Data") is None
    final = key_of(second)
    assert 0 < final != key_of(first)
    assert phone.phones.standing(phone.call.partnership, final) is Standing.GOOD
    # The answers were lost.
    assert phone.says(took(key_of(first))) == second
    assert phone.says(INFORMATION + ASKS) == first


def test_it_must_say_what_it_is_first(phone):
    answer = phone.says(ASKS)
    assert statuses(answer) == ("165", None)
    assert phone.call.partnership.pending_policy_key == 0


def test_another_form_of_policy(phone):
    answer = phone.says(INFORMATION + ASKS.replace("MS-EAS", "MS-WAP"))
    assert statuses(answer) == ("1", "3")
    assert key_of(answer) == 0


@pytest.mark.parametrize("key", [0, 1, 2**32 - 1])
def test_a_wrong_key(phone, key):
    phone.says(INFORMATION + ASKS)
    answer = phone.says(took(key))
    assert statuses(answer) == ("1", "5")
    assert key_of(answer) == 0
    assert phone.call.partnership.policy_key == 0


@pytest.mark.parametrize(
    ("status", "strict", "lenient"),
    [("2", "139", "1"), ("3", "139", "139"), ("4", "145", "145"), ("9", "139", "139")],
)
def test_a_policy_not_taken_in_full(status, strict, lenient):
    for accepts_partial, expected in ((False, strict), (True, lenient)):
        phone = Phone(DevicePolicy(password_required=True), accepts_partial=accepts_partial)
        key = key_of(phone.says(INFORMATION + ASKS))
        answer = phone.says(took(key, status))
        assert answer.text_of("Status") == expected
        assert (answer.find("Policies") is None) == (expected != "1")
        assert (phone.call.partnership.policy_key == 0) == (expected != "1")


def test_nothing_asked_nothing_told(phone):
    for answer in (phone.says(""), asyncio.run(provision.handle(phone.call, None))):
        assert [child.tag for child in answer.children] == ["Status"]
        assert answer.text_of("Status") == "1"
    answer = phone.says(INFORMATION)
    assert [child.tag for child in answer.children] == ["DeviceInformation", "Status"]
    assert phone.call.partnership.model == "M"


def test_rubbish_is_the_doors_to_answer(phone):
    with pytest.raises(RemoteProtocolError):
        phone.says("<RemoteWipe><Status>x</Status></RemoteWipe>")


# --- the wipe

WIPES = [(True, "RemoteWipe"), (False, "AccountOnlyRemoteWipe")]


def has_done(tag, status=1):
    return f"<{tag}><Status>{status}</Status></{tag}>"


def tags(answer):
    return [child.tag for child in answer.children]


@pytest.mark.parametrize(("wipes_device", "tag"), WIPES)
@pytest.mark.parametrize("asks", ["", ASKS, INFORMATION + ASKS])
def test_a_wipe_whatever_it_asks(phone, wipes_device, tag, asks):
    phone.wants_wiped(wipes_device=wipes_device)
    answer = phone.says(asks)
    assert tags(answer) == ["Status", tag]
    assert answer.child(tag).content == ""
    assert answer.text_of("Status") == "1"
    assert phone.call.partnership.wipe is Wipe.SENT
    done = phone.says(has_done(tag))
    assert (tags(done), done.text_of("Status")) == (["Status"], "1")
    assert phone.call.partnership.wipe is Wipe.DONE
    # Nothing more to erase: it may say so again.
    assert tags(phone.says(has_done(tag))) == ["Status"]


@pytest.mark.parametrize(("wipes_device", "tag"), WIPES)
def test_a_wipe_that_fails_is_wanted_again(phone, wipes_device, tag):
    phone.wants_wiped(wipes_device=wipes_device)
    phone.says("")
    answer = phone.says(has_done(tag, status=2))
    assert tags(answer) == ["Status", tag]
    assert answer.text_of("Status") == "2"
    assert phone.call.partnership.wipe is Wipe.SENT


def test_erasing_everything_is_enough_and_the_account_alone_is_not(phone):
    phone.wants_wiped(wipes_device=True)
    answer = phone.says(has_done("AccountOnlyRemoteWipe"))
    assert tags(answer) == ["Status", "RemoteWipe"]
    assert phone.call.partnership.wipe is Wipe.SENT
    phone.wants_wiped(wipes_device=False)
    phone.says(has_done("RemoteWipe"))
    assert phone.call.partnership.wipe is Wipe.DONE


def test_a_wipe_that_nobody_wanted(phone):
    answer = phone.says(has_done("RemoteWipe"))
    assert (tags(answer), answer.text_of("Status")) == (["Status"], "1")
    assert phone.call.partnership.wipe is Wipe.NONE


def test_an_older_version_is_not_told_what_it_does_not_know():
    phone = Phone(DevicePolicy(), version=160)
    phone.wants_wiped(wipes_device=False)
    assert "AccountOnlyRemoteWipe" not in tags(phone.says(""))
    assert phone.call.partnership.wipe is Wipe.REQUESTED
