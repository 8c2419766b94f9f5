"""PLAIN: name and password in one message.

Spec: RFC 4616 §2.

Notes:
    The door decodes base64 and recognises the cancelling ``*`` before it comes here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from posthouse.model.errors import RemoteProtocolError

FIELD_OCTETS_MAX = 1024


@dataclass(frozen=True, slots=True)
class PlainMessage:
    """What the client said.

    Attributes:
        authzid: whom it wants to act for; "" for itself.
        authcid: whose password this is.
        password: octets as sent; ``saslprep.prepared_for_check`` reads them.
    """

    authzid: str
    authcid: str
    password: bytes = field(repr=False)


def message_from_octets(raw_message: bytes) -> PlainMessage:
    """Read ``[authzid] NUL authcid NUL passwd``.

    Raises:
        RemoteProtocolError: not of that form, an empty name or password, or longer than we read.
    """
    parts = raw_message.split(b"\0", 3)
    if len(parts) != 3:
        raise RemoteProtocolError("PLAIN: three fields expected")
    authzid, authcid, password = parts
    if not authcid or not password:
        raise RemoteProtocolError("PLAIN: empty name or password")
    if max(map(len, parts)) > FIELD_OCTETS_MAX:
        raise RemoteProtocolError("PLAIN: field too long")
    return PlainMessage(_name(authzid), _name(authcid), password)


def _name(raw_name: bytes) -> str:
    try:
        return raw_name.decode()
    except UnicodeDecodeError as e:
        raise RemoteProtocolError("PLAIN: name is not UTF-8") from e
