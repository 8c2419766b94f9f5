"""Oof: the reply while somebody is away, as Settings has it.

Spec: [MS-ASCMD] §2.2.3.114 (Oof), §2.2.3.115 (OofMessage), §2.2.3.116 (OofState).

Notes:
    There is one text for all outside. A device that sends one for people in the contacts and
    another for the rest leaves the latter; one that answers neither leaves the text as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from posthouse.formats.html_text import html_from_text, readable_text
from posthouse.model.errors import RemoteProtocolError
from posthouse.model.out_of_office import Audience, OofState, OutOfOffice
from posthouse.protocols.eas.wire.body import xml_text
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.times import long_from_ms, ms_from_text

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFLICT: Final = "conflict"
"""Hint: what is said does not go together."""
_STATES: Final = (OofState.DISABLED, OofState.ENABLED, OofState.SCHEDULED)
_INTERNAL: Final = "AppliesToInternal"
_KNOWN: Final = "AppliesToExternalKnown"
_UNKNOWN: Final = "AppliesToExternalUnknown"
_HTML: Final = "HTML"
_TEXT: Final = "Text"
_YES: Final = ("1", "true")


class _Reply(Struct, frozen=True):
    is_on: bool
    text: str | None
    is_html: bool


def oof_elements(value: OutOfOffice, body_type: str) -> list[Element]:
    """The children of Get.

    Args:
        value: what has been settled.
        body_type: as asked for: HTML, or text.
    """
    elements = [_of("OofState", str(_STATES.index(value.state)))]
    if value.state is OofState.SCHEDULED:
        elements.append(_of("StartTime", long_from_ms(value.start_at)))
        elements.append(_of("EndTime", long_from_ms(value.end_at)))
    is_html = body_type.strip().upper() == _HTML
    internal = _shown(value.internal, is_html=value.is_internal_html, as_html=is_html)
    external = _shown(value.external, is_html=value.is_external_html, as_html=is_html)
    rows = (
        (_INTERNAL, internal, True),
        (_KNOWN, external, value.audience is not Audience.NONE),
        (_UNKNOWN, external, value.audience is Audience.ALL),
    )
    for tag, text, is_wanted in rows:
        children = [_of(tag), _of("Enabled", "1" if text and is_wanted else "0")]
        if text:
            children.append(_of("ReplyMessage", text))
            children.append(_of("BodyType", _HTML if is_html else _TEXT))
        elements.append(_of("OofMessage", children))
    return elements


def _shown(text: str, *, is_html: bool, as_html: bool) -> str:
    if text and is_html != as_html:
        text = html_from_text(text) if as_html else readable_text(text)
    return xml_text(text)


def changed_oof(known: OutOfOffice, said: Element) -> OutOfOffice:
    """What is settled after a Set; what it does not say stays.

    Raises:
        RemoteProtocolError: hint ``content``, or CONFLICT.
    """
    state, replies = known.state, _replies(said)
    if said.child("OofState") is not None:
        number = said.number_of("OofState")
        if number >= len(_STATES):
            raise RemoteProtocolError("no such OofState", "content")
        state = _STATES[number]
    value = replace(known, state=state, **_times(said))
    if state is OofState.SCHEDULED and value.start_at >= value.end_at:
        raise RemoteProtocolError("it ends before it begins", CONFLICT)
    internal = replies.get(_INTERNAL)
    if internal is not None:
        text = _text_of(internal, known.internal) if internal.is_on else ""
        is_html = known.is_internal_html if internal.text is None else internal.is_html
        value = replace(value, internal=text, is_internal_html=is_html and bool(text))
    return _with_external(value, replies)


def _times(said: Element) -> dict[str, int]:
    start, end = said.text_of("StartTime"), said.text_of("EndTime")
    if bool(start) != bool(end):
        raise RemoteProtocolError("StartTime and EndTime go together", CONFLICT)
    return {"start_at": ms_from_text(start), "end_at": ms_from_text(end)} if start else {}


def _replies(said: Element) -> dict[str, _Reply]:
    out: dict[str, _Reply] = {}
    for message in said.each("OofMessage"):
        text = message.child("ReplyMessage")
        enabled = message.text_of("Enabled", "1" if text is not None else "0").strip().lower()
        is_html = message.text_of("BodyType").strip().upper() == _HTML
        reply = _Reply(enabled in _YES, text.text if text is not None else None, is_html)
        for tag in (_INTERNAL, _KNOWN, _UNKNOWN):
            if message.child(tag) is not None:
                out[tag] = reply
    return out


def _text_of(reply: _Reply, known: str) -> str:
    return known if reply.text is None else reply.text


def _with_external(value: OutOfOffice, replies: Mapping[str, _Reply]) -> OutOfOffice:
    known, unknown = replies.get(_KNOWN), replies.get(_UNKNOWN)
    if known is None and unknown is None:
        return value
    is_known = value.audience is not Audience.NONE if known is None else known.is_on
    is_unknown = value.audience is Audience.ALL if unknown is None else unknown.is_on
    audience = Audience.NONE
    if is_unknown:
        audience = Audience.ALL
    elif is_known:
        audience = Audience.KNOWN
    value = replace(value, audience=audience)
    for reply in (unknown, known):
        if reply is not None and reply.is_on and reply.text:
            return replace(value, external=reply.text, is_external_html=reply.is_html)
    return value


def _of(tag: str, content: str | list[Element] = "") -> Element:
    return Element("Settings", tag, content)
