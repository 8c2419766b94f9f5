"""Answers as octets.

Spec: RFC 9112 §4 (status line), §6 (body length); RFC 9110 §6.6.1 (Date), §8.6 (Content-Length).
"""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posthouse.runtime.http import Answer

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODILESS = frozenset({204, 304})
_MIX_MAX = 4_096
"""A body up to this size leaves in one buffer with its head."""


def octets(answer: Answer, now_ms: int, *, is_head: bool, is_last: bool) -> tuple[bytes, ...]:
    """The answer for the wire: head, or head and body.

    Args:
        answer: what is said.
        now_ms: for the Date field.
        is_head: the request was HEAD: the body is told of, not sent.
        is_last: the connection will be closed.

    Raises:
        ValueError: a header with CR, LF or NUL.
    """
    lines = [_status_line(answer.status), f"Date: {_date(now_ms // 1000)}"]
    if answer.content_type:
        lines.append(f"Content-Type: {answer.content_type}")
    if answer.status not in _BODILESS:
        lines.append(f"Content-Length: {len(answer.body)}")
    lines += [f"{name}: {value}" for name, value in answer.headers]
    if is_last:
        lines.append("Connection: close")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1 or "\0" in text:
        raise ValueError("CR, LF or NUL in a header")
    head = f"{text}\r\n\r\n".encode("latin-1", "replace")
    if is_head or answer.status in _BODILESS or not answer.body:
        return (head,)
    if len(answer.body) <= _MIX_MAX:
        return (head + answer.body,)
    return (head, answer.body)


@lru_cache(maxsize=64)
def _status_line(status: int) -> str:
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = ""
    return f"HTTP/1.1 {status} {reason}"


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
