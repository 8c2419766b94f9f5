"""A message being received, on its way into the blob area."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.blob import BlobForm
from posthouse.model.errors import PosthouseError

if TYPE_CHECKING:
    from posthouse.model.blob import StagedBlob
    from posthouse.ports.blobs import Blobs, Staging
    from posthouse.protocols.smtp.wire.commands import ContentEnd


_WIRE = BlobForm.WIRE


class Incoming:
    """Takes the stored form piece by piece; a message that comes in one piece is never copied.

    Attributes:
        failure: why the pieces cannot be kept; further ones are dropped, so that the client can be
            heard out and told.
        is_8bit: octets above 127 were seen.
        stored_bytes: taken so far.
    """

    __slots__ = ("_blobs", "_first", "_staging", "failure", "is_8bit", "stored_bytes")

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._first = b""
        self._staging: Staging | None = None
        self.failure: PosthouseError | None = None
        self.is_8bit = False
        self.stored_bytes = 0

    def take(self, data: bytes) -> None:
        """Keep the next piece."""
        if not data or self.failure is not None:
            return
        self.stored_bytes += len(data)
        if not self.is_8bit:
            self.is_8bit = not data.isascii()
        if self._staging is None and not self._first:
            self._first = data
            return
        try:
            staging = self._staging or self._begun_staging()
            staging.write(data)
        except PosthouseError as e:
            self.failure = e
            self.discard()

    def _begun_staging(self) -> Staging:
        staging = self._staging = self._blobs.stage(_WIRE)
        first, self._first = self._first, b""
        staging.write(first)
        return staging

    def finish(self, end: ContentEnd, closing: bytes = b"") -> StagedBlob:
        """The message is whole.

        Args:
            end: what is known of it.
            closing: what is still to be added to the stored form.

        Raises:
            PosthouseError: it could not be kept.
        """
        if self.failure is not None:
            raise self.failure
        if self._staging is None and not end.has_dot_lines:
            return self._blobs.stage_bytes(
                self._first + closing if closing else self._first,
                _WIRE,
                lacks_final_eol=end.lacks_final_eol,
            )
        # Its dots are counted: who is given the size need not count them again.
        staging = self._staging or self._begun_staging()
        if closing:
            staging.write(closing)
        return staging.finish(
            end.size_bytes, has_dot_lines=end.has_dot_lines, lacks_final_eol=end.lacks_final_eol
        )

    def discard(self) -> None:
        """Forget it; may be called twice."""
        self._first = b""
        if self._staging is not None:
            self._staging.discard()
