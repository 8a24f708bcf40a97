"""How much waits in spools: the numbers of the fleet's telemetry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge_agent.spool.index import Index
from edge_agent.spool.segment import WAITING
from edge_agent.spool.store import LOST


@dataclass(frozen=True, slots=True)
class SpoolStats:
    """Named as in `fleet_contract.telemetry.Spool`. bytes: of the video, without any seal."""

    segments: int = 0
    bytes: int = 0
    segments_lost: int = 0


def spool_stats(folders: Iterable[Path]) -> SpoolStats:
    """Counts over these folders (see `folders_in`). Raises SpoolError."""
    segments = size = lost = 0
    for folder in folders:
        index = Index(folder)
        try:
            waiting = index.of(*WAITING)
            segments += len(waiting)
            size += sum(segment.size for segment in waiting)
            lost += int(index.fact(LOST) or 0)
        finally:
            index.close()
    return SpoolStats(segments, size, lost)
