"""A POP3 session: what is known of one client between its commands.

Spec: RFC 1939 §3, RFC 2595 §4 (what STLS makes the server forget).

Notes:
    Small on purpose: ten thousand of these wait in a process. The maildrop is shared; marks and the
    window of prefetched contents exist only while there are any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.pop3.errors import Refused
from posthouse.protocols.pop3.wire.codes import Code
from posthouse.protocols.pop3.wire.machine import Machine, Step
from posthouse.protocols.pop3.wire.texts import DEFAULT
from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from posthouse.model.item import Content
    from posthouse.model.people import Login
    from posthouse.protocols.pop3.maildrop import Maildrop
    from posthouse.protocols.pop3.settings import Pop3Services
    from posthouse.protocols.pop3.wire.texts import Language
    from posthouse.runtime.connection import Connection

WINDOW_MAX = 64
"""Contents prefetched at once, when a client takes one message after the other."""


class Pop3Session:
    """See the module.

    Attributes:
        services: shared by all sessions.
        connection: to the client.
        machine: the grammar's state.
        language: of what people read.
        is_utf8: UTF8 was said.
        user: the name that USER gave; "" none.
        exchange: the SASL exchange under way: takes an answer, gives the reply.
        login: who it is; None before login.
        login_text: the login name as given, for the log.
        maildrop: None before login.
        marked: numbers marked by DELE; None while there are none.
        retrieved: messages sent.
        retrieved_octets: their octets, and those of TOP.
        deleted: messages put away by QUIT.
        errors: offences so far.
        ending: why the session is over, for the log; "" while it goes on.
        wants_tls: the handshake is to follow the reply.
    """

    __slots__ = (
        "_next_no",
        "_reach",
        "_window",
        "connection",
        "deleted",
        "ending",
        "errors",
        "exchange",
        "is_utf8",
        "language",
        "login",
        "login_text",
        "machine",
        "maildrop",
        "marked",
        "retrieved",
        "retrieved_octets",
        "services",
        "user",
        "wants_tls",
    )

    def __init__(self, services: Pop3Services, connection: Connection) -> None:
        self.services = services
        self.connection = connection
        self.machine = Machine(services.settings.line_limits)
        self.language: Language = DEFAULT
        self.is_utf8 = False
        self.user = ""
        self.exchange: Callable[[bytes], Awaitable[bytes]] | None = None
        self.login: Login | None = None
        self.login_text = ""
        self.maildrop: Maildrop | None = None
        self.marked: set[int] | None = None
        self.retrieved = 0
        self.retrieved_octets = 0
        self.deleted = 0
        self.errors = 0
        self.ending = ""
        self.wants_tls = False
        self._window: dict[int, Content] | None = None
        self._next_no = 0
        self._reach = 1

    # --- before login

    @property
    def allows_plain(self) -> bool:
        """Whether a password may cross this connection as it is."""
        return self.connection.is_tls or self.services.settings.allow_plaintext_auth

    def require_privacy(self) -> None:
        """Raise Refused where a password could be overheard."""
        if not self.allows_plain:
            raise Refused(Text.TLS_NEEDED, Code.SYS_PERM)

    def forget(self) -> None:
        """TLS has begun: what was said before may have been said by somebody else (RFC 2595 §4)."""
        self.language = DEFAULT
        self.is_utf8 = False
        self.user = ""
        self.exchange = None

    def logged_in(self, login: Login, maildrop: Maildrop) -> None:
        """The session reaches TRANSACTION."""
        self.login = login
        self.maildrop = maildrop
        self.user = ""
        self.exchange = None
        self.errors = 0
        self.machine.advance(Step.LOGGED_IN)
        self.connection.logged_in()
        self.connection.set_deadline(self.services.settings.idle_s)

    def end(self, reason: str) -> None:
        """The session is over when this command is answered; the first reason counts."""
        self.ending = self.ending or reason

    # --- after login

    def drop(self) -> Maildrop:
        """The maildrop; only called in TRANSACTION."""
        assert self.maildrop is not None  # noqa: S101  the machine lets no such command through before
        return self.maildrop

    def check(self, msg_no: int) -> Maildrop:
        """The maildrop, once it is sure that it holds that number unmarked.

        Raises:
            Refused: out of range, or marked.
        """
        maildrop = self.maildrop
        if maildrop is None or not 0 < msg_no <= maildrop.count:
            raise Refused(Text.NO_MESSAGE)
        if self.marked and msg_no in self.marked:
            raise Refused(Text.MESSAGE_MARKED, msg_no=msg_no)
        return maildrop

    def standing(self) -> tuple[int, int]:
        """How many messages there are, less those marked, and their octets."""
        maildrop = self.drop()
        if not self.marked:
            return maildrop.count, maildrop.octets
        octets = maildrop.octets - maildrop.octets_of(self.marked)
        return maildrop.count - len(self.marked), octets

    def content_at_hand(self, msg_no: int) -> Content | None:
        """The content of a message if it was read ahead; each can be taken once."""
        window = self._window
        if window is None:
            return None
        found = window.pop(msg_no, None)
        if not window:
            self._window = None
        return found

    async def content(self, maildrop: Maildrop, msg_no: int) -> Content:
        """The content of a message, and those behind it for whoever takes them in order.

        Raises:
            Refused: it has vanished since login.
        """
        found = (await self._read_ahead(maildrop, msg_no)).pop(msg_no, None)
        if not self._window:
            self._window = None
        if found is None:
            raise Refused(Text.MESSAGE_GONE, Code.SYS_TEMP, is_offence=False, msg_no=msg_no)
        return found

    async def _read_ahead(self, maildrop: Maildrop, msg_no: int) -> dict[int, Content]:
        """Fill the window: one content first, four times as many each time more is wanted."""
        size = min(self._reach * 4, WINDOW_MAX) if self._next_no == msg_no else 1
        part = maildrop.part_of(msg_no)
        index = msg_no - part.first_no
        item_ids = part.item_ids[index : index + size]
        records = self.services.store.records
        contents = await records.contents(maildrop.mailbox_id, item_ids)  # type: ignore[arg-type]
        if len(contents) == len(item_ids):
            window = dict(enumerate(contents, msg_no))
        else:
            numbers = {item_id: msg_no + i for i, item_id in enumerate(item_ids)}
            window = {numbers[one.item_id]: one for one in contents}
        self._window = window
        self._next_no = msg_no + len(item_ids)
        self._reach = size
        return window

    def rest(self) -> None:
        """The client is not drawing messages now: let go of what was read ahead."""
        self._window = None
        self._next_no = 0

    # --- words

    def ok(self, text: Text, **fields: object) -> bytes:
        """A positive answer of one line, in the session's language."""
        return self.language.ok(text, **fields)
