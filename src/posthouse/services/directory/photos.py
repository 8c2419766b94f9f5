"""Photos of people as they are given.

Notes:
    - A picture is kept and served as it came: without a library for images nothing is scaled down.
      Clients that want small ones say so and are told that it is too large.
    - JPEG and PNG are told by their first octets, whatever a file is called.
"""

from __future__ import annotations

from posthouse.model.book import PHOTO_OCTETS_MAX, Photo
from posthouse.model.errors import ConfigurationError

_BEGINNINGS = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
}


def photo_from_octets(data: bytes, at_ms: int) -> Photo:
    """The picture in a file.

    Args:
        data: the whole file.
        at_ms: when it was given.

    Raises:
        ConfigurationError: neither JPEG nor PNG, or larger than 500 KiB.
    """
    if len(data) > PHOTO_OCTETS_MAX:
        raise ConfigurationError(
            f"the photo has {len(data) // 1024} KiB; make it smaller than"
            f" {PHOTO_OCTETS_MAX // 1024} KiB (648 by 648 pixels are plenty)"
        )
    for beginning, media_type in _BEGINNINGS.items():
        if data.startswith(beginning):
            return Photo(media_type, data, at_ms)
    raise ConfigurationError("the photo is neither JPEG nor PNG")
