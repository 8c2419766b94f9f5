"""Logins: who comes in, who does not, and that nobody can tell why."""

import asyncio

import pytest
import scramp

from posthouse.mechanisms.scram import ScramServer
from posthouse.model.errors import LoginDelayed, LoginRefused, Unavailable
from posthouse.model.ids import DeviceId
from posthouse.services.directory.login import Attempt, Logins
from posthouse.services.directory.passwords import HashCost, Hasher


def attempt(login, password=b"", door="pop3", host="192.0.2.1"):
    return Attempt(login, password, door, host, "s1")


def come_in(house, login, password, **where):
    return asyncio.run(house.logins.by_password(attempt(login, password, **where)))


def refusal(house, login, password, **where):
    with pytest.raises(LoginRefused):
        come_in(house, login, password, **where)
    return house.audit.lines[-1]


def test_a_person_comes_in_by_every_form_of_the_name(house):
    alice = house.add("alice@example.org", "wonderland")
    house.directory.add_alias("al@example.org", alice.principal_id)
    alice = house.directory.principal(alice.principal_id)
    for login in (
        "alice@example.org",
        "ALICE@Example.ORG",
        "alice",
        "al",
        "EXAMPLE\\alice",
        "example.org\\Alice",
        "WORKGROUP\\alice",
        "WORKGROUP\\alice@example.org",
    ):
        assert come_in(house, login, b"wonderland").principal == alice
    assert come_in(house, "alice", "wonderland").device_id == 0


def test_a_name_without_domain_is_of_the_default_domain_and_a_label_chooses(house):
    house.directory.add_domain("second.example")
    first = house.add("alice@example.org", "one")
    second = house.add("alice@second.example", "two")
    assert come_in(house, "alice", b"one").principal.principal_id == first.principal_id
    login = come_in(house, "SECOND\\alice", b"two")
    assert login.principal.principal_id == second.principal_id
    refusal(house, "alice", b"two")


@pytest.mark.parametrize(
    "login",
    ["", "@", "alice@", "@example.org", "a" * 330, "al\0ice", "bob", "bob@b@c", "\udcff", "\\"],
)
def test_names_of_nobody_are_refused(house, login):
    house.add("alice@example.org", "wonderland")
    assert refusal(house, login, b"wonderland")[1]["reason"] == "unknown"


def test_refusals_are_alike_and_cost_alike(house):
    house.add("alice@example.org", "wonderland")
    house.add("bob@example.org", "builder", is_disabled=True)
    house.add("nopass@example.org")
    cases = [("alice", b"x"), ("bob", b"builder"), ("bob", b"x"), ("nopass", b"x"), ("zoe", b"x")]
    costs, reasons = [], []
    for number, (login, password) in enumerate(cases):
        before = house.thread.count
        event, fields = refusal(house, login, password, host=f"192.0.2.{number}")
        assert event == "login-refused"
        costs.append(house.thread.count - before)
        reasons.append(fields["reason"])
    assert costs == [1] * 5
    assert reasons == ["credential", "disabled", "disabled", "credential", "unknown"]
    assert house.clock.slept == []


def test_a_device_password_tells_its_device_and_needs_no_argon2(house):
    alice = house.add("alice@example.org", "wonderland")
    phone = house.add_device(alice, "Phone", "abcde-fghjk-mnpqr-stuvw")
    before = house.thread.count
    assert come_in(house, "alice", b"abcde-fghjk-mnpqr-stuvw").device_id == phone.device_id
    assert house.thread.count == before


def test_a_device_password_may_be_typed_loosely(house):
    alice = house.add("alice@example.org", "wonderland")
    secret = house.secret(alice.principal_id, "abcde-fghjk-mnpqr-stuvw", is_device=True)
    phone = house.directory.add_device(alice.principal_id, "Phone", secret, 0)
    for typed in (b"abcdefghjkmnpqrstuvw", b"ABCDE FGHJK MNPQR STUVW"):
        assert come_in(house, "alice", typed).device_id == phone.device_id


def test_a_scope_names_the_doors(house):
    alice = house.add("alice@example.org", "wonderland")
    house.add_device(alice, "Phone", "abcde-fghjk-mnpqr-stuvw", ("pop3", "smtp"))
    secret = b"abcde-fghjk-mnpqr-stuvw"
    for door in ("pop3", "pop3s", "smtp", "submission", "submissions"):
        assert come_in(house, "alice", secret, door=door).device_id == 1
    # Known from the cache or not: the door stays shut.
    assert refusal(house, "alice", secret, door="imap")[1]["reason"] == "credential"


def test_a_second_login_neither_hashes_nor_waits(house):
    house.add("alice@example.org", "wonderland")
    house.add("bob@example.org", "builder")
    come_in(house, "alice", b"wonderland")
    for _ in range(30):
        with pytest.raises((LoginRefused, LoginDelayed)):
            come_in(house, "bob", b"guess")
    slept, hashed = len(house.clock.slept), house.thread.count
    assert come_in(house, "alice", b"wonderland").device_id == 0
    assert (len(house.clock.slept), house.thread.count) == (slept, hashed)


