"""APOP: refused.

Spec: RFC 1939 §7.

Notes:
    The digest can only be checked by a server that keeps the password itself, and MD5 is broken
    besides. AUTH SCRAM-SHA-256 does what APOP was for. The greeting has no timestamp, so no client
    is invited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.pop3.errors import Refused
from posthouse.protocols.pop3.wire.codes import Code
from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Apop


def handle(_session: Pop3Session, _command: Apop) -> bytes:
    """Say why not, and what instead."""
    raise Refused(Text.APOP_REFUSED, Code.SYS_PERM)
