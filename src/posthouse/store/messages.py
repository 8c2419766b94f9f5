"""Messages as content: from their plain octets to a staged blob in wire form (ADR 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.formats.mime.dots import stuff
from posthouse.model.blob import BlobForm

if TYPE_CHECKING:
    from posthouse.formats.mime.dots import Stuffed
    from posthouse.model.blob import StagedBlob
    from posthouse.ports.blobs import Blobs


def stage_message(blobs: Blobs, plain: bytes) -> StagedBlob:
    """Stage a message that is whole; its lines end in CRLF."""
    return stage_stuffed(blobs, stuff(plain))


def stage_stuffed(blobs: Blobs, message: Stuffed) -> StagedBlob:
    """The same of one that is in wire form already."""
    return blobs.stage_bytes(
        message.wire,
        BlobForm.WIRE,
        has_dot_lines=message.has_dot_lines,
        lacks_final_eol=message.lacks_final_eol,
    )
