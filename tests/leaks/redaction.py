"""A painted clip through the real pipeline into a real file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.boxes import Detections
from edge_agent.counts import Counts
from edge_agent.frame import Frame
from edge_agent.media.encode import EncoderSettings
from edge_agent.media.writer import FileWriter
from edge_agent.options import Options
from edge_agent.outlet import Outlet
from edge_agent.pipeline import Pipeline
from edge_agent.redact.gate import Gate
from edge_agent.redact.mosaic import Mosaic
from edge_agent.redact.protected import ProtectedFrame, State
from edge_agent.track.tracker import Tracker, TrackSettings
from tests.edge_agent.clips import PerfectDetector
from tests.edge_agent.fakes import ScriptedDetector, ScriptedSource
from tests.leaks.measure import decoded_luma
from tests.leaks.painted import HEIGHT, WIDTH, Mask, PaintedClip, truth_mask

LOOKS_PER_SECOND = 8.0


@dataclass(frozen=True, slots=True, eq=False)
class Redaction:
    """What came out: the decoded file, and before the encoder what was covered on each frame."""

    output: list[NDArray[np.uint8]]
    covered: list[Mask]
    counts: Counts


def redact(
    clip: PaintedClip,
    detector: PerfectDetector,
    folder: Path,
    *,
    look_ahead: float = 0.6,
    blind: bool = False,
) -> Redaction:
    """Protect the clip as a file; a `blind` detector reports nothing, so that nothing is hidden."""

    def answer(frame: Frame) -> Detections:
        truths = clip.frames[frame.index].truths
        return Detections.empty() if blind else detector.look(truths)

    covered: list[Mask] = []
    source = ScriptedSource(clip, width=WIDTH, height=HEIGHT, fps=clip.fps)
    path = folder / "protected.mp4"
    settings = EncoderSettings(preset="ultrafast", bitrate=None, crf=16, live=False)
    outlet = Outlet(FileWriter(path, source.info, settings), live=False)
    pipeline = Pipeline(
        source,
        lambda: ScriptedDetector(answer),
        Tracker(TrackSettings(window_ns=int(look_ahead * 1e9))),
        Gate(Mosaic(), seed=1),
        outlet,
        Options(
            live=False,
            look_ahead=look_ahead,
            looks_per_second=LOOKS_PER_SECOND,
            second_looks_per_second=0,
            observers=(lambda frame, _: covered.append(hidden(frame)),),
        ),
    )
    counts = pipeline.run()
    outlet.close()
    return Redaction(decoded_luma(path), covered, counts)


def hidden(frame: ProtectedFrame) -> Mask:
    """(H, W): which pixels of a frame are covered."""
    mask = np.full(frame.y.shape, frame.state is not State.PROTECTED, np.bool_)
    for x1, y1, x2, y2 in frame.cover.xyxy.tolist():
        mask[y1:y2, x1:x2] = True
    return mask


def bare_pixels(
    clip: PaintedClip, covered: list[Mask], things: set[int] | None = None
) -> list[tuple[int, int, int]]:
    """(frame, thing, pixels) of every object that sticks out of its cover before the encoder."""
    found = []
    for index, (painted, mask) in enumerate(zip(clip.frames, covered, strict=True)):
        for truth in painted.truths:
            if things is None or truth.thing in things:
                bare = int((truth_mask(truth) & ~mask).sum())
                if bare:
                    found.append((index, truth.thing, bare))
    return found
