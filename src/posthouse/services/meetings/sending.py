"""Sending in the name of who is logged in: through the mailflow, with a copy in Sent Items."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.model.address import Address
from posthouse.model.errors import StoreError
from posthouse.services.mailflow.envelope import Origin, Received, Recipient
from posthouse.services.meetings.meeting_mail import Person

if TYPE_CHECKING:
    from collections.abc import Iterable

    from posthouse.model.ids import MailboxId
    from posthouse.model.people import Login
    from posthouse.services.directory.addresses import Addresses
    from posthouse.services.mailflow.accept import Mailflow
    from posthouse.services.meetings.posting import Note, Post

_AT_ONCE = 500


class Actor(Struct, frozen=True):
    """Who acts, and for whom.

    Attributes:
        login: who came in: they must be allowed to write for ``address``.
        mailbox_id: whose calendar.
        address: its owner's.
        name: its owner's.
        session_id: for the log.
    """

    login: Login
    mailbox_id: MailboxId
    address: str
    name: str
    session_id: str = ""


class Sending:
    """One per process."""

    __slots__ = ("_addresses", "_hostname", "_mailflow", "_post")

    def __init__(self, mailflow: Mailflow, post: Post, addresses: Addresses, hostname: str) -> None:
        self._mailflow = mailflow
        self._post = post
        self._addresses = addresses
        self._hostname = hostname

    async def send(self, actor: Actor, note: Note, address: str, key: bytes = b"") -> None:
        """Send a mail from one of the owner's addresses; nothing when there is nobody to write to.

        Args:
            actor: who sends.
            note: what.
            address: of the owner, as it was invited.
            key: names this mail: said again, it is not sent again; b"" none.

        Raises:
            AccessDenied: the login may not write for the owner.
            NotFound: none of those it is for exists.
            QuotaExceeded, TooLarge, Unavailable: as for any mail.
        """
        author = Person(self._usable(actor, address), actor.name)
        staged, found = self._post.staged(note, author)
        recipients = list(_recipients(found))
        origin = Origin("", 0, self._hostname, "HTTP", actor.login, actor.session_id)
        failure: StoreError | None = None
        for start in range(0, len(recipients), _AT_ONCE):
            some = tuple(recipients[start : start + _AT_ONCE])
            needs_smtputf8 = not all(one.text.isascii() for one in some)
            received = Received(
                Address.parse(author.address),
                some,
                staged,
                origin,
                needs_smtputf8=needs_smtputf8 or not author.address.isascii(),
                key=sha256(b"%b %d" % (key, start)).digest() if key else b"",
            )
            try:
                accepted = await self._mailflow.accept(received)
            except StoreError as error:
                failure = failure or error
            else:
                # Nobody waits for an answer that could get lost; what has a key may be said again.
                if accepted.receipt:
                    self._mailflow.settle(accepted.receipt)
        if failure is not None:
            raise failure

    def _usable(self, actor: Actor, address: str) -> str:
        """The address that was invited, where it may be written from; else the owner's."""
        try:
            parsed = Address.parse(address)
        except ValueError:
            return actor.address
        may = self._addresses.send_right(actor.login.principal, parsed)
        return address if may else actor.address


def _recipients(addresses: Iterable[str]) -> Iterable[Recipient]:
    for text in addresses:
        try:
            yield Recipient(Address.parse(text), text)
        except ValueError:
            continue
