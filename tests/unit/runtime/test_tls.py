"""Certificates and contexts."""

from __future__ import annotations

import socket
import ssl
import stat
import threading

import pytest
from cryptography import x509

from posthouse.model.errors import ConfigurationError
from posthouse.runtime import tls
from posthouse.runtime.clock import SystemClock


def test_keys_are_private_and_the_authority_is_kept(tmp_path):
    tls.make_authority_and_certificate(tmp_path, ["mail.example.org", "127.0.0.1"], SystemClock())
    authority = (tmp_path / "ca.pem").read_bytes()
    first = (tmp_path / "server.pem").read_bytes()
    for name in ("ca.key", "server.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    tls.make_authority_and_certificate(tmp_path, ["mail.example.org"], SystemClock())
    assert (tmp_path / "ca.pem").read_bytes() == authority
    assert (tmp_path / "server.pem").read_bytes() != first
    certificate = x509.load_pem_x509_certificate(first)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mail.example.org"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert not list(tmp_path.glob("*.new"))


def test_strict_clients_accept_what_we_make(certificate):
    context = tls.client_context(certificate / "ca.pem")
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    server = tls.server_context(certificate / "server.pem", certificate / "server.key")
    ours, theirs = socket.socketpair()

    def serve():
        with server.wrap_socket(ours, server_side=True) as sock:
            sock.unwrap().close()

    thread = threading.Thread(target=serve)
    thread.start()
    with context.wrap_socket(theirs, server_hostname="localhost") as client:
        assert client.version() == "TLSv1.3"
        client.unwrap().close()
    thread.join()


def test_a_missing_or_foreign_key_is_a_configuration_error(tmp_path, certificate):
    with pytest.raises(ConfigurationError, match="certificate"):
        tls.server_context(tmp_path / "none.pem", tmp_path / "none.key")
    tls.make_authority_and_certificate(tmp_path, ["other"], SystemClock())
    context = tls.server_context(certificate / "server.pem", certificate / "server.key")
    with pytest.raises(ConfigurationError, match="belong together"):
        tls.load_certificate(context, certificate / "server.pem", tmp_path / "server.key")
    tls.load_certificate(context, tmp_path / "server.pem", tmp_path / "server.key")


def test_international_names(tmp_path):
    tls.make_authority_and_certificate(tmp_path, ["bücher.example"], SystemClock())
    certificate = x509.load_pem_x509_certificate((tmp_path / "server.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["xn--bcher-kva.example"]


def test_opportunistic_contexts_trust_anybody():
    context = tls.client_context(verify=False)
    assert context.verify_mode is ssl.CERT_NONE
    assert tls.client_context().verify_mode is ssl.CERT_REQUIRED


def test_a_rehearsal_is_a_whole_handshake(certificate):
    context = tls.server_context(certificate / "server.pem", certificate / "server.key")
    tls.rehearse(context)
    assert context.session_stats()["accept_good"] == 1


def test_a_rehearsal_without_a_certificate_raises_nothing():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.rehearse(context)
    assert context.session_stats()["accept_good"] == 0
