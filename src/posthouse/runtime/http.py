"""What an HTTP door and the runtime owe each other: requests, answers, limits.

Spec: RFC 9110 (semantics); RFC 9112 (HTTP/1.1).

Notes:
    A door is asked twice: when the head of a request is there (``admit``: who is it, how much may
    the body be), and when the body is whole (``answer``). So a stranger can make nobody hold more
    than a few octets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

Headers = tuple[tuple[str, str], ...]


class Head(Struct, frozen=True):
    """A request without its body.

    Attributes:
        method: upper case, as the parser knows them.
        path: as sent, percent signs undecoded, without query.
        query: behind the question mark, as sent.
        headers: by lower-case name; values of a repeated one are joined by ``", "``.
        host: the peer's IP address.
        is_tls: it came by TLS.
        listener: by which listener.
        session_id: names the connection in logs; the same for all its requests.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    host: str
    is_tls: bool
    listener: str
    session_id: str


class Admission(Struct, frozen=True):
    """The door wants to hear the body.

    Attributes:
        body_bytes_max: a longer one is answered 413.
        context: the door's own, given back with the body.
        is_known: the peer has proved who it is.
    """

    body_bytes_max: int = 0
    context: Any = None
    is_known: bool = False


class Answer(Struct, frozen=True):
    """What is said.

    Attributes:
        status: three digits.
        body: as sent; b"" for statuses that have none.
        content_type: of the body; "" without one.
        headers: further ones.
    """

    status: int
    body: bytes = b""
    content_type: str = ""
    headers: Headers = ()


class HttpDoor(Protocol):
    """One door, or a site of several."""

    async def admit(self, head: Head) -> Admission | Answer:
        """The head is here. An answer ends the request without its body being kept."""
        ...

    async def answer(self, head: Head, admission: Admission, body: bytes) -> Answer:
        """The whole request is here. What it raises is answered 500 and told to the log."""
        ...


class HttpLimits(Struct, frozen=True):
    """Enforced while reading.

    Attributes:
        head_bytes: request line and headers; 431.
        headers: lines; 431.
        head_s: time for a head to be whole, from its first octet; 408.
        body_idle_s: time for the next ``body_progress_bytes`` of a body; 408.
        body_progress_bytes: see there.
        idle_s: time between requests.
        bodies_bytes: all bodies of a process being read; 503.
    """

    head_bytes: int = 32 << 10
    headers: int = 100
    head_s: float = 30.0
    body_idle_s: float = 60.0
    body_progress_bytes: int = 64 << 10
    idle_s: float = 120.0
    bodies_bytes: int = 512 << 20


def answer_text(status: int, text: str, headers: Headers = ()) -> Answer:
    """An answer for people's eyes."""
    return Answer(status, f"{text}\n".encode(), "text/plain; charset=utf-8", headers)


NOT_FOUND = answer_text(404, "There is nothing here.")
INTERNAL_ERROR = answer_text(503, "A passing fault of ours. Try again.", (("Retry-After", "30"),))
BAD_REQUEST = answer_text(400, "This is no request of HTTP/1.1.")
TIMED_OUT = answer_text(408, "The request did not come to its end.")
TOO_LARGE = answer_text(413, "The body is too large.")
HEAD_TOO_LARGE = answer_text(431, "The head of the request is too large.")
BUSY = answer_text(503, "Too much is being received. Try again.", (("Retry-After", "5"),))
EXPECTATION_FAILED = answer_text(417, "Nothing but 100-continue can be expected.")
