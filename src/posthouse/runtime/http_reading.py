"""Reading requests: octets in, heads and bodies out, bounded.

Spec: RFC 9112 §2 to §7 (through llhttp), §3.2 (Host), §6.3 (body length).

Notes:
    The parser is llhttp's. What it would keep without bound (an endless header line) is counted
    here. A request that can be read in two ways is fatal: nothing behind it is looked at.
"""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING

import httptools

if TYPE_CHECKING:
    from posthouse.runtime.http import Answer, HttpLimits

from posthouse.runtime.http import BAD_REQUEST, EXPECTATION_FAILED, HEAD_TOO_LARGE, answer_text

_NO_TUNNEL = answer_text(501, "This is no proxy.")


class Incoming:
    """A request being received.

    Attributes:
        method: upper case.
        target: path and query as sent.
        headers: by lower-case name.
        body: pieces that have come and are kept.
        body_bytes: how much has come.
        is_whole: the body is whole.
        keeps_alive: another request may follow.
        expects: 100-continue was asked for.
    """

    __slots__ = (
        "body",
        "body_bytes",
        "expects",
        "headers",
        "is_whole",
        "keeps_alive",
        "method",
        "target",
    )

    def __init__(self) -> None:
        self.method = ""
        self.target = b""
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.body_bytes = 0
        self.is_whole = self.keeps_alive = self.expects = False


class Reader:
    """One connection's parser.

    Attributes:
        arrived: requests whose head is here, oldest first; the last may lack its body.
        failure: set once the input cannot be read on; nothing more is looked at then.
        in_head: a head has begun and is not whole.
    """

    __slots__ = (
        "_current",
        "_head_bytes",
        "_is_over",
        "_limits",
        "_lines",
        "_parser",
        "arrived",
        "failure",
        "in_head",
    )

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._current = Incoming()
        self._head_bytes = 0
        self._lines = 0
        self._is_over = False
        self.arrived: list[Incoming] = []
        self.failure: Answer | None = None
        self.in_head = False

    def feed(self, data: bytes) -> None:
        """Take what came over the wire."""
        if self.failure is not None or self._is_over:
            return
        was_in_head = self.in_head
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # We speak nothing else: it is answered as if it had not asked, and is the last.
            self._current.keeps_alive = False
            self._current.is_whole = True
            self._is_over = True
        except httptools.HttpParserError:
            self.failure = self.failure or BAD_REQUEST
        if self.in_head and self.failure is None:
            # The parser keeps what it has of a line: only the octets that came tell how much.
            self._head_bytes = self._head_bytes + len(data) if was_in_head else len(data)
            if self._head_bytes > self._limits.head_bytes:
                self.failure = HEAD_TOO_LARGE

    # --- called by the parser

    def on_message_begin(self) -> None:
        """A request line begins."""
        self._current = Incoming()
        self._head_bytes = self._lines = 0
        self.in_head = True

    def on_url(self, url: bytes) -> None:
        """Some of the target."""
        self._current.target += url
        if len(self._current.target) > self._limits.head_bytes:
            self._refuse(HEAD_TOO_LARGE)

    def on_header(self, name: bytes, value: bytes | None) -> None:
        """One header line."""
        value = value or b""
        self._lines += 1
        if self._lines > self._limits.headers or len(value) > self._limits.head_bytes:
            self._refuse(HEAD_TOO_LARGE)
        if b"\0" in value:
            self._refuse(BAD_REQUEST)
        # Names are few, and thousands of waiting requests hold them.
        key = intern(name.decode("latin-1").lower())
        text = value.decode("latin-1").strip(" \t")
        headers = self._current.headers
        if key == "host" and key in headers:
            self._refuse(BAD_REQUEST)
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self.in_head = False
        current, parser = self._current, self._parser
        current.method = parser.get_method().decode("ascii")
        current.keeps_alive = parser.should_keep_alive()
        if current.method == "CONNECT":
            self._refuse(_NO_TUNNEL)
        if parser.get_http_version() == "1.1" and "host" not in current.headers:
            self._refuse(BAD_REQUEST)
        if "transfer-encoding" in current.headers and "content-length" in current.headers:
            self._refuse(BAD_REQUEST)
        expected = current.headers.get("expect")
        if expected is not None:
            current.expects = expected.lower() == "100-continue"
            if not current.expects:
                self._refuse(EXPECTATION_FAILED)
        self.arrived.append(current)

    def on_body(self, data: bytes) -> None:
        """Some of the body."""
        self._current.body.append(data)
        self._current.body_bytes += len(data)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._current.is_whole = True

    def _refuse(self, answer: Answer) -> None:
        """Stop here; the error ends the parser's work."""
        self.failure = self.failure or answer
        raise ValueError(answer.status)
