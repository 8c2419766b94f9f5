"""What Search and Find ask for, and how much of it they get.

Spec: [MS-ASCMD] §2.2.1.16 (Search), §2.2.1.2 (Find), §2.2.3.143 (Range), §2.2.3.142.2 (Query).

Notes:
    People type the beginnings of words, and devices search while they type: so each word may go on.
    Of Exchange's query language the fields, phrases and AND are understood.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.gal import PHOTO_BYTES_MAX, PictureWish
from posthouse.protocols.eas.wire.sync import SyncOptions, options_asked
from posthouse.protocols.eas.wire.times import ms_from_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROWS_MAX: Final = 100
"""Results in one answer."""
TOO_COMPLEX: Final = "complex"
"""Hint of what is well formed, but more than is looked for here."""
NAMED_MAX: Final = 100
"""Collections or classes in one query."""
_RANGE: Final = re.compile(r"([0-9]{1,3})-([0-9]{1,3})", re.ASCII)
_OPERATORS: Final = re.compile(r"\bAND\b|[()]")
_WORD: Final = re.compile(r"\S+")
_PREFIX_CHARS_MIN: Final = 2


class Page(Struct, frozen=True):
    """Which results are wanted, counted from 0.

    Attributes:
        first: of them.
        last: of them, itself wanted; at most ``ROWS_MAX`` in all.
    """

    first: int = 0
    last: int = ROWS_MAX - 1

    @property
    def size(self) -> int:
        """How many are wanted."""
        return self.last - self.first + 1

    def text(self, shown: int) -> str:
        """The Range of an answer that shows so many."""
        return f"{self.first}-{self.first + shown - 1}" if shown else "0-0"


class MailQuery(Struct, frozen=True):
    """What is looked for in a mailbox; all of it must be met.

    Attributes:
        words: see ``services.search.query``; "" none.
        collections: names of folders; none: everywhere.
        classes: names of item classes; none: all.
        conversation: a ConversationId; b"" not said.
        after_at: received later than this, ms.
        before_at: received earlier than this, ms.
        is_deep: folders below those named are meant too.
    """

    words: str = ""
    collections: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    conversation: bytes = b""
    after_at: int | None = None
    before_at: int | None = None
    is_deep: bool = False

    @property
    def has_bounds(self) -> bool:
        """Whether anything but words is asked of an item."""
        return bool(self.conversation) or self.after_at is not None or self.before_at is not None


def page_asked(options: Element | None) -> Page:
    """The Range of a request. Raises RemoteProtocolError (hint ``content``)."""
    text = options.text_of("Range").strip() if options is not None else ""
    if not text:
        return Page()
    match = _RANGE.fullmatch(text)
    if match is None or int(match[2]) < int(match[1]):
        raise RemoteProtocolError("Range is none", "content")
    first = int(match[1])
    return Page(first, min(int(match[2]), first + ROWS_MAX - 1))


def picture_wish(options: Element | None) -> PictureWish | None:
    """Which pictures are wanted. Raises RemoteProtocolError (hint ``content``)."""
    picture = options.child("Picture") if options is not None else None
    if picture is None:
        return None
    has_count = picture.child("MaxPictures") is not None
    return PictureWish(
        picture.number_of("MaxSize", PHOTO_BYTES_MAX),
        picture.number_of("MaxPictures") if has_count else None,
    )


def search_options(options: Element | None) -> SyncOptions:
    """What the Options of a Search say of items. Raises RemoteProtocolError."""
    if options is None or not options.children:
        return SyncOptions()
    # The elements are those of Sync; only what holds them has another name.
    as_sync = Element("AirSync", "Collection", [Element("AirSync", "Options", options.children)])
    return options_asked(as_sync) or SyncOptions()


def search_query(store: Element) -> MailQuery:
    """The query of a Search in the store ``Mailbox``.

    Raises:
        RemoteProtocolError: hint ``content``: there is nothing to look for, or rubbish; hint
            ``TOO_COMPLEX``.
    """
    query = store.child("Query")
    options = store.child("Options")
    if query is None:
        raise RemoteProtocolError("no Query", "content")
    terms = query.child("And") or query
    known = {"FreeText", "Class", "CollectionId", "ConversationId", "GreaterThan", "LessThan"}
    if len(query.children) > 1 and terms is not query:
        raise RemoteProtocolError("terms beside And", TOO_COMPLEX)
    for term in terms.children:
        if term.tag not in known:
            raise RemoteProtocolError(f"terms with {term.tag}", TOO_COMPLEX)
    found = _query(
        terms,
        is_deep=options is not None and options.child("DeepTraversal") is not None,
        conversation=_octets(terms.child("ConversationId")),
        after_at=_bound(terms.each("GreaterThan"), max),
        before_at=_bound(terms.each("LessThan"), min),
    )
    if not found.words and not found.has_bounds:
        raise RemoteProtocolError("a query for nothing", "content")
    return found


def find_query(criterion: Element) -> MailQuery:
    """The query of a Find in a mailbox. Raises RemoteProtocolError (hint ``content``)."""
    query, options = criterion.child("Query"), criterion.child("Options")
    if query is None:
        raise RemoteProtocolError("no Query", "content")
    is_deep = options is not None and options.child("DeepTraversal") is not None
    found = _query(query, is_deep=is_deep)
    if not found.words:
        raise RemoteProtocolError("a query for nothing", "content")
    return found


def words_asked(text: str) -> str:
    """What somebody typed, as ``services.search.query`` reads it."""
    segments = text.split('"')
    for index in range(0, len(segments), 2):  # the others are phrases
        plain = _OPERATORS.sub(" ", segments[index])
        segments[index] = _WORD.sub(_going_on, plain)
    return '"'.join(segments).strip()


def _going_on(match: re.Match[str]) -> str:
    word = match[0]
    bare = word.rpartition(":")[2]
    is_whole = len(bare) < _PREFIX_CHARS_MIN or bare.endswith("*")
    return word if is_whole else f"{word}*"


def _query(
    terms: Element,
    *,
    is_deep: bool,
    conversation: bytes = b"",
    after_at: int | None = None,
    before_at: int | None = None,
) -> MailQuery:
    texts = " ".join(one.text for one in terms.each("FreeText"))
    collections = tuple(one.text for one in terms.each("AirSync:CollectionId"))
    classes = tuple(one.text for one in terms.each("AirSync:Class"))
    if max(len(collections), len(classes)) > NAMED_MAX:
        raise RemoteProtocolError("too many folders or classes", TOO_COMPLEX)
    # "0" is the mailbox itself, as Outlook says it.
    named = tuple(one for one in collections if one not in ("", "0"))
    return MailQuery(
        words_asked(texts),
        named if len(named) == len(collections) else (),
        tuple(one for one in classes if one),
        conversation,
        after_at,
        before_at,
        is_deep,
    )


def _octets(element: Element | None) -> bytes:
    return b"" if element is None else element.octets


def _bound(terms: Iterable[Element], narrowest: Callable[[list[int]], int]) -> int | None:
    times: list[int] = []
    for term in terms:
        if term.child("Email:DateReceived") is None:
            raise RemoteProtocolError("only times of receipt are compared", TOO_COMPLEX)
        times.append(ms_from_text(term.text_of("Value")))
    return narrowest(times) if times else None
