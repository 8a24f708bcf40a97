from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.redact.cells import Planes
from edge_agent.redact.cover import Cover, cover_from
from edge_agent.redact.mosaic import CROWD, Mosaic, Style
from edge_agent.redact.zones import Polygons, zone_mask

WIDTH, HEIGHT = 192, 108
ZONES: Polygons = (((0.1, 0.2), (0.5, 0.1), (0.4, 0.9)), ((0.9, 0.9), (1.2, 0.9), (1.2, 1.2)))


def picture(seed: int) -> Planes:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    u, v = (rng.integers(0, 256, (HEIGHT // 2, WIDTH // 2), np.uint8) for _ in range(2))
    return y, u, v


def cover(boxes: list[tuple[float, ...]], first_track: int = 0) -> Cover:
    n = len(boxes)
    return cover_from(
        np.array(boxes, np.float32).reshape(-1, 4),
        first_track + np.arange(n, dtype=np.int32),
        np.zeros(n, np.int32),
        np.ones(n, np.float32),
        width=WIDTH,
        height=HEIGHT,
    )


def hidden_mask(what: Cover, zones: Polygons) -> np.ndarray:
    mask = np.zeros((HEIGHT // 2, WIDTH // 2), bool)
    for x1, y1, x2, y2 in what.xyxy // 2:
        mask[y1:y2, x1:x2] = True
    for zone in zones:
        mask |= zone_mask(zone, WIDTH, HEIGHT)
    return mask


def with_secret(shown: Planes, secret: Planes, mask: np.ndarray) -> Planes:
    wide = mask.repeat(2, axis=0).repeat(2, axis=1)
    return tuple(  # type: ignore[return-value]
        np.where(where, inside, outside)
        for outside, inside, where in zip(shown, secret, (wide, mask, mask), strict=True)
    )


coordinate = st.floats(-40, 230, width=32)
corners = st.tuples(coordinate, coordinate, coordinate, coordinate)


@settings(deadline=None)
@given(
    boxes=st.lists(corners, min_size=1, max_size=6),
    zones=st.sampled_from([(), ZONES]),
    style=st.sampled_from([Style.MOSAIC, Style.SOLID]),
)
def test_two_secrets_leave_the_same_bytes(
    boxes: list[tuple[float, ...]], zones: Polygons, style: Style
) -> None:
    what = cover(boxes)
    mask = hidden_mask(what, zones)
    mosaic = Mosaic(style, zones)
    results = []
    for secret in (1, 2):
        planes = with_secret(picture(0), picture(secret), mask)
        mosaic.paint(planes, what, 7)
        results.append(planes)
    for first, second in zip(*results, strict=True):
        assert np.array_equal(first, second)


def test_a_crowd_leaves_the_same_bytes_for_two_secrets_too() -> None:
    rng = np.random.default_rng(3)
    at = rng.uniform(0, 100, (CROWD + 20, 2))
    what = cover([(x, y, x + 9, y + 5) for x, y in at])
    results = []
    for secret in (1, 2):
        planes = with_secret(picture(0), picture(secret), hidden_mask(what, ()))
        Mosaic().paint(planes, what, 0)
        results.append(planes)
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("style", list(Style))
@pytest.mark.parametrize("zones", [(), ZONES])
def test_pixels_outside_stay_and_pixels_inside_go(style: Style, zones: Polygons) -> None:
    what = cover([(20, 20, 61, 41), (50, 30, 90, 70), (150, 80, 300, 200), (3, 3, 4, 4)])
    mask = hidden_mask(what, zones)
    before, after = picture(0), picture(0)
    Mosaic(style, zones).paint(after, what, 0)
    wide = mask.repeat(2, axis=0).repeat(2, axis=1)
    for old, new, where in zip(before, after, (wide, mask, mask), strict=True):
        assert np.array_equal(old[~where], new[~where])
        assert (old[where] != new[where]).mean() > 0.95


def test_the_whole_frame_hidden_holds_grey_and_noise_alone() -> None:
    results = []
    for secret in (1, 2):
        planes = picture(secret)
        Mosaic().paint(planes, cover([(0, 0, WIDTH, HEIGHT)]), 0)
        results.append(planes)
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))
    assert abs(float(results[0][0].mean()) - 128) < 10


def test_a_box_takes_the_colours_around_it() -> None:
    y = np.tile(np.linspace(40, 200, WIDTH).astype(np.uint8), (HEIGHT, 1))
    u, v = (np.full((HEIGHT // 2, WIDTH // 2), level, np.uint8) for level in (90, 170))
    Mosaic().paint((y, u, v), cover([(40, 30, 150, 80)]), 0)
    assert y[30:80, 40:60].mean() + 30 < y[30:80, 130:150].mean()
    assert abs(float(u[20:35, 30:60].mean()) - 90) < 6
    assert abs(float(v[20:35, 30:60].mean()) - 170) < 6


def test_the_noise_of_a_track_stands_still_and_differs_between_tracks() -> None:
    def shot(track: int, left: int) -> np.ndarray:
        flat: Planes = (
            np.full((HEIGHT, WIDTH), 100, np.uint8),
            np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8),
            np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8),
        )
        what = cover([(left, 30, left + 60, 70)], first_track=track)
        Mosaic().paint(flat, what, 5)
        x1, y1, x2, y2 = what.xyxy[0]
        return flat[0][y1:y2, x1:x2]

    assert np.array_equal(shot(4, 20), shot(4, 90))
    assert not np.array_equal(shot(4, 20), shot(5, 20))


def test_a_cover_for_another_frame_size_is_refused() -> None:
    with pytest.raises(ValueError, match="cover of 64x64"):
        Mosaic().paint(picture(0), Cover.nothing(64, 64), 0)
