"""What there is to announce, whoever asks: only what answers."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Tls(Enum):
    """How a mail service is encrypted."""

    FROM_START = "SSL"
    BY_COMMAND = "STARTTLS"


class MailService(Struct, frozen=True):
    """A service that mail clients are pointed to.

    Attributes:
        kind: ``pop3``, ``imap`` or ``smtp``.
        host: its name, as the certificate has it.
        port: its port.
        tls: how it is encrypted.
    """

    kind: str
    host: str
    port: int
    tls: Tls


class Announced(Struct, frozen=True):
    """All services of the house.

    Attributes:
        host: its public name.
        site: URL of the HTTPS listener, without a slash at the end.
        mail: best first.
        activesync_url: "" while nothing answers there.
        ews_url: the same.
    """

    host: str
    site: str
    mail: tuple[MailService, ...] = ()
    activesync_url: str = ""
    ews_url: str = ""

    def best(self, kind: str) -> MailService | None:
        """The first service of a kind."""
        return next((one for one in self.mail if one.kind == kind), None)


class Person(Struct, frozen=True):
    """Whose account is asked about.

    Attributes:
        address: the primary address.
        name: as shown.
        key: stays the same while the person is here; for ids that clients keep.
    """

    address: str
    name: str
    key: str

    @property
    def legacy_dn(self) -> str:
        """The name that Exchange's older clients know the person by."""
        return f"/o=Posthouse/ou=Exchange Administrative Group/cn=Recipients/cn={self.key}"
