"""Which segments a folder holds and how far each has come: an SQLite file beside them.

Only what stands in the index is ever uploaded: a stranger's file in the folder is not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path

from edge_agent.errors import SpoolError
from edge_agent.spool.segment import Segment, State

NAME = ".veilcast-index.sqlite"
BUSY_S = 10.0
COLUMNS = ", ".join(field.name for field in fields(Segment))
SCHEMA = """
CREATE TABLE IF NOT EXISTS segments (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, state TEXT NOT NULL,
    sealed INTEGER NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, started_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


class Index:
    """Used by one thread; several processes may each have one on the same folder.

    Every method raises SpoolError when the disk or the file fails; what was returned from is on
    the disk.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        with self._failures():
            self._db = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)
            # The journal keeps its few pages, so that a full disk can still be tidied up.
            self._db.execute("PRAGMA journal_mode = PERSIST")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()

    def add(self, segment: Segment) -> Segment:
        """Write a new row; the segment comes back with its number."""
        values = asdict(segment)
        if not segment.number:
            values["number"] = None
        marks = ", ".join(f":{name}" for name in values)
        with self._failures():
            cursor = self._db.execute(f"INSERT INTO segments ({COLUMNS}) VALUES ({marks})", values)
        return Segment(**asdict(segment) | {"number": cursor.lastrowid or 0})

    def put(self, segment: Segment) -> bool:
        """Replace the row of this number; False when it is gone."""
        values = asdict(segment)
        changes = ", ".join(f"{name} = :{name}" for name in values)
        with self._failures():
            cursor = self._db.execute(
                f"UPDATE segments SET {changes} WHERE number = :number", values
            )
        return cursor.rowcount > 0

    def remove(self, number: int) -> bool:
        """Forget a segment; False when it was gone already."""
        with self._failures():
            cursor = self._db.execute("DELETE FROM segments WHERE number = ?", (number,))
        return cursor.rowcount > 0

    def of(self, *states: State) -> list[Segment]:
        """All segments in one of these states, oldest first."""
        marks = ", ".join("?" * len(states))
        with self._failures():
            rows = self._db.execute(
                f"SELECT {COLUMNS} FROM segments WHERE state IN ({marks}) ORDER BY number", states
            ).fetchall()
        return [_segment(row) for row in rows]

    def named(self, name: str) -> Segment | None:
        """The segment of this name."""
        with self._failures():
            row = self._db.execute(
                f"SELECT {COLUMNS} FROM segments WHERE name = ?", (name,)
            ).fetchone()
        return _segment(row) if row else None

    def fact(self, name: str) -> int | str | None:
        """A value kept beside the segments."""
        with self._failures():
            row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def keep(self, name: str, value: int | str | None) -> None:
        """Keep a value beside the segments."""
        with self._failures():
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def count(self, name: str, more: int) -> None:
        """Add to a number kept beside the segments."""
        with self._failures():
            self._db.execute(
                "INSERT INTO facts VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                (name, more),
            )

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise SpoolError(
                f"cannot use the index {self._path}: {error}; if that lasts, move its folder away"
            ) from None


def _segment(row: tuple[object, ...]) -> Segment:
    values = dict(zip((field.name for field in fields(Segment)), row, strict=True))
    values["state"] = State(str(values["state"]))
    values["sealed"] = bool(values["sealed"])
    return Segment(**values)  # type: ignore[arg-type]
