"""Video that devices upload later: kept as files, resumed where it broke off, taken only whole."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from cloud_control.errors import RequestError
from fleet_contract.fields import ID_PATTERN

QUOTA = 50 << 30
RESERVE = 1 << 30
"""Bytes of the disk that uploads leave free."""
PIECE = 1 << 20
LONGEST_NAME = 200
NAME = re.compile(r"\w[\w .,()+=@&'~-]*")
OWN_SUFFIXES = (".part", ".json")
SHA256 = re.compile(r"[0-9a-f]{64}")


class UploadRefusedError(RequestError):
    """`status` is the HTTP status that says the same; `offset`: how much of it is here, if any."""

    def __init__(self, status: int, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.status, self.offset = status, offset


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a device wants to upload. size in bytes; times in ms, the first two of the stream."""

    stream: str
    name: str
    size: int
    sha256: str
    first_ms: int = 0
    last_ms: int = 0
    started_at: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an upload has come."""

    wanted: Wanted
    offset: int

    @property
    def complete(self) -> bool:
        return self.offset == self.wanted.size


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave to PUT one upload at a place of its own, whole and with these headers."""

    url: str
    headers: dict[str, str]


class Tickets(Protocol):
    """Takes uploads elsewhere, such as in an object store."""

    def ticket(self, fleet: str, agent: str, wanted: Wanted) -> Ticket:
        """For bytes with this checksum and no others. What is there already is never replaced by
        something else. Raises UploadRefusedError."""


class Uploads:
    """{folder}/{fleet}/{agent}/{stream}/{name}, with a note of what it is in {name}.json.

    quota: bytes for each agent. Callable from any thread; raises UploadRefusedError.
    """

    def __init__(self, folder: Path, *, quota: int = QUOTA, reserve: int = RESERVE) -> None:
        self._folder = folder
        self._quota, self._reserve = quota, reserve
        self._used: dict[Path, int] = {}
        self._busy: set[Path] = set()
        self._changing = threading.Lock()

    def expect(self, fleet: str, agent: str, wanted: Wanted) -> Standing:
        """Note what is to come, or find it again. What is here already is never overwritten."""
        path = self._path(fleet, agent, wanted.stream, wanted.name)
        check_sum(wanted)
        known = _note(path)
        if known is not None and path.exists():
            if (known.sha256, known.size) != (wanted.sha256, wanted.size):
                raise UploadRefusedError(403, "another upload of this name is here: it stays")
            return Standing(known, known.size)
        self._check_room(self._folder / fleet / agent, wanted.size)
        with self._alone(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if known is None or (known.sha256, known.size) != (wanted.sha256, wanted.size):
                _part(path).unlink(missing_ok=True)
                _write_note(path, wanted)
        return self.standing(fleet, agent, wanted.stream, wanted.name)

    def standing(self, fleet: str, agent: str, stream: str, name: str) -> Standing:
        """How much of it is here."""
        path = self._path(fleet, agent, stream, name)
        wanted = _note(path)
        if wanted is None:
            raise UploadRefusedError(404, "no such upload is expected: ask for it first")
        if path.exists():
            return Standing(wanted, wanted.size)
        part = _part(path)
        there = part.stat().st_size if part.exists() else 0
        # A whole part file was not accepted yet: its last byte is asked for again.
        return Standing(wanted, max(0, min(there, wanted.size - 1)))

    @contextmanager
    def intake(
        self, fleet: str, agent: str, stream: str, name: str, offset: int
    ) -> Iterator[Intake]:
        """Take bytes from `offset` on. What came stays when the connection breaks."""
        path = self._path(fleet, agent, stream, name)
        with self._alone(path):
            standing = self.standing(fleet, agent, stream, name)
            if standing.complete:
                raise UploadRefusedError(409, "it is here already", standing.offset)
            if offset not in (0, standing.offset):
                raise UploadRefusedError(409, "it does not go on there", standing.offset)
            intake = Intake(path, standing.wanted, offset)
            try:
                yield intake
            finally:
                intake.close()
                if path.exists():
                    with self._changing:
                        owner = self._folder / fleet / agent
                        self._used[owner] = self._used.get(owner, 0) + standing.wanted.size

    def _path(self, fleet: str, agent: str, stream: str, name: str) -> Path:
        check_name(fleet, agent, stream, name)
        return self._folder / fleet / agent / stream / name

    @contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        with self._changing:
            if path in self._busy:
                raise UploadRefusedError(409, "it is being uploaded already")
            self._busy.add(path)
        try:
            yield
        finally:
            with self._changing:
                self._busy.discard(path)

    def _check_room(self, owner: Path, size: int) -> None:
        with self._changing:
            used = self._used.get(owner)
            if used is None or used + size > self._quota:
                used = self._used[owner] = _size(owner)
        if used + size > self._quota:
            raise UploadRefusedError(507, "this device's share of the disk is full")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if shutil.disk_usage(self._folder).free - size < self._reserve:
            raise UploadRefusedError(507, "the disk is full")


class Intake:
    """The bytes of one connection on their way into a .part file. Used by one thread at a time."""

    def __init__(self, path: Path, wanted: Wanted, offset: int) -> None:
        self._path, self._wanted = path, wanted
        part = _part(path)
        self._file = part.open("r+b" if part.exists() else "wb")
        self._file.truncate(offset)
        self._file.seek(offset)
        self._size = offset

    def append(self, data: bytes) -> None:
        """Take the next bytes."""
        self._size += len(data)
        if self._size > self._wanted.size:
            self._file.truncate(0)
            raise UploadRefusedError(413, "that is more than was announced", 0)
        self._file.write(data)

    def finish(self) -> Standing:
        """The connection's bytes are all here. Once the upload is whole and its checksum right, it
        gets its name; with a wrong one it begins anew."""
        self._file.flush()
        os.fsync(self._file.fileno())
        if self._size < self._wanted.size:
            return Standing(self._wanted, self._size)
        if _sha256(_part(self._path)) != self._wanted.sha256:
            self._file.truncate(0)
            raise UploadRefusedError(422, "its checksum is not the one that was announced", 0)
        _part(self._path).replace(self._path)
        _sync(self._path.parent)
        return Standing(self._wanted, self._size)

    def close(self) -> None:
        self._file.close()


def check_sum(wanted: Wanted) -> None:
    """Raises UploadRefusedError for what is no size or checksum."""
    if not SHA256.fullmatch(wanted.sha256) or wanted.size < 1:
        raise UploadRefusedError(400, "size or checksum is none")


def check_name(fleet: str, agent: str, stream: str, name: str) -> None:
    """Raises UploadRefusedError for what cannot be a place of its own."""
    ids = re.compile(ID_PATTERN)
    if not all(ids.fullmatch(each) for each in (fleet, agent, stream)):
        raise UploadRefusedError(400, "a stream's id has only a-z, 0-9, _ and -")
    if not NAME.fullmatch(name) or len(name.encode()) > LONGEST_NAME or name.endswith(OWN_SUFFIXES):
        raise UploadRefusedError(400, "this name cannot be used: letters, digits, . _ -")


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _note(path: Path) -> Wanted | None:
    try:
        return Wanted(**json.loads(path.with_name(path.name + ".json").read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _write_note(path: Path, wanted: Wanted) -> None:
    note, new = path.with_name(path.name + ".json"), path.with_name(path.name + ".json.part")
    with new.open("w") as file:
        json.dump(asdict(wanted), file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(note)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*/*") if path.is_file())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
