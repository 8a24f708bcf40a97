"""No frame of an encoded output shows a pixel of an object: measured on clips with known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.edge_agent.clips import PerfectDetector
from tests.leaks.measure import VISIBLE, detail_left, judgeable, leaks
from tests.leaks.painted import painted_clip, truth_mask
from tests.leaks.redaction import LOOKS_PER_SECOND, bare_pixels, redact

SCENARIOS = (
    "pop_up", "fast_pass", "growing", "leaving_edge", "entering_edge", "cut", "occlusion",
    "shake", "pan",
)  # fmt: skip
LONG_SEEN = 0.5


@pytest.mark.parametrize("fps", [25, 30, 60])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_perfect_detector_at_8_looks_a_second_leaks_nothing(
    name: str, fps: int, tmp_path: Path
) -> None:
    clip = painted_clip(name, fps)
    done = redact(clip, PerfectDetector(LOOKS_PER_SECOND), tmp_path)
    assert bare_pixels(clip, done.covered) == []
    assert leaks(clip.frames, done.output) == []
    assert done.counts.veiled == 0


@pytest.mark.parametrize("look_ahead", [0.0, 0.3, 3.0])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_recorded_clip_needs_no_certain_look_ahead(
    name: str, look_ahead: float, tmp_path: Path
) -> None:
    """A frame of a file waits for the look after it, however short the look-ahead is."""
    clip = painted_clip(name, 25)
    done = redact(clip, PerfectDetector(LOOKS_PER_SECOND), tmp_path, look_ahead=look_ahead)
    assert bare_pixels(clip, done.covered) == []
    assert leaks(clip.frames, done.output) == []
    assert done.counts.veiled == 0


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("name", SCENARIOS)
def test_missing_30_percent_of_looks_leaks_no_object_seen_for_half_a_second(
    name: str, seed: int, tmp_path: Path
) -> None:
    clip = painted_clip(name, 30)
    detector = PerfectDetector(LOOKS_PER_SECOND, miss=0.3, seed=seed)
    done = redact(clip, detector, tmp_path)
    things = {thing for thing in detector.found if clip.seen_seconds(thing) >= LONG_SEEN}
    assert things
    assert bare_pixels(clip, done.covered, things) == []
    assert leaks(clip.frames, done.output, things) == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_measure_sees_every_object_when_nothing_is_hidden(name: str, tmp_path: Path) -> None:
    clip = painted_clip(name, 30)
    done = redact(clip, PerfectDetector(LOOKS_PER_SECOND), tmp_path, blind=True)
    there = {
        (index, truth.thing): bool(judgeable(truth_mask(truth)).any())
        for index, painted in enumerate(clip.frames)
        for truth in painted.truths
    }
    shown = {(index, thing) for index, thing, _ in leaks(clip.frames, done.output)}
    assert shown == {key for key, enough in there.items() if enough}
    assert {(index, thing) for index, thing, _ in bare_pixels(clip, done.covered)} == set(there)
    assert len(shown) >= 0.75 * len(there)


def test_the_measure_sees_a_sliver_of_four_pixels_after_encoding(tmp_path: Path) -> None:
    clip = painted_clip("pop_up", 30)
    done = redact(clip, PerfectDetector(LOOKS_PER_SECOND), tmp_path)
    bare = redact(clip, PerfectDetector(LOOKS_PER_SECOND), tmp_path, blind=True)
    index = next(i for i, painted in enumerate(clip.frames) if painted.truths) + 3
    painted = clip.frames[index]
    mask = truth_mask(painted.truths[0])
    columns = np.flatnonzero(mask.any(axis=0))
    for sliver in (columns[:4], columns[-4:]):
        output = done.output[index].copy()
        output[:, sliver] = bare.output[index][:, sliver]
        assert detail_left(painted.frame.y, output, mask) > VISIBLE
    assert detail_left(painted.frame.y, done.output[index], mask) < VISIBLE / 2
