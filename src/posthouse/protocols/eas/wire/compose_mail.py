"""What SendMail, SmartReply and SmartForward ask for.

Spec: [MS-ASCMD] §2.2.1.17 (SendMail), §2.2.1.19 (SmartForward), §2.2.1.20 (SmartReply),
    §2.2.3.28.1 (ClientId), §2.2.3.173 (Source).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posthouse.formats.html_text import readable_text
from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.incoming_body import body_from_data
from posthouse.protocols.eas.wire.options import BodyKind

if TYPE_CHECKING:
    from posthouse.protocols.eas.wire.element import Element
    from posthouse.protocols.eas.wire.request_line import RequestLine

_CLIENT_ID_MAX: Final = 40
_FORWARDEES_MAX: Final = 500
_NAME_MAX: Final = 256
_COMMENT_MAX: Final = 1 << 20


class Source(Struct, frozen=True):
    """What is answered or forwarded.

    Attributes:
        server_id: ``<folder>:<item>``.
        instance_id: of one occurrence of a series, as sent ("" the whole).
    """

    server_id: str
    instance_id: str = ""


class Composed(Struct, frozen=True):
    """A message to be sent.

    Attributes:
        client_id: the client's own name for it, 1 to 40 characters.
        mime: the message; b"" only with forwardees.
        saves_copy: a copy goes to Sent Items.
        replaces_mime: the client has put the source in itself.
        account_id: by which account ("" the only one).
        source: what is answered or forwarded; None: nothing.
        forwardees: name and address of those who get an invitation.
        comment: what the person says to them, plain text.
    """

    client_id: str
    mime: bytes
    saves_copy: bool = False
    replaces_mime: bool = False
    account_id: str = ""
    source: Source | None = None
    forwardees: tuple[tuple[str, str], ...] = ()
    comment: str = ""


def composed_from(request: Element | None, line: RequestLine) -> Composed:
    """Read the request.

    Args:
        request: of one of the three commands.
        line: names the source where the body does not, and may ask for the copy.

    Raises:
        RemoteProtocolError: something is missing or has no proper form (hint ``content``).
    """
    if request is None:
        raise RemoteProtocolError("no body", "content")
    client_id = request.text_of("ClientId")
    if not 0 < len(client_id) <= _CLIENT_ID_MAX:
        raise RemoteProtocolError("ClientId must have 1 to 40 characters", "content")
    forwardees = _forwardees(request)
    mime = request.child("Mime")
    if mime is None and not forwardees:
        raise RemoteProtocolError("no Mime", "content")
    return Composed(
        client_id=client_id,
        mime=b"" if mime is None else mime.octets,
        saves_copy=_flag(request, "SaveInSentItems") or line.saves_in_sent,
        replaces_mime=_flag(request, "ReplaceMime"),
        account_id=request.text_of("AccountId"),
        source=_source(request, line),
        forwardees=forwardees,
        comment=comment_of(request) if forwardees else "",
    )


def _flag(request: Element, name: str) -> bool:
    """True when it is there, empty or 1."""
    found = request.child(name)
    return found is not None and found.text in ("", "1")


def _source(request: Element, line: RequestLine) -> Source | None:
    element = request.child("Source")
    if element is None:
        server_id = line.long_id or named_within(line.collection_id, line.item_id)
        return Source(server_id, line.occurrence) if server_id else None
    server_id = element.text_of("LongId") or named_within(
        element.text_of("FolderId"), element.text_of("ItemId")
    )
    if not server_id:
        raise RemoteProtocolError("a Source without LongId or ItemId", "content")
    return Source(server_id, element.text_of("InstanceId"))


def named_within(folder: str, item: str) -> str:
    """An item's whole name, for clients that cut the folder off; "" when there is none."""
    return f"{folder}:{item}" if item.isdigit() and folder else item


def _forwardees(request: Element) -> tuple[tuple[str, str], ...]:
    holder = request.child("Forwardees")
    if holder is None:
        return ()
    found: list[tuple[str, str]] = []
    for one in holder.each("Forwardee"):
        address = one.text_of("ForwardeeEmail").strip()
        if not address:
            raise RemoteProtocolError("a Forwardee without address", "content")
        found.append((one.text_of("ForwardeeName")[:_NAME_MAX], address))
        if len(found) > _FORWARDEES_MAX:
            raise RemoteProtocolError("too many forwardees", "content")
    return tuple(found)


def comment_of(holder: Element) -> str:
    """The Body in an element as plain text; RTF and MIME say nothing here."""
    body = body_from_data(holder)
    if body is None:
        return ""
    if body.kind is BodyKind.HTML:
        return readable_text(body.text[:_COMMENT_MAX])
    return body.text[:_COMMENT_MAX] if body.kind is BodyKind.PLAIN else ""
