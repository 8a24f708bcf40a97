"""A segment while it is written: a .part file that nobody takes for whole."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from edge_agent.errors import SpoolError
from edge_agent.spool.key import SpoolKey
from edge_agent.spool.seal import Sealer
from edge_agent.spool.segment import Segment, State


class Draft:
    """A file object for a muxer: it takes plain bytes and encrypts them if there is a key.

    `write` raises OSError, as a file does.
    """

    def __init__(
        self, folder: Path, segment: Segment, key: SpoolKey | None, *, suffix: str = ""
    ) -> None:
        self.segment = segment
        self.size = 0
        self._folder = folder
        self._path = folder / (segment.part + suffix)
        self._hash = hashlib.sha256()
        try:
            self._file = self._path.open("wb", buffering=0)
            self._sealer = Sealer(self._put, key, segment.name) if key else None
        except OSError as error:
            raise SpoolError(f"cannot write in {folder}: {error.strerror}") from None

    def write(self, data: bytes) -> int:
        """Take all of `data`."""
        plain = bytes(data)
        if self._sealer:
            self._sealer.push(plain)
        else:
            self._put(plain)
        self._hash.update(plain)
        self.size += len(plain)
        return len(plain)

    def finish(self, *, first_ms: int, last_ms: int) -> Segment:
        """Bring the file whole to the disk and give it its name; the index is the caller's.

        Raises SpoolError; the draft is then worth nothing.
        """
        try:
            if self._sealer:
                self._sealer.finish()
            os.fsync(self._file.fileno())
            self._file.close()
            self._path.replace(self._folder / self.segment.file)
            sync_folder(self._folder)
        except OSError as error:
            raise SpoolError(f"cannot write in {self._folder}: {error.strerror}") from None
        return replace(
            self.segment, state=State.SEALED, size=self.size, sha256=self._hash.hexdigest(),
            first_ms=first_ms, last_ms=last_ms,
        )  # fmt: skip

    def abandon(self) -> None:
        """Leave nothing of it."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._file.fileno(), left) :]


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
