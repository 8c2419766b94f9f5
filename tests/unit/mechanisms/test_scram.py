"""SCRAM-SHA-256 against the RFC's example and against a client that others wrote."""

from base64 import b64decode, b64encode

import pytest
import scramp
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.mechanisms.saslprep import prepared_for_keeping
from posthouse.mechanisms.scram import ScramServer, verifier_from_password
from posthouse.model.errors import LocalProtocolError, RemoteProtocolError
from posthouse.model.ids import DeviceId

SALT = b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
VERIFIER = verifier_from_password(b"pencil", SALT, 4096)
OWN = DeviceId(0)
PHONE = DeviceId(3)


class RfcNonce(ScramServer):
    """Plays the nonce of the RFC's example, which is not made by base64 of 18 octets."""

    def __init__(self):
        super().__init__(b"")
        self._nonce = b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"


def test_the_example_of_rfc_7677():
    server = RfcNonce()
    names = server.first(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
    assert (names.authzid, names.authcid) == ("", "user")
    assert server.challenge(SALT, 4096) == (
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    outcome = server.finish(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        [(OWN, VERIFIER)],
    )
    assert outcome.device_id == OWN
    assert outcome.server_final == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def play(user, password, verifiers, salt=SALT, iterations=4096):
    """One exchange of scramp's client with our server; the outcome and the client."""
    client = scramp.ScramClient(["SCRAM-SHA-256"], user, password)
    server = ScramServer(b"n" * 18)
    names = server.first(client.get_client_first().encode())
    assert names.authcid == user
    client.set_server_first(server.challenge(salt, iterations).decode())
    return server.finish(client.get_client_final().encode(), verifiers), client


@pytest.mark.parametrize("user", ["alice@example.org", "a=b,c", "älice", "EXAMPLE\\alice"])
def test_another_ones_client_comes_in_and_believes_us(user):
    outcome, client = play(user, "pencil", [(OWN, VERIFIER)])
    assert outcome.device_id == OWN
    client.set_server_final(outcome.server_final.decode())


def test_the_client_notices_a_server_that_does_not_know_the_password():
    outcome, client = play("alice", "pencil", [(OWN, VERIFIER)])
    forged = b"v=" + b64encode(b"x" * 32)
    assert outcome.server_final != forged
    with pytest.raises(scramp.ScramException):
        client.set_server_final(forged.decode())


def test_the_password_that_fits_names_the_device():
    verifiers = [
        (OWN, verifier_from_password(b"own", SALT, 4096)),
        (DeviceId(2), verifier_from_password(b"laptop", SALT, 4096)),
        (PHONE, verifier_from_password(b"phone", SALT, 4096)),
    ]
    outcome, client = play("alice", "phone", verifiers)
    assert outcome.device_id == PHONE
    client.set_server_final(outcome.server_final.decode())
    assert play("alice", "own", verifiers)[0].device_id == OWN


def test_a_wrong_password_fits_nothing():
    outcome, client = play("alice", "pencils", [(OWN, VERIFIER)])
    assert outcome.device_id is None
    assert outcome.server_final == b"e=invalid-proof"
    with pytest.raises(scramp.ScramException):
        client.set_server_final(outcome.server_final.decode())


def test_passwords_are_prepared_alike_on_both_sides():
    kept = verifier_from_password(prepared_for_keeping("gru\u0308n IX"), SALT, 4096)
    assert play("alice", "grün \u2168", [(OWN, kept)])[0].device_id == OWN


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"n",
        b"n,",
        b"n,,",
        b"p=tls-unique,,n=user,r=abc",
        b"x,,n=user,r=abc",
        b"n,bob,n=user,r=abc",
        b"n,,r=abc,n=user",
        b"n,,m=ext,n=user,r=abc",
        b"n,,n=user",
        b"n,,n=,r=abc",
        b"n,,n=us=er,r=abc",
        b"n,,n=us=2cer,r=abc",
        b"n,,n=us\0er,r=abc",
        b"n,,n=\xff,r=abc",
        b"n,,n=user,r=",
        b"n,,n=user,r=a b",
        b"n,,n=user,r=" + b"a" * 513,
        b"n,,n=" + b"a" * 4096 + b",r=abc",
    ],
)
def test_a_broken_first_message_is_refused(first):
    with pytest.raises(RemoteProtocolError):
        ScramServer(b"nonce").first(first)


def test_names_may_hold_comma_and_equals_and_a_wish_to_be_another():
    names = ScramServer(b"nonce").first(b"y,a=b=2Cc,n=d=3De,r=abc")
    assert (names.authzid, names.authcid) == ("b,c", "d=e")


@pytest.mark.parametrize(
    "final",
    [
        b"",
        b"c=biws,r=NONCE",
        b"c=eSws,r=NONCE,p=PROOF",
        b"c=biws,r=NONCEx,p=PROOF",
        b"c=biws,r=abc,p=PROOF",
        b"c=b*ws,r=NONCE,p=PROOF",
        b"c=biws,r=NONCE,m=ext,p=PROOF",
        b"c=biws,r=NONCE,p=AAAA",
        b"c=biws,r=NONCE,p=***",
        b"r=NONCE,c=biws,p=PROOF",
        b"c=biws,r=NONCE,p=PROOF," + b"x" * 5000,
    ],
)
def test_a_broken_final_message_is_refused(final):
    server = ScramServer(b"nonce")
    server.first(b"n,,n=user,r=abc")
    nonce = server.challenge(SALT, 4096).partition(b",")[0][2:]
    final = final.replace(b"NONCE", nonce).replace(b"PROOF", b64encode(b"p" * 32))
    with pytest.raises(RemoteProtocolError):
        server.finish(final, [(OWN, VERIFIER)])


def test_an_unknown_optional_extension_is_signed_but_ignored():
    server = ScramServer(b"nonce")
    server.first(b"n,,n=user,r=abc")
    nonce = server.challenge(SALT, 4096).partition(b",")[0][2:]
    final = b"c=biws,r=%b,x=1,p=%b" % (nonce, b64encode(b"p" * 32))
    assert server.finish(final, [(OWN, VERIFIER)]).device_id is None


def test_steps_have_an_order():
    server = ScramServer(b"nonce")
    with pytest.raises(LocalProtocolError):
        server.challenge(SALT, 4096)
    with pytest.raises(RemoteProtocolError):
        server.first(b"rubbish")
    with pytest.raises(LocalProtocolError):
        server.first(b"n,,n=user,r=abc")


@settings(max_examples=150)
@given(st.binary(max_size=80), st.binary(max_size=120))
def test_no_input_does_worse_than_being_refused(first, final):
    server = ScramServer(b"nonce")
    try:
        server.first(b"n,," + first)
        server.challenge(SALT, 4096)
        assert server.finish(final, [(OWN, VERIFIER)]).device_id is None
    except RemoteProtocolError:
        pass
