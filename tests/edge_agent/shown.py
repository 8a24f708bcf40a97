"""Frames that have really passed a gate, for tests of what comes after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge_agent.redact.cover import Cover, cover_from
from edge_agent.redact.gate import Gate, Verdict
from edge_agent.redact.mosaic import Mosaic, Style
from edge_agent.redact.protected import ProtectedFrame
from tests.edge_agent.builders import make_frame

FRESH = Verdict(fresh=True, reason="", decision_age_ns=1)
STALE = Verdict(fresh=False, reason="no look after it", decision_age_ns=0)


def make_gate() -> Gate:
    return Gate(Mosaic(Style.MOSAIC))


def shown(
    gate: Gate,
    index: int,
    *boxes: tuple[float, float, float, float],
    label: int = 0,
    verdict: Verdict = FRESH,
    width: int = 320,
    height: int = 180,
    brightness: int = 90,
) -> ProtectedFrame:
    """Frame `index` at 25 fps after the gate, with these boxes covered (tracks 7, 8, ...)."""
    frame = make_frame(index, width=width, height=height)
    frame = replace(frame, y=np.full_like(frame.y, brightness))
    cover = cover_from(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.arange(7, 7 + len(boxes), dtype=np.int32),
        np.full(len(boxes), label, np.int32),
        np.full(len(boxes), 0.875, np.float32),
        width=width,
        height=height,
    )
    return gate.protect(frame, cover if boxes else Cover.nothing(width, height), verdict)
