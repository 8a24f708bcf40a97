"""Recordings that an earlier worker left stay: a new one begins a file of its own."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from pathlib import Path

from edge_agent.media.container import FILE_CONTAINERS
from edge_agent.media.urls import scheme_of


def set_aside(sinks: Iterable[str]) -> list[Path]:
    """Rename what lies under the names of these sinks' recordings, finished or broken off, to the
    first free `NAME-2.EXT`, `NAME-3.EXT` and so on; returns the new names."""
    return [
        kept
        for sink in sinks
        if scheme_of(sink) == "file" and Path(sink).suffix.lower() in FILE_CONTAINERS
        for left in (Path(sink), Path(sink + ".part"))
        if (kept := _set_aside(left, Path(sink))) is not None
    ]


def _set_aside(left: Path, name: Path) -> Path | None:
    if not left.is_file() or not left.stat().st_size:
        return None
    numbered = (name.with_name(f"{name.stem}-{number}{name.suffix}") for number in count(2))
    free = next(path for path in numbered if not path.exists())
    return left.rename(free)
