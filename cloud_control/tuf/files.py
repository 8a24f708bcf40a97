"""Files that a server shows to devices: whole or not there, also after a crash."""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from cloud_control.errors import ModelsError

BUCKET_FILE = "models-bucket.json"
"""In a data folder whose repository is in a bucket: which one."""
ATTEMPTS = 6

R = TypeVar("R")


class OvertakenError(ModelsError):
    """Somebody else published meanwhile, and nothing of this was put into force: do it again."""


class Files(Protocol):
    """What devices fetch, by paths such as metadata/timestamp.json."""

    def __str__(self) -> str:
        """Where that is, for people."""

    def exists(self, path: str) -> bool: ...

    def read(self, path: str) -> bytes:
        """Raises FileNotFoundError."""

    def write(self, path: str, content: bytes) -> None:
        """Whole or not at all. Raises OvertakenError where programs are not kept apart and another
        was quicker."""

    def free(self, prefix: str, version: int, suffix: str) -> int:
        """The first version from this one on whose file may be written."""

    def sweep(self, folder: str, named: Collection[str]) -> None:
        """Remove what lies below a folder and is not named, by paths from there; what another
        program may be about to name stays."""

    def alone(self, *, creating: bool = False) -> AbstractContextManager[None]:
        """For one change: either nobody else makes one meanwhile, or it is noticed."""


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """Below one folder. Programs are kept apart by a lock."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    def exists(self, path: str) -> bool:
        return (self.folder / path).is_file()

    def read(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        write_whole(self.folder / path, content)

    def free(self, prefix: str, version: int, suffix: str) -> int:  # noqa: ARG002
        return version  # what lies there was left by an interrupted run

    def sweep(self, folder: str, named: Collection[str]) -> None:
        place = self.folder / folder
        for path in place.rglob("*"):
            if path.is_file() and path.relative_to(place).as_posix() not in named:
                path.unlink(missing_ok=True)

    def alone(self, *, creating: bool = False) -> AbstractContextManager[None]:
        if creating:
            self.folder.mkdir(parents=True, exist_ok=True)
        return exclusive(self.folder / ".lock")


def write_whole(path: Path, content: bytes) -> None:
    """Write, sync and rename; a reader sees the former content or this one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file in a folder that exists; another process that wants it waits."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def persistently(work: Callable[[], R]) -> R:
    """Do a change again while others are quicker. Raises the last OvertakenError."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return work()
        except OvertakenError:
            time.sleep(random.uniform(0.05, 0.2) * (attempt + 1))
    return work()
