"""How one stream is protected, as the pipeline needs to know it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.boxes import LABELS
from edge_agent.detect.evidence import Wanted
from edge_agent.redact.cover import MARGIN
from edge_agent.redact.protected import ProtectedFrame
from edge_agent.redact.zones import Polygons

Observer = Callable[[ProtectedFrame, bool], None]


@dataclass(frozen=True, slots=True)
class Options:
    """Times in seconds; `margin` is a share of a box's size; `wanted` are scores, by label. All but
    `live`, `slate_seconds` and `observers` may change while the stream runs. Observers see each
    frame that leaves, and whether it would have leaked without the look-ahead."""

    live: bool
    look_ahead: float = 0.6
    looks_per_second: float = 8.0
    second_looks_per_second: float = 8.0
    margin: float = MARGIN
    hold: float = 0.8
    wanted: Wanted = (None,) * len(LABELS)
    ignore_zones: Polygons = ()
    slate_seconds: float = 30.0
    observers: tuple[Observer, ...] = ()
