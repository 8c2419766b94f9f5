"""Loops: where a message has been already.

Spec: RFC 5321 §6.3 (loop detection), RFC 9228 (Delivered-To).
"""

from __future__ import annotations

from typing import NamedTuple

from posthouse.formats.mime.headers import fields, header_block

_NOWHERE: frozenset[str] = frozenset()


class Passed(NamedTuple):
    """What the trace fields tell.

    Attributes:
        received_count: how many hosts took it in so far.
        delivered_to: keys of the addresses it was delivered to.
    """

    received_count: int
    delivered_to: frozenset[str]


def passed(head: bytes) -> Passed:
    """Read the trace fields of a header block. Two scans for a usual message."""
    lowered = head[: header_block(head)].lower()
    count = lowered.count(b"\nreceived:") + lowered.startswith(b"received:")
    if b"delivered-to" not in lowered:
        return Passed(count, _NOWHERE)
    values = (field.value for field in fields(head) if field.name == b"delivered-to")
    return Passed(
        count, frozenset(v.strip(b" \t<>").decode("utf-8", "replace").casefold() for v in values)
    )
