"""Uploads what waits, oldest first, whatever the network does."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import httpx
import structlog

from edge_agent.errors import VeilcastError
from edge_agent.media.backoff import Backoff
from edge_agent.spool.segment import Segment
from edge_agent.spool.store import Store
from edge_agent.spool.writer import lock, recover, writer_lock
from edge_agent.upload.answers import RefusedError, TransientError
from edge_agent.upload.desk import Desk
from edge_agent.upload.throttle import Throttle
from edge_agent.upload.transfer import transfer

LOCK = ".veilcast-upload.lock"
TIMEOUT = httpx.Timeout(30.0)
LOOK_AGAIN_S = 2.0
REFUSED_ROUNDS_S = 60.0
FIRST_S, LONGEST_S = 1.0, 60.0

log = structlog.get_logger()


@dataclass(slots=True)
class Tally:
    """What was done. refused: the names of segments that the server would not have, and why."""

    sent: int = 0
    bytes: int = 0
    refused: dict[str, str] | None = None

    def refuse(self, name: str, why: str) -> None:
        self.refused = (self.refused or {}) | {name: why}


class Uploader:
    """Used by one thread. `folders` is asked before each round: streams may come and go.

    tls: whom to trust; None: whom the system trusts. Two uploaders never work on one folder: one
    that another holds is left to it.
    """

    def __init__(
        self,
        folders: Callable[[], Sequence[Path]],
        desk: Desk,
        *,
        bits_per_second: int | None = None,
        key_file: Path | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._folders = folders
        self._desk = desk
        self._throttle = Throttle(bits_per_second)
        self._key_file = key_file
        self._tls = tls or ssl.create_default_context()

    def round(self, tally: Tally, stop: threading.Event | None = None) -> None:
        """Try each waiting segment once. Raises TransientError when the server cannot be had."""
        with ExitStack() as stack:
            stores = [
                store
                for folder in self._folders()
                if (store := stack.enter_context(held(folder, self._key_file)))
            ]
            client = stack.enter_context(httpx.Client(timeout=TIMEOUT, verify=self._tls))
            for store, segment in _in_turn(stores):
                if stop is not None and stop.is_set():
                    return
                self._one(client, store, segment, tally)

    def drain(self, stop: threading.Event) -> Tally:
        """Go on until all is uploaded or refused, or `stop` is set."""
        tally, backoff = Tally(), Backoff(FIRST_S, LONGEST_S)
        while not stop.is_set():
            before = tally.sent
            tally.refused = None
            try:
                self.round(tally, stop)
                return tally
            except TransientError as error:
                if tally.sent > before:
                    backoff.reset()
                log.warning("upload interrupted", reason=str(error))
                stop.wait(backoff.next())
        return tally

    def run(self, stop: threading.Event) -> None:
        """Go on until `stop` is set: for an agent's thread. What fails is tried again."""
        while not stop.is_set():
            try:
                refused = self.drain(stop).refused
            except (VeilcastError, OSError) as error:
                log.error("upload stopped", reason=str(error))
                refused = {"": ""}
            stop.wait(REFUSED_ROUNDS_S if refused else LOOK_AGAIN_S)

    def _one(self, client: httpx.Client, store: Store, segment: Segment, tally: Tally) -> None:
        if not store.check(segment):
            return
        try:
            ticket = self._desk.ticket(client, store.folder.name, segment)
            store.begun(segment)
            tally.bytes += transfer(client, ticket, store, segment, self._throttle)
        except RefusedError as error:
            log.error("upload refused", segment=segment.name, reason=str(error))
            tally.refuse(segment.name, str(error))
            return
        except FileNotFoundError:
            return  # given up to make room, meanwhile
        store.acknowledged(segment)
        tally.sent += 1
        log.info("uploaded", segment=segment.name, bytes=segment.size)


@contextmanager
def held(folder: Path, key_file: Path | None) -> Iterator[Store | None]:
    """The folder's store for this uploader alone, with what a crash left put right; None while
    another uploader has it."""
    descriptor = lock(folder / LOCK)
    if descriptor is None:
        log.warning("another upload is under way", folder=folder.name)
        yield None
        return
    try:
        store = Store(folder, key_file=key_file)
        try:
            writing = writer_lock(folder)
            if writing is None:
                store.clean()
            else:
                recover(store)
                os.close(writing)
            yield store
        finally:
            store.close()
    finally:
        os.close(descriptor)


def _in_turn(stores: Sequence[Store]) -> Iterator[tuple[Store, Segment]]:
    """Each stream's oldest first, and no stream waits for all of another."""
    queues = [[(store, segment) for segment in store.waiting()] for store in stores]
    for each in chain.from_iterable(zip_longest(*queues)):
        if each is not None:
            yield each
