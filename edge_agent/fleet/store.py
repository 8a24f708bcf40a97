"""Everything that must outlive a crash, in one SQLite file: stored first, acted upon second."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_agent.errors import FleetError
from edge_agent.fleet.protection import Consent
from fleet_contract.protection import Protection
from fleet_contract.status import next_connection

_SCHEMA = """
CREATE TABLE numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE desired (one INTEGER PRIMARY KEY CHECK (one = 1), payload BLOB NOT NULL,
    unknown_fields TEXT NOT NULL);
CREATE TABLE streams (id TEXT PRIMARY KEY, base TEXT NOT NULL, running INTEGER,
    veiled INTEGER NOT NULL DEFAULT 0, listed INTEGER NOT NULL, shown INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE TABLE consents (stream TEXT NOT NULL, path TEXT NOT NULL, asked TEXT,
    expires_at INTEGER NOT NULL, PRIMARY KEY (stream, path)) WITHOUT ROWID;
CREATE TABLE commands (id TEXT PRIMARY KEY, name TEXT NOT NULL, expires_at INTEGER NOT NULL,
    answer BLOB, final INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 1;
"""
_VERSION = 1
_BUSY_MS = 10_000


@dataclass(frozen=True, slots=True)
class KnownStream:
    """A stream that was listed at some time.

    base: what is in force for it without consent; running: its run switch, None once it is no
    longer listed; shown: its state may still stand with the broker.
    """

    base: Protection
    running: bool | None
    veiled: bool
    listed: bool
    shown: bool


class Store:
    """One process may hold several of these on one file, each used by one thread at a time.

    Every method is one transaction: done as a whole, and on disk, when it returns. Those that
    write raise FleetError when they cannot, and have then changed nothing.
    """

    def __init__(self, file: Path) -> None:
        try:
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
            self._db.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._create()
        except (OSError, sqlite3.Error) as problem:
            raise FleetError(f"cannot use {file}: {problem}") from problem
        self._seen_elsewhere = self._data_version()

    def close(self) -> None:
        self._db.close()

    def trace(self, callback: object) -> None:
        """Call `callback` with each statement before it runs, to see what happens."""
        self._db.set_trace_callback(callback)  # type: ignore[arg-type]

    def take_connection(self, now_ms: int) -> int:
        """The number of a new connection, higher than any that was used or seen."""
        with self._transaction():
            number = next_connection(self._number("connection"), now_ms)
            self._set_number("connection", number)
        return number

    def saw_connection(self, number: int) -> None:
        """Another memory of this agent has used this number."""
        with self._transaction():
            self._set_number("connection", max(number, self._number("connection")))

    def desired(self) -> tuple[bytes, tuple[str, ...]] | None:
        """The document in force as it came, and the names of its unknown fields."""
        row = self._db.execute("SELECT payload, unknown_fields FROM desired").fetchone()
        return (row[0], tuple(json.loads(row[1]))) if row else None

    def apply(
        self,
        payload: bytes,
        unknown_fields: tuple[str, ...],
        bases: Mapping[str, Protection],
        switches: Mapping[str, bool],
    ) -> None:
        """Take a document into force. `bases` and `switches` are those of all its streams; the
        switches of others are forgotten, their protection is not."""
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO desired VALUES (1, ?, ?)",
                (payload, json.dumps(unknown_fields)),
            )
            self._db.execute("UPDATE streams SET listed = 0, running = NULL")
            for stream, base in bases.items():
                self._db.execute(
                    "INSERT INTO streams (id, base, running, listed, shown) VALUES (?, ?, ?, 1, 1) "
                    "ON CONFLICT (id) DO UPDATE SET base = excluded.base, "
                    "running = excluded.running, listed = 1, shown = 1",
                    (stream, base.model_dump_json(), switches[stream]),
                )

    def streams(self) -> dict[str, KnownStream]:
        """All streams ever listed, by id."""
        rows = self._db.execute("SELECT id, base, running, veiled, listed, shown FROM streams")
        return {
            stream: KnownStream(
                Protection.model_validate_json(base),
                None if running is None else bool(running),
                bool(veiled),
                bool(listed),
                bool(shown),
            )
            for stream, base, running, veiled, listed, shown in rows
        }

    def set_running(self, stream: str, on: bool) -> None:
        with self._transaction():
            self._db.execute("UPDATE streams SET running = ? WHERE id = ?", (on, stream))

    def set_veiled(self, stream: str, on: bool) -> None:
        with self._transaction():
            self._db.execute("UPDATE streams SET veiled = ? WHERE id = ?", (on, stream))

    def state_cleared(self, stream: str) -> None:
        """The broker no longer holds the state of a stream that is not listed."""
        with self._transaction():
            self._db.execute("UPDATE streams SET shown = 0 WHERE id = ? AND NOT listed", (stream,))

    def consents(self, now_ms: int) -> tuple[Consent, ...]:
        """Those in force at `now_ms`."""
        rows = self._db.execute(
            "SELECT stream, path, asked, expires_at FROM consents WHERE expires_at > ? "
            "ORDER BY stream, path",
            (now_ms,),
        )
        return tuple(
            Consent(stream, path, asked and Protection.model_validate_json(asked), expires_at)
            for stream, path, asked, expires_at in rows
        )

    def give(self, consent: Consent) -> None:
        """Replaces an earlier consent to the same field."""
        asked = consent.asked.model_dump_json() if consent.asked else None
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO consents VALUES (?, ?, ?, ?)",
                (consent.stream, consent.path, asked, consent.expires_at),
            )

    def revoke(self, stream: str, path: str) -> bool:
        """Whether there was such a consent."""
        with self._transaction():
            done = self._db.execute(
                "DELETE FROM consents WHERE stream = ? AND path = ?", (stream, path)
            )
        return done.rowcount > 0

    def changed_elsewhere(self) -> bool:
        """Whether another connection (a command on this device) has written since last asked."""
        before, self._seen_elsewhere = self._seen_elsewhere, self._data_version()
        return before != self._seen_elsewhere

    def highest_time(self) -> int:
        """The highest time used when a command was last remembered or forgotten, ms."""
        return self._number("clock")

    def seen(self) -> frozenset[str]:
        """Ids of accepted commands that are not forgotten."""
        return frozenset(row[0] for row in self._db.execute("SELECT id FROM commands"))

    def accept(self, command: str, name: str, expires_at: int, now_ms: int) -> None:
        """Remember a command's id before it is carried out; forget those that have expired."""
        with self._transaction():
            self._set_number("clock", max(now_ms, self._number("clock")))
            self._db.execute("DELETE FROM commands WHERE final AND expires_at <= ?", (now_ms,))
            self._db.execute(
                "INSERT INTO commands (id, name, expires_at) VALUES (?, ?, ?)",
                (command, name, expires_at),
            )

    def answer(self, command: str, answer: bytes, *, final: bool) -> bool:
        """Keep the newest answer; False if a final one stands already."""
        with self._transaction():
            done = self._db.execute(
                "UPDATE commands SET answer = ?, final = ? WHERE id = ? AND NOT final",
                (answer, final, command),
            )
        return done.rowcount > 0

    def answer_to(self, command: str) -> bytes | None:
        row = self._db.execute("SELECT answer FROM commands WHERE id = ?", (command,)).fetchone()
        return row[0] if row else None

    def unfinished(self) -> tuple[tuple[str, str], ...]:
        """Id and name of commands that were accepted and never came to an end."""
        return tuple(self._db.execute("SELECT id, name FROM commands WHERE NOT final"))

    def note(self, name: str) -> str | None:
        """A small text that another part of the agent keeps here."""
        row = self._db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def set_note(self, name: str, value: str) -> None:
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as problem:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(problem, sqlite3.Error):
                raise FleetError(f"the device's state cannot be stored: {problem}") from problem
            raise

    def _create(self) -> None:
        with self._transaction():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise FleetError("the device's state is from a newer version of Veilcast")
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)

    def _data_version(self) -> int:
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def _number(self, name: str) -> int:
        row = self._db.execute("SELECT value FROM numbers WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def _set_number(self, name: str, value: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?)", (name, value))
