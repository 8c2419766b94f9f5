"""Contacts from vCards, and back into the vCard they came from.

Spec: RFC 6350 §6; RFC 2426 §3.

Notes:
    Only properties whose meaning changes are written; the rest of the original stays octet for
    octet. A contact without an original becomes vCard 3.0: every program reads that, while many
    that synchronise contacts refuse 4.0 and 2.1 has no way to write the tongues of the world.
    FN is not a field but for those contacts that have it set: when it is what the names say, it
    follows them. REV is left as it is, as there is no clock here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import asdict, replace

from posthouse.formats.vcard.codecs import with_param
from posthouse.formats.vcard.draft import Draft
from posthouse.formats.vcard.lines import LIMITS, read_card
from posthouse.formats.vcard.slots import (
    CHILD,
    MARKER,
    MORE,
    SLOT,
    SLOTS,
    address_slot,
    assign,
    is_empty,
    labels_of,
)
from posthouse.formats.vcard.values import (
    clean,
    escape,
    escaped_text,
    list_value,
    listed,
    unescape,
    with_text,
)
from posthouse.model.contact import Contact, EmailAddress, PostalAddress, name_forms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from posthouse.formats.vcard.codecs import FieldValue
    from posthouse.formats.vcard.lines import Line, VcardLimits, Version
    from posthouse.formats.vcard.slots import Assignment, Slot

_BLANK = b"BEGIN:VCARD\r\nVERSION:3.0\r\nN:;;;;\r\nFN:\r\nEND:VCARD\r\n"
_FN = "display_name"


def contact_from_vcard(data: bytes, limits: VcardLimits = LIMITS) -> Contact:
    """The view of the first card in the data.

    Raises:
        NotVcard: there is no card in it.
    """
    draft = Draft(read_card(data, limits))
    return _view(draft, assign(draft.lines(), draft.version))


def vcard_from_contact(
    contact: Contact, original: bytes | None, limits: VcardLimits = LIMITS
) -> bytes:
    """The card that reads as this contact.

    Args:
        contact: as it shall be. Control characters other than tab and LF are left out.
        original: the card it came from, of any version; None for a new one.
        limits: by which the original is read.

    Returns:
        The original itself when it reads so already.

    Raises:
        NotVcard: there is no card in the original.
    """
    want = _cleaned(contact)
    draft = Draft(read_card(_BLANK if original is None else original, limits))
    before = assign(draft.lines(), draft.version)
    old = _view(draft, before)
    if original is not None and old == want:
        return original
    placed = {name: key for name, key in before.lines.items() if key in before.told or name == "n"}
    hosts = before.lines
    for slot in SLOTS:
        fields = _fields(want, slot)
        if fields != _fields(old, slot):
            _put(draft, slot, fields, hosts, placed)
    _put_children(draft, before.children, old.children, want.children)
    if want.categories != old.categories:
        _put_categories(draft, want.categories)
    _settle(draft, placed)
    _put_display_name(draft, old, want)
    return draft.to_bytes()


def _view(draft: Draft, found: Assignment) -> Contact:
    version = draft.version
    values: dict[str, object] = {}
    for name, key in found.lines.items():
        slot = SLOT[name]
        values.update(zip(slot.fields, slot.codec.read(draft.line(key), version), strict=True))
    children = (CHILD.codec.read(draft.line(key), version)[0] for key in found.children)
    values["children"] = tuple(children)
    lines = [line for _, line in draft.lines()]
    values["categories"] = tuple(
        item
        for line in lines
        if line.name == "CATEGORIES"
        for item in listed(escaped_text(line), version)
    )
    contact = replace(Contact(), **values)
    fn = _fn(draft)
    if fn is None:
        return contact
    return replace(contact, display_name=_display_name(draft.line(fn), contact, version))


def _fn(draft: Draft) -> int | None:
    """The key of the shown name; of several, the marked or else the first one."""
    found = [(key, line) for key, line in draft.lines() if line.name == "FN"]
    marked = [key for key, line in found if line.param(MARKER).lower() == _FN]
    keys = marked or [key for key, _ in found]
    return keys[0] if keys else None


def _display_name(line: Line, contact: Contact, version: Version) -> str:
    """What FN says beyond the names."""
    text = unescape(escaped_text(line), version)
    if line.param(MARKER).lower() == _FN:
        return text
    return "" if text in name_forms(contact) else text


def _cleaned(contact: Contact) -> Contact:
    """As it will read back."""
    values = {name: _clean_field(value) for name, value in asdict(contact).items()}
    cleaned = replace(contact, **values)
    return replace(
        cleaned,
        nickname=cleaned.nickname.strip(),
        children=tuple(name for name in cleaned.children if name),
        categories=tuple(name.strip() for name in cleaned.categories if name.strip()),
        photo=contact.photo if contact.photo and contact.photo.data else None,
    )


def _clean_field(value: object) -> object:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, tuple):
        return tuple(clean(item) for item in value)
    if isinstance(value, EmailAddress | PostalAddress):
        return replace(value, **{name: clean(text) for name, text in asdict(value).items()})
    return value


def _fields(contact: Contact, slot: Slot) -> tuple[FieldValue, ...]:
    return tuple(getattr(contact, name) for name in slot.fields)


def _put(
    draft: Draft,
    slot: Slot,
    fields: Sequence[FieldValue],
    hosts: dict[str, int],
    placed: dict[str, int],
) -> None:
    """Write one slot; ``placed`` learns what became of it."""
    key = hosts.get(slot.name)
    if slot.family == "ADR":
        _drop_labels(draft, slot)
    if is_empty(fields) and slot.name != "n":
        if key is not None:
            draft.remove(key)
            placed.pop(slot.name, None)
    elif key is not None:
        draft.replace(key, slot.codec.write(draft.line(key), fields, draft.form))
        placed[slot.name] = key
    else:
        placed[slot.name] = draft.add(
            slot.label,
            slot.types,
            lambda line: slot.codec.write(line, fields, draft.form),
            slot.ab_label,
        )


def _drop_labels(draft: Draft, slot: Slot) -> None:
    """Take away the printed form of an address that changes: it would show the old one."""
    labels = labels_of(line for _, line in draft.lines())
    for key, line in draft.lines():
        if line.name == "LABEL" and address_slot(line, labels) == slot.name:
            draft.remove(key)


def _put_children(
    draft: Draft, keys: Sequence[int], old: Sequence[str], want: Sequence[str]
) -> None:
    """Each child keeps its own line where the order allows."""
    if tuple(old) == tuple(want):
        return
    wanted = set(want)
    kept = [(key, name) for key, name in zip(keys, old, strict=True) if name in wanted]
    if not draft.adds_last:
        kept = []
    elif [name for _, name in kept] != list(want[: len(kept)]):
        kept = list(zip(keys, want, strict=False))
    staying = dict(kept)
    for key, name in zip(keys, old, strict=True):
        if key not in staying:
            draft.remove(key)
        elif staying[key] != name:
            draft.replace(key, CHILD.codec.write(draft.line(key), [staying[key]], draft.form))
    for name in want[len(kept) :]:
        _add_child(draft, name)


def _add_child(draft: Draft, name: str) -> None:
    draft.add(
        CHILD.label, (), lambda line: CHILD.codec.write(line, [name], draft.form), CHILD.ab_label
    )


def _put_categories(draft: Draft, categories: Iterable[str]) -> None:
    """All in the first such property, the others go."""
    value = list_value(categories, draft.version)
    keys = [key for key, line in draft.lines() if line.name == "CATEGORIES"]
    for key in keys[1:] if value else keys:
        draft.remove(key)
    if value and keys:
        draft.replace(keys[0], with_text(draft.line(keys[0]), value, draft.form))
    elif value:
        draft.add(b"CATEGORIES", (), lambda line: with_text(line, value, draft.form))


def _settle(draft: Draft, placed: dict[str, int]) -> None:
    """Mark what would not be read into its slot by itself.

    First only what is wrong; where that moves others, all that could be in a slot.
    """
    slots = {key: name for name, key in placed.items()}
    for whole in (False, True):
        now = assign(draft.lines(), draft.version)
        found = {key: name for name, key in now.lines.items()}
        wrong = [key for key in now.told if found.get(key) != slots.get(key)]
        if not wrong:
            return
        families = {SLOT[slots.get(key) or found[key]].family for key in wrong}
        for key in sorted(now.told if whole else wrong):
            name = slots.get(key) or found.get(key)
            if name is None or SLOT[name].family in families:
                marker = slots.get(key, MORE)
                draft.replace(key, with_param(draft.line(key), MARKER, marker, draft.form))


def _put_display_name(draft: Draft, old: Contact, want: Contact) -> None:
    """Write FN when it would not read as wanted, or is empty though there is a name now."""
    key = _fn(draft)
    if key is None:
        if not want.display_name:
            return
        key = draft.add(b"FN", (), lambda line: line)
    line = draft.line(key)
    text = unescape(escaped_text(line), draft.version)
    reads_as = _display_name(line, want, draft.version)
    if reads_as == want.display_name and (text or not want.shown_name):
        return
    forms = name_forms(want)
    if want.display_name:
        marker = _FN if want.display_name in forms else ""
        text = want.display_name
    else:
        before = name_forms(old)
        form = before.index(text) if text in before else 0
        marker, text = "", forms[form if form < len(forms) else 0]
    line = with_param(line, MARKER, marker, draft.form)
    draft.replace(key, with_text(line, escape(text, draft.version), draft.form))