def test_the_cache_does_not_help_who_guesses(house):
    house.add("alice@example.org", "wonderland")
    come_in(house, "alice", b"wonderland")
    for n in range(12):
        with pytest.raises((LoginRefused, LoginDelayed)):
            come_in(house, "alice", b"guess %d" % n)
    slept = len(house.clock.slept)
    assert come_in(house, "alice", b"wonderland")
    assert len(house.clock.slept) == slept + 1
    assert come_in(house, "alice", b"wonderland", host="192.0.2.2")
    assert len(house.clock.slept) == slept + 1


def test_an_old_telephone_does_not_spoil_the_laptop(house):
    house.add("alice@example.org", "wonderland")
    come_in(house, "alice", b"wonderland")
    for _ in range(30):
        refusal(house, "alice", b"old password")
    slept = len(house.clock.slept)
    assert come_in(house, "alice", b"wonderland")
    assert len(house.clock.slept) == slept


def test_the_cache_forgets_in_time(house):
    house.add("alice@example.org", "wonderland")
    come_in(house, "alice", b"wonderland")
    house.clock.now_s += 599
    come_in(house, "alice", b"wonderland")
    assert house.thread.count == 1
    house.clock.now_s += 2
    come_in(house, "alice", b"wonderland")
    assert house.thread.count == 2


def test_others_changes_leave_the_cache_alone_and_ones_own_empty_it(house):
    alice = house.add("alice@example.org", "wonderland")
    come_in(house, "alice", b"wonderland")
    house.add("bob@example.org", "builder")
    come_in(house, "alice", b"wonderland")
    assert house.thread.count == 1
    house.directory.set_secret(
        alice.principal_id, house.secret(alice.principal_id, "looking-glass")
    )
    refusal(house, "alice", b"wonderland")
    house.clock.now_s += 5
    assert come_in(house, "alice", b"looking-glass")


def test_a_password_changed_while_it_is_checked_is_not_remembered(house):
    alice = house.add("alice@example.org", "wonderland")

    async def changing_thread(work):
        answer = work()
        secret = house.secret(alice.principal_id, "looking-glass")
        house.directory.set_secret(alice.principal_id, secret)
        return answer

    hasher = Hasher(house.chance, HashCost(memory_kib=8, passes=1), changing_thread)
    logins = Logins(house.directory, house.audit, house.clock, house.chance, hasher, house.guesses)
    login = asyncio.run(logins.by_password(attempt("alice", b"wonderland")))
    assert not logins.is_still_good(login)
    with pytest.raises(LoginRefused):
        asyncio.run(logins.by_password(attempt("alice", b"wonderland")))


def test_disabled_is_out_at_once_everywhere(house):
    alice = house.add("alice@example.org", "wonderland")
    house.add_device(alice, "Phone", "abcde-fghjk-mnpqr-stuvw")
    by_own = come_in(house, "alice", b"wonderland")
    by_phone = come_in(house, "alice", b"abcde-fghjk-mnpqr-stuvw")
    assert house.logins.is_still_good(by_own)
    assert house.logins.is_still_good(by_phone)
    house.change(alice, is_disabled=True)
    assert not house.logins.is_still_good(by_own)
    assert not house.logins.is_still_good(by_phone)
    refusal(house, "alice", b"wonderland")
    refusal(house, "alice", b"abcde-fghjk-mnpqr-stuvw")
    house.change(alice, is_disabled=False)
    assert house.logins.is_still_good(by_own)


def test_sessions_end_with_their_credential_only(house):
    alice = house.add("alice@example.org", "wonderland")
    phone = house.add_device(alice, "Phone", "abcde-fghjk-mnpqr-stuvw")
    by_own = come_in(house, "alice", b"wonderland")
    by_phone = come_in(house, "alice", b"abcde-fghjk-mnpqr-stuvw")
    house.change(alice, name="Alice L.")
    assert house.logins.is_still_good(by_own)
    assert house.logins.is_still_good(by_phone)
    house.directory.revoke_device(alice.principal_id, phone.device_id)
    assert house.logins.is_still_good(by_own)
    assert not house.logins.is_still_good(by_phone)
    secret = house.secret(alice.principal_id, "wonderland")
    house.directory.set_secret(alice.principal_id, secret)
    assert not house.logins.is_still_good(by_own)
    house.directory.remove_principal(alice.principal_id)
    assert not house.logins.is_still_good(by_own)


