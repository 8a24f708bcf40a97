"""The small clocks around the loop: ladder, timeline, second looks, sound."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from edge_agent.detect.detector import Region
from edge_agent.ladder import PATIENCE_DOWN, PATIENCE_UP, Ladder
from edge_agent.media.audio import AudioPacket
from edge_agent.second_looks import SecondLooks, tiles, uncut
from edge_agent.sound import SoundDelay
from edge_agent.timeline import CLOCK, Timeline
from tests.edge_agent.builders import detections


def test_the_ladder_goes_down_when_looks_are_slow_and_up_again_when_quick() -> None:
    ladder = Ladder(100_000_000)
    for _ in range(PATIENCE_DOWN):
        ladder.note(0.2, 0.2)
    assert ladder.scale < 1
    for _ in range(PATIENCE_UP):
        ladder.note(0.01, 0.01)
    assert ladder.scale == 1


def test_one_slow_look_changes_nothing() -> None:
    ladder = Ladder(100_000_000)
    for i in range(50):
        ladder.note(0.3 if i % 3 == 0 else 0.05, 0.05)
    assert ladder.scale == 1


def test_output_time_rises_strictly_over_slates_and_sound_follows() -> None:
    timeline = Timeline()
    second = Fraction(1, 1000)
    stamps = [timeline.video(t, second) for t in (0, 40, 80)]
    assert stamps == [0, 3600, 7200]
    assert timeline.audio_shift(second) == 0
    stamps += [timeline.slate(1.0), timeline.slate(0.1)]
    stamps += [timeline.video(t, second) for t in (120, 160)]
    assert stamps == sorted(set(stamps))
    moved = stamps[-1] * CLOCK - 160 * second
    assert timeline.audio_shift(second) * second == pytest.approx(float(moved), abs=0.001)


@pytest.mark.parametrize(
    "size", [(1280, 720), (1920, 1080), (720, 1280), (3840, 2160), (1000, 1000)]
)
def test_tiles_cover_every_pixel(size: tuple[int, int]) -> None:
    width, height = size
    seen = np.zeros((height, width), np.bool_)
    for tile in tiles(width, height):
        assert all(side % 2 == 0 for side in (tile.x1, tile.y1, tile.x2, tile.y2))
        seen[tile.y1 : tile.y2, tile.x1 : tile.x2] = True
    assert seen.all()


def test_small_pictures_need_no_second_look() -> None:
    assert tiles(640, 360) == []
    assert SecondLooks(5).due(640, 360, 0, spare=True) is None


def test_second_looks_visit_each_tile_in_turn_at_their_rate() -> None:
    looks = SecondLooks(10)
    visited = []
    for ms in range(0, 2000, 20):
        tile = looks.due(1280, 720, ms * 1_000_000, spare=True)
        if tile is not None:
            visited.append(tile)
    assert len(visited) == 20
    assert set(visited) == set(tiles(1280, 720))


def test_second_looks_are_few_when_the_cpu_is_short() -> None:
    looks = SecondLooks(10)
    times = range(0, 4_000_000_000, 20_000_000)
    assert sum(looks.due(1280, 720, ns, spare=False) is not None for ns in times) == 4


def test_the_cpu_is_short_when_looks_wait_for_it() -> None:
    ladder = Ladder(125_000_000)
    for _ in range(20):
        ladder.note(0.012, 0.010)
    assert not ladder.cpu_is_short
    for _ in range(20):
        ladder.note(0.030, 0.010)
    assert ladder.cpu_is_short


def test_second_looks_can_be_switched_off() -> None:
    assert SecondLooks(0).due(1920, 1080, 0, spare=True) is None


def test_sound_leaves_with_its_picture() -> None:
    delay = SoundDelay()
    packets = [AudioPacket(b"", i * 20, i * 20, 20, Fraction(1, 1000)) for i in range(5)]
    for packet in packets:
        delay.push(packet)
    assert list(delay.until(39_000_000)) == packets[:2]
    assert list(delay.rest()) == packets[2:]


def test_boxes_cut_by_a_tiles_inner_edge_are_left_to_other_looks() -> None:
    tile = Region(0, 0, 640, 360)
    inside, at_frame_edge = (100.0, 100.0, 200.0, 150.0), (0.0, 10.0, 50.0, 40.0)
    cut_right, cut_below = (600.0, 50.0, 639.0, 90.0), (300.0, 330.0, 360.0, 360.0)
    found = detections(inside, at_frame_edge, cut_right, cut_below)
    kept = uncut(found, tile, 1280, 720)
    assert kept.xyxy.tolist() == [list(inside), list(at_frame_edge)]
    assert len(uncut(detections(), tile, 1280, 720)) == 0
