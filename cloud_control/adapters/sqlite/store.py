"""Documents in one SQLite file, written ahead, so that a crash at any time leaves whole commits."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cloud_control.adapters.commit import checked, not_empty
from cloud_control.errors import ConflictError, DataFolderError
from cloud_control.ports import Delete, Put, Record

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 10.0
LAST = "\U0010ffff"  # sorts behind every key


class SqliteStore:
    """See `Store`. Several processes may share the file. Raises DataFolderError when it cannot be
    opened or was written by a newer version."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            self._database = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            _migrate(self._database, path)
        except sqlite3.Error as problem:
            raise DataFolderError(f"{path} cannot be opened: {problem}") from problem
        path.chmod(0o600)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def get(self, kind: str, key: str) -> Record | None:
        with self._lock:
            row = self._database.execute(
                "SELECT value, revision FROM documents WHERE kind = ? AND key = ?", (kind, key)
            ).fetchone()
        return Record(kind, key, *row) if row else None

    def list(
        self, kind: str, prefix: str = "", after: str = "", limit: int = 100
    ) -> Sequence[Record]:
        with self._lock:
            rows = self._database.execute(
                "SELECT key, value, revision FROM documents"
                " WHERE kind = ? AND key >= ? AND key > ? AND key < ? ORDER BY key LIMIT ?",
                (kind, prefix, after, prefix + LAST, limit),
            ).fetchall()
        return [Record(kind, *row) for row in rows]

    def commit(self, changes: Sequence[Put | Delete]) -> None:
        checked(changes)
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                for change in changes:
                    self._apply(change)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def every(self) -> Iterator[Record]:
        with self._lock:
            rows = self._database.execute(
                "SELECT kind, key, value, revision FROM documents WHERE substr(kind, 1, 1) <> '_'"
            ).fetchall()
        return (Record(*row) for row in rows)

    def fill(self, records: Iterable[Record]) -> None:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                if self._database.execute("SELECT 1 FROM documents LIMIT 1").fetchone():
                    raise not_empty("this database")
                self._database.executemany(
                    "INSERT INTO documents (kind, key, value, revision) VALUES (?, ?, ?, ?)",
                    ((one.kind, one.key, one.value, one.revision) for one in records),
                )
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def _apply(self, change: Put | Delete) -> None:
        place = (change.kind, change.key)
        if isinstance(change, Delete):
            done = self._database.execute(
                "DELETE FROM documents WHERE kind = ? AND key = ? AND revision = ?",
                (*place, change.expected),
            )
        elif change.expected:
            done = self._database.execute(
                "UPDATE documents SET value = ?, revision = revision + 1"
                " WHERE kind = ? AND key = ? AND revision = ?",
                (change.value, *place, change.expected),
            )
        else:
            done = self._database.execute(
                "INSERT INTO documents (kind, key, value, revision) VALUES (?, ?, ?, 1)"
                " ON CONFLICT DO NOTHING",
                (*place, change.value),
            )
        if done.rowcount != 1:
            raise ConflictError(f"{change.kind} {change.key} was changed by somebody else")


def _migrate(database: sqlite3.Connection, path: Path) -> None:
    """Bring an older file up to date, each step whole or not at all."""
    scripts = sorted(MIGRATIONS.glob("*.sql"))
    database.execute("BEGIN IMMEDIATE")
    try:
        there = int(database.execute("PRAGMA user_version").fetchone()[0])
        if there > len(scripts):
            raise DataFolderError(f"{path} was written by a newer version of Veilcast")
        for script in scripts[there:]:
            for statement in script.read_text().split(";"):
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {len(scripts)}")
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
