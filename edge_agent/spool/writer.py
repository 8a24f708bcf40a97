"""A folder of segments as its stream sees it: new ones, room for them, what a crash left."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import structlog

from edge_agent.errors import SpoolError
from edge_agent.spool.address import SpoolAddress
from edge_agent.spool.draft import Draft
from edge_agent.spool.seal import unseal
from edge_agent.spool.segment import Segment, State
from edge_agent.spool.store import KEEPS, LOST, Store

LOCK = ".veilcast-writer.lock"
TS_PACKET = 188
RESERVE = 16 << 20
"""Bytes of the disk to keep free for the next segment: giving up one early loses less than two."""
HELD = (State.SEALED, State.UPLOADING, State.DAMAGED)

log = structlog.get_logger()


class SpoolWriter:
    """The one writer of a folder, used by one thread. Raises SpoolError, as when there is another.

    The folder's bound holds for whole segments and the one being written; it may be passed by what
    comes between two calls of `make_room`.
    """

    def __init__(self, address: SpoolAddress) -> None:
        self._store = Store(address.folder, key_file=address.key_file)
        self._limit = address.limit
        self._sealing = address.key_file is not None
        self._lock: int | None = None
        try:
            self._lock = writer_lock(address.folder)
            if self._lock is None:
                raise SpoolError(f"another stream writes to {address.folder}: give each its own")
            recover(self._store)
        except SpoolError:
            self.close()
            raise

    def close(self) -> None:
        self._store.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def begin(self, started_at: int) -> Draft:
        """A new segment; started_at: ms since 1970-01-01 UTC of its first picture."""
        clock = time.strftime("%Y%m%dT%H%M%S", time.gmtime(started_at / 1000))
        name = f"{clock}.{started_at % 1000:03}Z-{os.urandom(3).hex()}.ts"
        segment = Segment(0, name, State.WRITING, self._sealing, started_at=started_at)
        key = self._store.key if self._sealing else None
        return Draft(self._store.folder, self._store.index.add(segment), key)

    def commit(self, draft: Draft, *, first_ms: int, last_ms: int) -> None:
        """The segment is whole: from now on it waits for its upload."""
        self._store.index.put(draft.finish(first_ms=first_ms, last_ms=last_ms))

    def drop(self, draft: Draft, *, lost: bool) -> None:
        """Leave nothing of an unfinished segment. `lost`: it could not be written, and counts."""
        draft.abandon()
        self._store.index.remove(draft.segment.number)
        if lost:
            self._store.index.count(LOST, 1)

    def make_room(self, written: int) -> None:
        """Give up the oldest segments until the bound holds, with `written` bytes of the one under
        way, and the disk has room for the next."""
        held = self._store.index.of(*HELD)
        disk = shutil.disk_usage(self._store.folder)
        too_much = max(
            sum(segment.size for segment in held) + written - self._limit,
            min(RESERVE, disk.total // 10) - disk.free,
        )
        for segment in held:
            if too_much <= 0:
                return
            self._give_up(segment)
            too_much -= segment.size

    def give_up_oldest(self) -> None:
        """The disk is full: make what room there is to make."""
        for segment in self._store.index.of(*HELD)[:1]:
            self._give_up(segment)

    def _give_up(self, segment: Segment) -> None:
        # The file goes first: on a full disk that is what lets the index be written.
        (self._store.folder / segment.file).unlink(missing_ok=True)
        if self._store.index.remove(segment.number):
            self._store.index.count(LOST, 1)
        log.warning("spool is full: oldest segment given up", segment=segment.name)


def writer_lock(folder: Path) -> int | None:
    """A descriptor that holds the folder for one writer until it is closed; None if it is taken."""
    return lock(folder / LOCK)


def lock(path: Path) -> int | None:
    """A lock that ends with its descriptor, or with the process; None if it is taken."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SpoolError(f"cannot write {path}: {error.strerror}") from None
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows: nobody starts two on one folder but by mistake
        pass
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def recover(store: Store) -> None:
    """Save what a killed writer left: a torn segment ends after its last whole packet.

    The caller holds the writer's lock.
    """
    store.clean()
    for segment in store.index.of(State.WRITING):
        try:
            _recover(store, segment)
        except (OSError, SpoolError) as error:
            log.warning("torn segment could not be saved", segment=segment.name, reason=str(error))
            (store.folder / segment.part).unlink(missing_ok=True)
            (store.folder / segment.file).unlink(missing_ok=True)
            store.index.remove(segment.number)
            store.index.count(LOST, 1)
    if not store.index.fact(KEEPS):  # there, a .part is a recording that is being made
        for stray in store.folder.glob("*.part*"):
            stray.unlink(missing_ok=True)


def _recover(store: Store, segment: Segment) -> None:
    whole, part = store.folder / segment.file, store.folder / segment.part
    if whole.exists():  # killed between its name and its row
        part.unlink(missing_ok=True)
        digest, size = hashlib.sha256(), 0
        for piece in store.pieces(segment):
            digest.update(piece)
            size += len(piece)
        store.index.put(replace(segment, state=State.SEALED, size=size, sha256=digest.hexdigest()))
        return
    if not part.exists():
        store.index.remove(segment.number)
        return
    data = _torn(store, segment, part)
    data = data[: len(data) - len(data) % TS_PACKET]
    if not data:
        part.unlink()
        store.index.remove(segment.number)
        return
    key = store.key if segment.sealed else None
    draft = Draft(store.folder, segment, key, suffix=".saved")
    draft.write(data)
    saved = draft.finish(first_ms=0, last_ms=0)
    part.unlink()
    store.index.put(saved)


def _torn(store: Store, segment: Segment, part: Path) -> bytes:
    if not segment.sealed:
        return part.read_bytes()
    if store.key is None:
        raise SpoolError("its key is not named")
    with part.open("rb") as file:
        return b"".join(unseal(file, store.key, segment.name, torn=True))
