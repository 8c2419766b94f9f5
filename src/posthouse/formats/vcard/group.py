"""Distribution lists from vCards, and back into the vCard they came from.

Spec: RFC 6350 §6.1.4 (KIND) and §6.6.5 (MEMBER); RFC 6068 §2 (mailto).

Notes:
    Before vCard 4.0 a list is written as Apple does, whose programs and most others know it. A
    member is a mail address or the uid of a contact; links of other kinds stay in the card. A
    member's name stands in a parameter of ours: neither form has a place for it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from posthouse.formats.vcard.codecs import DISPLAY_NAME, with_param
from posthouse.formats.vcard.draft import Draft
from posthouse.formats.vcard.lines import LIMITS, Version, line_from_parts, read_card
from posthouse.formats.vcard.values import (
    clean,
    components,
    escape,
    escaped_text,
    is_uri,
    unescape,
    with_components,
    with_text,
)
from posthouse.model.contact import DistributionList, Member

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.formats.vcard.lines import Form, Line, VcardLimits

_KINDS = frozenset({"KIND", "X-ADDRESSBOOKSERVER-KIND"})
_MEMBERS = frozenset({"MEMBER", "X-ADDRESSBOOKSERVER-MEMBER"})
_BLANK = b"""BEGIN:VCARD
VERSION:3.0
X-ADDRESSBOOKSERVER-KIND:group
N:;;;;
FN:
END:VCARD
""".replace(b"\n", b"\r\n")
_UID = "urn:uuid:"
_MAILTO = "mailto:"


def is_group(data: bytes, limits: VcardLimits = LIMITS) -> bool:
    """Whether the card is a distribution list rather than a contact.

    Raises:
        NotVcard: there is no card in it.
    """
    return any(
        line.name in _KINDS and escaped_text(line).strip().lower() == "group"
        for line in read_card(data, limits).lines
    )


def group_from_vcard(data: bytes, limits: VcardLimits = LIMITS) -> DistributionList:
    """The view of the first card in the data, whatever its kind.

    Raises:
        NotVcard: there is no card in it.
    """
    return _view(Draft(read_card(data, limits)))


def vcard_from_group(
    group: DistributionList, original: bytes | None, limits: VcardLimits = LIMITS
) -> bytes:
    """The card that reads as this list.

    Args:
        group: as it shall be; members without address and uid are left out.
        original: the card it came from; None for a new one, which becomes vCard 3.0.
        limits: by which the original is read.

    Returns:
        The original itself when it reads so already.

    Raises:
        NotVcard: there is no card in the original.
    """
    want = _cleaned(group)
    draft = Draft(read_card(_BLANK if original is None else original, limits))
    old = _view(draft)
    if original is not None and old == want:
        return original
    if want.name != old.name:
        _put_name(draft, old.name, want.name)
    if want.uid != old.uid:
        _put_text(draft, "UID", want.uid)
    if want.members != old.members:
        _put_members(draft, want.members)
    return draft.to_bytes()


def _view(draft: Draft) -> DistributionList:
    members = (_member(line, draft.version) for _, line in draft.lines())
    return DistributionList(
        name=_text(draft, "FN"),
        members=tuple(member for member in members if member is not None),
        uid=_text(draft, "UID"),
    )


def _text(draft: Draft, name: str) -> str:
    key = _first(draft, name)
    return "" if key is None else unescape(escaped_text(draft.line(key)), draft.version)


def _first(draft: Draft, name: str) -> int | None:
    return next((key for key, line in draft.lines() if line.name == name), None)


def _member(line: Line, version: Version) -> Member | None:
    """None for what is no member, or one of a kind that the model does not know."""
    if line.name not in _MEMBERS:
        return None
    uri = unescape(escaped_text(line), version).strip()
    name = clean(line.param(DISPLAY_NAME))
    lower = uri[: len(_UID)].lower()
    if lower == _UID:
        uid = clean(unquote(uri[len(_UID) :]))
        return Member(name, uid=uid) if uid else None
    if lower.startswith(_MAILTO):
        address = clean(unquote(uri[len(_MAILTO) :].partition("?")[0]))
        return Member(name, address) if address else None
    return Member(name, uri) if "@" in uri and not is_uri(uri) else None


def _cleaned(group: DistributionList) -> DistributionList:
    members = (
        Member(clean(m.name), "" if m.uid else clean(m.address), clean(m.uid))
        for m in group.members
    )
    return DistributionList(
        name=clean(group.name),
        members=tuple(member for member in members if member.address or member.uid),
        uid=clean(group.uid),
    )


def _put_name(draft: Draft, old: str, name: str) -> None:
    """FN, and N where it says the same, as Apple has it."""
    _put_text(draft, "FN", name, stays=True)
    key = _first(draft, "N")
    if key is None:
        return
    line = draft.line(key)
    text = escaped_text(line)
    if components(text, 5, draft.version) == [old, "", "", "", ""]:
        escaped = with_components(text, [name], draft.version)
        draft.replace(key, with_text(line, escaped, draft.form))


def _put_text(draft: Draft, name: str, text: str, *, stays: bool = False) -> None:
    key = _first(draft, name)
    escaped = escape(text, draft.version)
    if key is None:
        draft.add(name.encode(), (), lambda line: with_text(line, escaped, draft.form))
    elif text or stays:
        draft.replace(key, with_text(draft.line(key), escaped, draft.form))
    else:
        draft.remove(key)


def _put_members(draft: Draft, wanted: Sequence[Member]) -> None:
    """A member that stays keeps its own line, with whatever else that says, in its new place."""
    now = [
        (key, member)
        for key, line in draft.lines()
        if (member := _member(line, draft.version)) is not None
    ]
    own: dict[Member, deque[Line]] = defaultdict(deque)
    for key, member in now:
        own[member].append(draft.line(key))
    lines = [
        own[member].popleft() if own[member] else _written(member, draft.form) for member in wanted
    ]
    places = [key for key, _ in now] if draft.adds_last else []
    for key, line in zip(places, lines, strict=False):
        draft.replace(key, line)
    for key, _ in now[min(len(lines), len(places)) :]:
        draft.remove(key)
    for line in lines[len(places) :]:
        draft.append(line)


def _written(member: Member, form: Form) -> Line:
    label = b"MEMBER" if form.version is Version.V40 else b"X-ADDRESSBOOKSERVER-MEMBER"
    uri = _UID + quote(member.uid) if member.uid else _MAILTO + quote(member.address, safe="@+!$'")
    return with_param(
        line_from_parts(label, (), uri.encode(), form), DISPLAY_NAME, member.name, form
    )
