"""One piece of protected video on disk, as the index knows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """writing: a .part file. sealed: whole, waiting. uploading: on its way, still whole here.
    acknowledged: the receiver has it, with the same checksum. damaged: never uploaded."""

    WRITING = "writing"
    SEALED = "sealed"
    UPLOADING = "uploading"
    ACKNOWLEDGED = "acknowledged"
    DAMAGED = "damaged"


WAITING = (State.SEALED, State.UPLOADING)


@dataclass(frozen=True, slots=True)
class Segment:
    """name: what it is called where it is uploaded, with slashes for folders.

    size: plain bytes, of which sha256 is the checksum, in hexadecimal digits. first_ms, last_ms:
    the stream's own clock; started_at: ms since 1970-01-01 UTC. sealed: encrypted on disk.
    """

    number: int
    name: str
    state: State
    sealed: bool = False
    size: int = 0
    sha256: str = ""
    first_ms: int = 0
    last_ms: int = 0
    started_at: int = 0

    @property
    def file(self) -> str:
        """Its file's name in the folder, once it is whole."""
        return self.name + (".sealed" if self.sealed else "")

    @property
    def part(self) -> str:
        """Its file's name while it is written."""
        return self.file + ".part"