def test_last_use_is_noted_once_an_hour(house):
    alice = house.add("alice@example.org")
    house.add_device(alice, "Phone", "abcde-fghjk-mnpqr-stuvw")

    def last_use():
        device = house.directory.devices(alice.principal_id)[0]
        return device.last_used_at, device.last_used_for

    come_in(house, "alice", b"abcde-fghjk-mnpqr-stuvw")
    assert last_use() == (1_000_000, "pop3")
    house.clock.now_s += 3_599
    come_in(house, "alice", b"abcde-fghjk-mnpqr-stuvw", door="submission")
    assert last_use() == (1_000_000, "pop3")
    house.clock.now_s += 1
    come_in(house, "alice", b"abcde-fghjk-mnpqr-stuvw", door="submission")
    assert last_use() == (4_600_000, "submission")


def test_the_audit_log_hears_of_both_and_never_the_password(house):
    house.add("alice@example.org", "wonderland")
    come_in(house, "alice", b"wonderland", host="2001:db8::1")
    refusal(house, "alice", b"geheim")
    ok, refused = house.audit.lines
    assert ok == (
        "login",
        {
            "address": "alice@example.org",
            "device": 0,
            "door": "pop3",
            "host": "2001:db8::1",
            "session": "s1",
        },
    )
    assert refused[1]["login"] == "alice"
    assert "geheim" not in repr(house.audit.lines)
    assert "geheim" not in repr(attempt("alice", b"geheim"))


def test_too_many_checks_at_once_are_turned_away(house):
    house.add("alice@example.org", "wonderland")

    async def flood():
        gate = asyncio.Event()

        async def slow_thread(work):
            await gate.wait()
            return work()

        cost = HashCost(memory_kib=8, passes=1, at_once=2, waiting_max=5)
        hasher = Hasher(house.chance, cost, slow_thread)
        logins = Logins(
            house.directory, house.audit, house.clock, house.chance, hasher, house.guesses
        )
        tries = [
            asyncio.ensure_future(logins.by_password(attempt("alice", b"wonderland")))
            for _ in range(8)
        ]
        await asyncio.sleep(0)
        gate.set()
        return await asyncio.gather(*tries, return_exceptions=True)

    answers = asyncio.run(flood())
    assert sum(isinstance(answer, Unavailable) for answer in answers) == 3
    assert not any(isinstance(answer, LoginRefused) for answer in answers)


def scram(house, login, password, door="pop3"):
    offer = house.logins.scram_credentials(login, door)
    client = scramp.ScramClient(["SCRAM-SHA-256"], login, password)
    server = ScramServer(house.chance.token_bytes(18))
    names = server.first(client.get_client_first().encode())
    client.set_server_first(server.challenge(offer.salt, offer.iterations).decode())
    outcome = server.finish(client.get_client_final().encode(), offer.verifiers)
    return asyncio.run(house.logins.by_scram(attempt(names.authcid, door=door), outcome.device_id))


def test_scram_takes_the_same_passwords(house):
    alice = house.add("alice@example.org", "wonderland")
    phone = house.add_device(alice, "Phone", "abcde-fghjk-mnpqr-stuvw", ("pop3",))
    by_own = scram(house, "alice", "wonderland")
    by_phone = scram(house, "EXAMPLE\\alice", "abcde-fghjk-mnpqr-stuvw")
    assert (by_own.device_id, by_phone.device_id) == (0, phone.device_id)
    assert house.logins.is_still_good(by_own)
    for login, password, door in (
        ("alice", "x", "pop3"),
        ("alice", "abcde-fghjk-mnpqr-stuvw", "imap"),
        ("zoe", "wonderland", "pop3"),
        ("a" * 330, "wonderland", "pop3"),
    ):
        with pytest.raises(LoginRefused):
            scram(house, login, password, door)


def test_scram_offers_do_not_tell_who_exists(house):
    house.add("alice@example.org", "wonderland")
    house.add("bob@example.org", "builder", is_disabled=True)
    offers = [house.logins.scram_credentials(n, "pop3") for n in ("alice", "bob", "zoe", "yan")]
    assert len({offer.iterations for offer in offers}) == 1
    assert {len(offer.salt) for offer in offers} == {16}
    assert len({offer.salt for offer in offers}) == 4
    assert {len(offer.verifiers) for offer in offers} == {1}
    assert offers[2] == house.logins.scram_credentials("ZOE@example.org", "pop3")
    with pytest.raises(LoginRefused):
        scram(house, "bob", "builder")


def test_a_device_revoked_during_the_exchange_does_not_come_in(house):
    alice = house.add("alice@example.org")
    phone = house.add_device(alice, "Phone", "abcde-fghjk-mnpqr-stuvw")
    house.directory.revoke_device(alice.principal_id, phone.device_id)
    with pytest.raises(LoginRefused):
        asyncio.run(house.logins.by_scram(attempt("alice"), phone.device_id))
    with pytest.raises(LoginRefused):
        asyncio.run(house.logins.by_scram(attempt("zoe"), DeviceId(0)))


def test_scram_guesses_are_slowed_like_others(house):
    house.add("alice@example.org", "wonderland")
    for _ in range(3):
        with pytest.raises(LoginRefused):
            asyncio.run(house.logins.by_scram(attempt("alice"), None))
    assert house.clock.slept == [1.0, 1.0]
