"""Nothing but protected video is in a segment: measured against a known truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.boxes import Detections
from edge_agent.frame import Frame
from edge_agent.media.broadcast import Broadcast
from edge_agent.media.encode import EncoderSettings
from edge_agent.options import Options
from edge_agent.outlet import Outlet
from edge_agent.pipeline import Pipeline
from edge_agent.redact.gate import Gate
from edge_agent.redact.mosaic import Mosaic
from edge_agent.spool.store import Store
from edge_agent.track.tracker import Tracker, TrackSettings
from tests.edge_agent.clips import PerfectDetector
from tests.edge_agent.fakes import ScriptedDetector, ScriptedSource
from tests.edge_agent.spool.coded import key_file
from tests.leaks.measure import decoded_luma, leaks
from tests.leaks.painted import HEIGHT, WIDTH, PaintedClip, painted_clip

LOOKS_PER_SECOND = 8.0


def spooled(clip: PaintedClip, folder: Path, *, blind: bool) -> Path:
    """The clip through the pipeline into a sealed spool, and out of it again into one file."""
    detector = PerfectDetector(LOOKS_PER_SECOND)

    def answer(frame: Frame) -> Detections:
        return Detections.empty() if blind else detector.look(clip.frames[frame.index].truths)

    source = ScriptedSource(clip, width=WIDTH, height=HEIGHT, fps=clip.fps)
    settings = EncoderSettings(preset="ultrafast", crf=16, live=True)
    sink = f"spool:{folder / 'cam'}?key={key_file(folder)}"
    outlet = Outlet(Broadcast([sink], source.info, settings), live=False)
    pipeline = Pipeline(
        source,
        lambda: ScriptedDetector(answer),
        Tracker(TrackSettings(window_ns=600_000_000)),
        Gate(Mosaic(), seed=1),
        outlet,
        Options(live=False, looks_per_second=LOOKS_PER_SECOND, second_looks_per_second=0),
    )
    pipeline.run()
    outlet.close()
    store = Store(folder / "cam")
    path = folder / "spooled.ts"
    path.write_bytes(b"".join(b"".join(store.pieces(one)) for one in store.waiting()))
    store.close()
    return path


@pytest.mark.parametrize("name", ["pop_up", "fast_pass"])
def test_segments_hold_protected_pictures_only(name: str, tmp_path: Path) -> None:
    clip = painted_clip(name, 25)
    assert leaks(clip.frames, decoded_luma(spooled(clip, tmp_path, blind=False))) == []


def test_the_measure_would_see_a_bare_one(tmp_path: Path) -> None:
    clip = painted_clip("pop_up", 25)
    assert leaks(clip.frames, decoded_luma(spooled(clip, tmp_path, blind=True))) != []
