"""LANG: in which language to talk to people.

Spec: RFC 6856 §3.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.pop3.errors import Refused
from posthouse.protocols.pop3.wire.texts import language_for, language_lines
from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Lang


def handle(session: Pop3Session, command: Lang) -> bytes:
    """List the languages, or change to one.

    Raises:
        Refused: not one of ours; the language stays as it was.
    """
    if not command.language_range:
        return session.ok(Text.LANGUAGES_FOLLOW) + language_lines() + b".\r\n"
    language = language_for(command.language_range)
    if language is None:
        raise Refused(Text.LANGUAGE_UNKNOWN)
    session.language = language
    return session.ok(Text.LANGUAGE_SET, tag=language.tag)
