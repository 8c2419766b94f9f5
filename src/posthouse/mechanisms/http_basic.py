"""Basic: name and password in a header of HTTP.

Spec: RFC 7617 §2.

Notes:
    What charset a client wrote in nobody says: the octets are given on, and whoever checks the
    password reads them as UTF-8, else as Windows-1252. A name is read the same way here.
"""

from __future__ import annotations

import binascii

_HEADER_MAX = 8_192
CHALLENGE = 'Basic realm="Posthouse", charset="UTF-8"'


def credentials_from_header(value: str) -> tuple[str, bytes] | None:
    """Name and password of an Authorization header; None when it bears none.

    Args:
        value: of the header, as it came (latin-1 text).
    """
    scheme, _, coded = value.partition(" ")
    if scheme.lower() != "basic" or len(value) > _HEADER_MAX:
        return None
    try:
        octets = binascii.a2b_base64(coded.strip(), strict_mode=True)
    except (binascii.Error, ValueError):
        return None
    name, colon, password = octets.partition(b":")
    if not colon or not name or b"\0" in octets:
        return None
    try:
        return name.decode("utf-8"), password
    except UnicodeDecodeError:
        return name.decode("cp1252", "replace"), password
