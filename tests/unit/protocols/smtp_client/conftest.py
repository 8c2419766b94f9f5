"""Servers for the client to meet: a scripted one that says what it is told, and a certificate for TLS."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from contextlib import asynccontextmanager

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from posthouse.model.queue import QueuedRecipient
from posthouse.ports.courier import Parcel, Stop, TlsNeed
from posthouse.protocols.smtp.client import Patience, SmtpCourier

WIRE = b"Subject: x\r\n\r\nWords.\r\n..dot\r\n.\r\n"
QUICK = Patience(connect_s=5, tls_s=5, command_s=5, data_s=5, block_s=5, content_s=5, goodbye_s=0.5)


def parcel(*to, wire=WIRE, **fields):
    recipients = tuple(
        r if isinstance(r, QueuedRecipient) else QueuedRecipient(r) for r in to or ["x@one.example"]
    )
    fields = {"prefix": b"Received: by us\r\n", "size_bytes": 500} | fields
    return Parcel(fields.pop("sender", "alice@example.org"), recipients, wire=wire, **fields)


def stop(port, tls=TlsNeed.OPPORTUNISTIC, **fields):
    return Stop("mx.one.example", ("127.0.0.1",), port, tls, **fields)


def courier(patience=QUICK, **fields):
    return SmtpCourier("mail.example.org", patience=patience, **fields)


class Script:
    """Plays one connection: strings are sent, ``expect`` reads a line, ``content`` reads to the lone dot."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.heard = []

    async def say(self, *lines):
        self.writer.write("".join(line + "\r\n" for line in lines).encode())
        await self.writer.drain()

    async def hear(self):
        line = (await self.reader.readline()).decode().rstrip("\r\n")
        self.heard.append(line)
        return line

    async def content(self):
        data = await self.reader.readuntil(b"\r\n.\r\n")
        self.heard.append(data)
        return data

    async def start_tls(self, context):
        await self.writer.start_tls(context)

    async def greet(self, *offers, host="mx.one.example"):
        await self.say(f"220 {host} ESMTP")
        await self.hear()
        lines = [host, *offers]
        await self.say(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")


@asynccontextmanager
async def playing(*plays):
    """A server on loopback; the n-th connection plays the n-th script. Gives (port, scripts)."""
    scripts, failures = [], []

    async def serve(reader, writer):
        script = Script(reader, writer)
        scripts.append(script)
        try:
            await plays[min(len(scripts), len(plays)) - 1](script)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        except AssertionError as error:
            failures.append(error)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], scripts
    finally:
        server.close()
        await server.wait_closed()
    assert not failures, failures


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory):
    """A certificate for mx.one.example that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.one.example")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("mx.one.example")]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder


@pytest.fixture
def server_tls(tls_files):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls_files / "cert.pem", tls_files / "key.pem")
    return context


@pytest.fixture
def trusting(tls_files):
    return ssl.create_default_context(cafile=str(tls_files / "cert.pem"))
