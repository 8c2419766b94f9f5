"""Codecs: how a property's value and the fields of a contact become each other.

Spec: RFC 6350 §6; RFC 2426 §3; RFC 4770 §1 (IMPP).

Notes:
    ``write`` gets the line as it is and changes no more of it than the fields say, so that
    parameters and components which the model does not know stay.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol, cast

from posthouse.formats.vcard.lines import line_from_parts, param_bytes, with_params
from posthouse.formats.vcard.values import (
    clean,
    components,
    date_from_line,
    day_from_date,
    escape,
    escape_uri,
    escaped_text,
    is_uri,
    list_value,
    listed,
    photo_from_line,
    unescape,
    with_components,
    with_photo,
    with_text,
)
from posthouse.model.contact import EmailAddress, Photo, PostalAddress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.formats.vcard.lines import Form, Line, Version

FieldValue = str | EmailAddress | PostalAddress | Photo | None
DISPLAY_NAME = "X-DISPLAY-NAME"
_STREET_PARTS = 3


class Codec(Protocol):
    """Between one property and one or several fields."""

    def read(self, line: Line, version: Version) -> Sequence[FieldValue]:
        """The fields, in the slot's order; empty ones for what cannot be read."""
        ...

    def write(self, line: Line, fields: Sequence[FieldValue], form: Form) -> Line:
        """The line with these fields."""
        ...


class TextCodec:
    """One text."""

    def read(self, line: Line, version: Version) -> Sequence[FieldValue]:
        """The text."""
        return (unescape(escaped_text(line), version),)

    def write(self, line: Line, fields: Sequence[FieldValue], form: Form) -> Line:
        """Its parameters stay."""
        return with_text(line, escape(cast("str", fields[0]), form.version), form)


class UriCodec(TextCodec):
    """A URI, or what people put where one should be."""

    def write(self, line: Line, fields: Sequence[FieldValue], form: Form) -> Line:
        """Its parameters stay."""
        return with_text(line, escape_uri(cast("str", fields[0]), form.version), form)


class ImCodec(TextCodec):
    """An address for instant messages: IMPP has a URI, X-AIM and its like the bare name."""

    def write(self, line: Line, fields: Sequence[FieldValue], form: Form) -> Line:
        """A new one that is no URI goes where Outlook has it."""
        text = cast("str", fields[0])
        if not line.value and line.name == "IMPP" and not is_uri(text):
            params = [param.raw for param in line.params]
            line = line_from_parts(b"X-MS-IMADDRESS", params, b"", form)
        write = escape_uri if line.name == "IMPP" else escape
        return with_text(line, write(text, form.version), form)


class PhoneCodec(TextCodec):
    """A number: text, or a ``tel:`` URI in vCard 4.0."""

    def read(self, line: Line, version: Version) -> Sequence[FieldValue]:
        """Without ``tel:``."""
        text = unescape(escaped_text(line), version)
        if line.param("VALUE").upper() == "URI" and text[:4].lower() == "tel:":
            text = text[4:]
        return (text,)

    def write(self, line: Line, fields: Sequence[FieldValue], form: Form) -> Line:
        """As text: what clients write is seldom a valid URI."""
        return with_text(line, escape(cast("str", fields[0]), form.version), form, ("VALUE",))


class ListCodec:
    """A list that the model has as one text."""

    def read(self, line: Line, version: Version) -> Sequence[FieldValue]:
        """The items, with a comma and a space between them."""
        return (", ".join(listed(escaped_text(line), version)),)

    def write(self, line: Line, fields: Sequence[FieldValue], form: Form) -> Line:
        """The text is one item: nobody knows which commas divide."""
        items = [cast("str", fields[0])]
        return with_text(line, list_value(items, form.version), form)


class StructureCodec:
    """The first components of a structured value, one for each field."""

    def __init__(self, count: int) -> None:
        self._count = count

    def read(self, line: Line, version: Version) -> Sequence[FieldValue]:
        """The components in order."""
        return components(escaped_text(line), self._count, version)

    def write(self, line: Line, fields: Sequence[FieldValue], form: Form) -> Line:
        """Components that do not change keep their escapes."""
        wanted = cast("Sequence[str]", fields)
        escaped = with_components(escaped_text(line), wanted, form.version)
        return with_text(line, escaped, form, ("SORT-AS",))


class AddressCodec:
    """A postal address: box, extended address and street are one field, in lines."""

    def read(self, line: Line, version: Version) -> Sequence[FieldValue]:
        """One address."""
        parts = components(escaped_text(line), 7, version)
        return (PostalAddress(_street(parts), *parts[_STREET_PARTS:]),)

    def write(self, line: Line, fields: Sequence[FieldValue], form: Form) -> Line:
        """Without the label and the place on the map, which would be those of the old one."""
        address = cast("PostalAddress", fields[0])
        text = escaped_text(line)
        lead = components(text, _STREET_PARTS, form.version)
        if _street(lead) != address.street:
            lead = ["", "", address.street]
        rest = (address.city, address.state, address.postal_code, address.country)
        escaped = with_components(text, [*lead, *rest], form.version)
        return with_text(line, escaped, form, ("LABEL", "GEO", "TZ"))


def _street(parts: Sequence[str]) -> str:
    return "\n".join(part for part in parts[:_STREET_PARTS] if part)


class EmailCodec:
    """An address, and the name shown for it in a parameter of ours: no standard has one."""

    def read(self, line: Line, version: Version) -> Sequence[FieldValue]:
        """One address."""
        text = unescape(escaped_text(line), version)
        return (EmailAddress(text, clean(line.param(DISPLAY_NAME))),)

    def write(self, line: Line, fields: Sequence[FieldValue], form: Form) -> Line:
        """The name's parameter only where there is a name."""
        email = cast("EmailAddress", fields[0])
        line = with_param(line, DISPLAY_NAME, email.name, form)
        return with_text(line, escape(email.address, form.version), form)


class DateCodec:
    """A date."""

    def read(self, line: Line, version: Version) -> Sequence[FieldValue]:  # noqa: ARG002
        """ISO date or None."""
        return (date_from_line(line),)

    def write(self, line: Line, fields: Sequence[FieldValue], form: Form) -> Line:
        """Without time: the model has none."""
        day = day_from_date(cast("str", fields[0]), form.version)
        line = with_text(line, day.value.decode(), form, ("VALUE", "X-APPLE-OMIT-YEAR", "CALSCALE"))
        if not day.omits_year:
            return line
        return with_param(line, "X-APPLE-OMIT-YEAR", day.value[:4].decode(), form)


class PhotoCodec:
    """A picture in the card itself."""

    def read(self, line: Line, version: Version) -> Sequence[FieldValue]:  # noqa: ARG002
        """The picture or None."""
        return (photo_from_line(line),)

    def write(self, line: Line, fields: Sequence[FieldValue], form: Form) -> Line:
        """In place of whatever was there, a link too."""
        return with_photo(line, cast("Photo", fields[0]), form)


_TOKEN = re.compile(r"[A-Za-z0-9_\-]+")


def with_param(line: Line, name: str, value: str, form: Form) -> Line:
    """The line with this one value of a parameter; "" takes the parameter away."""
    if line.param(name) == value:
        return line
    params = [param.raw for param in line.params if param.name != name]
    if value:
        plain = _TOKEN.fullmatch(value)
        params.append(f"{name}={value}".encode() if plain else param_bytes(name, value))
    return with_params(line, params, form)
