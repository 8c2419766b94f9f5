"""Receiving a blob: in memory while it is small, in a temporary file beyond.

Notes:
    Nothing here is synced: durability is the journal's business. A temporary file that is never
    committed is swept.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
from typing import TYPE_CHECKING

from posthouse.backends.files.layout import PACKED_BYTES_MAX
from posthouse.backends.files.operations import write_all
from posthouse.model.blob import BlobForm, BlobRef, StagedBlob
from posthouse.model.errors import InsufficientSpace, Unavailable
from posthouse.model.ids import BlobHash

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from posthouse.backends.files.layout import Layout
    from posthouse.backends.files.operations import FileOperations

HEAD_BYTES_MAX = 1 << 20
_TERMINATOR_BYTES = 3
_RAW = BlobForm.RAW
_WRITE_BYTES = 256 << 10
"""Bytes collected before they go to a temporary file in one write."""
_counter = itertools.count(1)


def head_of(raw: bytes, form: BlobForm, *, has_dot_lines: bool) -> bytes:
    """The first plain bytes of a stored form: the header block, or all there is when it has no end.

    Args:
        raw: the stored form or its first part, of at least HEAD_BYTES_MAX where there is so much.
        form: RAW content is its own head.
        has_dot_lines: some line of the whole is doubled.
    """
    if form is _RAW:
        return raw[:HEAD_BYTES_MAX]
    end = raw.find(b"\r\n\r\n", 0, HEAD_BYTES_MAX)
    head = raw[: end + 4] if end >= 0 else raw[: len(raw) - _TERMINATOR_BYTES][:HEAD_BYTES_MAX]
    if has_dot_lines:
        head = head.replace(b"\r\n.", b"\r\n").removeprefix(b".")
    return head


def stage_small(
    data: bytes, form: BlobForm, size_bytes: int, *, has_dot_lines: bool, lacks_final_eol: bool
) -> StagedBlob:
    """Stage what is whole and in memory."""
    name = BlobHash(hashlib.sha256(data).digest())
    ref = BlobRef(name, form, size_bytes, len(data), has_dot_lines, lacks_final_eol)
    return StagedBlob(ref, data, None, head_of(data, form, has_dot_lines=has_dot_lines))


class FileStaging:
    """One blob being received."""

    __slots__ = (
        "_chunks",
        "_chunks_bytes",
        "_descriptor",
        "_form",
        "_hash",
        "_layout",
        "_operations",
        "_path",
        "_raw_head",
        "_written",
        "size_bytes",
    )

    def __init__(self, layout: Layout, operations: FileOperations, form: BlobForm) -> None:
        self.size_bytes = 0
        self._layout = layout
        self._operations = operations
        self._form = form
        self._chunks: list[bytes] = []
        self._chunks_bytes = 0
        self._descriptor = -1
        self._path: Path | None = None
        self._raw_head = b""
        self._written = 0
        self._hash = hashlib.sha256()

    def write(self, data: bytes | memoryview) -> None:
        """Take more of the stored form; past the size of a packed blob it goes to a file."""
        self._chunks.append(data if type(data) is bytes else bytes(data))
        self.size_bytes += len(data)
        self._chunks_bytes += len(data)
        if self.size_bytes <= PACKED_BYTES_MAX:
            return
        if self._path is None:
            self._guarded(self._open)
        if self._chunks_bytes >= _WRITE_BYTES:
            self._guarded(self._flush)

    def finish(
        self, size_bytes: int, *, has_dot_lines: bool, lacks_final_eol: bool = False
    ) -> StagedBlob:
        """The blob is whole."""
        if self._path is None:
            data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
            self._chunks = []
            return stage_small(
                data,
                self._form,
                size_bytes,
                has_dot_lines=has_dot_lines,
                lacks_final_eol=lacks_final_eol,
            )
        if self._chunks:
            self._guarded(self._flush)
        self._close()
        name = BlobHash(self._hash.digest())
        ref = BlobRef(name, self._form, size_bytes, self.size_bytes, has_dot_lines, lacks_final_eol)
        head = head_of(self._raw_head, self._form, has_dot_lines=has_dot_lines)
        self._raw_head = b""
        return StagedBlob(ref, None, self._path, head)

    def discard(self) -> None:
        """Forget it."""
        self._chunks = []
        self._close()
        if self._path is not None:
            self._operations.unlink(self._path)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do it; a refusal of the disk ends the staging and comes out in the store's words."""
        try:
            work()
        except OSError as e:
            self.discard()
            if e.errno in (errno.ENOSPC, errno.EDQUOT):
                raise InsufficientSpace(f"no room to receive a message: {e}") from e
            raise Unavailable(f"cannot receive a message: {e}") from e

    def _open(self) -> None:
        while self._path is None:
            path = self._layout.tmp / f"{os.getpid()}-{next(_counter)}"
            try:
                self._descriptor = self._operations.open_new(path)
            except FileExistsError:
                continue  # left by an earlier process of our number
            self._path = path
        self._raw_head = b"".join(self._chunks)
        self._chunks = [self._raw_head]

    def _flush(self) -> None:
        for chunk in self._chunks:
            self._hash.update(chunk)
        write_all(self._operations, self._descriptor, self._chunks, self._written)
        self._written = self.size_bytes
        self._chunks = []
        self._chunks_bytes = 0

    def _close(self) -> None:
        if self._descriptor >= 0:
            self._operations.close(self._descriptor)
            self._descriptor = -1
