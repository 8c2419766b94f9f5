"""Names of folders as clients give them.

Spec: [MS-ASCMD] §2.2.3.49 (DisplayName).
"""

from __future__ import annotations

from typing import Final

from posthouse.model.errors import RemoteProtocolError

_NAME_MAX: Final = 255


def checked_name(text: str) -> str:
    """The name without outer white space. Raises RemoteProtocolError for what is no name."""
    name = text.strip()
    if not 0 < len(name) <= _NAME_MAX or not name.isprintable():
        raise RemoteProtocolError("this is no name of a folder", "content")
    return name
