from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.boxes import FloatArray
from edge_agent.detect.detector import Region
from edge_agent.detect.letterbox import BAND, GREY, Letterbox, fit, write_frame, write_picture
from edge_agent.frame import Colour, Frame

sides = st.integers(8, 2200).map(lambda half: 2 * half)


def whole(width: int, height: int) -> Region:
    return Region(0, 0, width, height)


def frame_of(rgb: np.ndarray, colour: Colour) -> Frame:
    """An RGB picture as I420 planes, by the textbook formula."""
    red, blue = (0.2126, 0.0722) if colour.matrix == 1 else (0.299, 0.114)
    r, g, b = (rgb[..., i].astype(np.float64) for i in range(3))
    luma = red * r + (1 - red - blue) * g + blue * b
    u, v = (b - luma) / (2 * (1 - blue)), (r - luma) / (2 * (1 - red))
    if not colour.full_range:
        luma, u, v = 16 + luma * 219 / 255, u * 224 / 255, v * 224 / 255
    half = (rgb.shape[1] // 2, rgb.shape[0] // 2)
    u, v = (cv2.resize(plane, half, interpolation=cv2.INTER_AREA) + 128 for plane in (u, v))
    y, u, v = (np.round(np.clip(plane, 0, 255)).astype(np.uint8) for plane in (luma, u, v))
    return Frame(y, u, v, 0, Fraction(1, 30), 0, 0, colour)


def tensor_for(box: Letterbox) -> FloatArray:
    return np.full((1, 3, box.height, box.width), np.nan, np.float32)


@pytest.mark.parametrize(
    ("size", "scale", "expected"),
    [
        ((1280, 720), 1.0, (640, 384, 640, 360)),
        ((1920, 1080), 1.0, (640, 384, 640, 360)),
        ((720, 1280), 1.0, (352, 640, 346, 616)),
        ((640, 480), 1.0, (640, 384, 480, 360)),
        ((1280, 720), 0.8, (512, 320, 512, 288)),
        ((1280, 720), 0.65, (416, 256, 412, 232)),
        ((720, 1280), 0.8, (288, 512, 274, 488)),
    ],
)
def test_the_input_suits_the_shape_of_the_picture(
    size: tuple[int, int], scale: float, expected: tuple[int, int, int, int]
) -> None:
    box = fit(whole(*size), scale)
    assert (box.width, box.height, box.content_width, box.content_height) == expected


@given(sides, sides, st.floats(0.4, 1.0))
def test_content_stays_clear_of_the_band_and_boxes_come_back(
    width: int, height: int, scale: float
) -> None:
    box = fit(Region(20, 40, 20 + width, 40 + height), scale)
    assert box.width % 32 == 0
    assert box.height % 32 == 0
    assert 0 < box.content_width <= box.width
    assert 0 < box.content_height <= box.height - BAND
    corners = np.array([[0, 0, box.content_width, box.content_height]], np.float32)
    back = box.to_frame(corners)
    assert np.allclose(back, [[20, 40, 20 + width, 40 + height]], rtol=1e-5, atol=0.01)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", [1, 6])
def test_colours_arrive_as_the_rgb_they_were(full_range: bool, matrix: int) -> None:
    hues = np.random.default_rng(1).integers(0, 256, (9, 16, 3), np.uint8)
    rgb = hues.repeat(40, axis=0).repeat(40, axis=1)
    frame = frame_of(rgb, Colour(full_range=full_range, matrix=matrix))
    box = fit(whole(640, 360))
    tensor = tensor_for(box)
    write_frame(frame, box, tensor)
    middles = tensor[0, :, 20:360:40, 20:640:40].transpose(1, 2, 0) * 255
    assert np.abs(middles - hues).max() <= 4


def test_an_unstated_matrix_is_bt601_for_small_and_bt709_for_large_pictures() -> None:
    for height, matrix in ((360, 6), (720, 1)):
        rgb = np.full((height, height * 16 // 9, 3), (200, 40, 90), np.uint8)
        stated = frame_of(rgb, Colour(matrix=matrix))
        silent = Frame(stated.y, stated.u, stated.v, 0, Fraction(1, 30), 0, 0)
        box = fit(whole(silent.width, silent.height))
        tensor = tensor_for(box)
        write_frame(silent, box, tensor)
        assert np.abs(tensor[0, :, 100, 100] * 255 - (200, 40, 90)).max() <= 3


@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (360, 640), (3840, 1608), (66, 48)])
def test_frames_and_pictures_look_the_same_to_the_network(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    rgb = cv2.resize(rng.integers(30, 220, (9, 16, 3), np.uint8), size)
    box = fit(whole(*size))
    seen, wanted = tensor_for(box), tensor_for(box)
    write_frame(frame_of(rgb, Colour(matrix=1)), box, seen)
    write_picture(rgb, box, wanted)
    assert np.isfinite(seen).all()
    assert np.abs(seen - wanted).mean() < 0.015
    assert (seen[:, :, box.content_height :] == GREY).all()
    assert (seen[:, :, :, box.content_width :] == GREY).all()


def test_a_region_is_seen_at_native_resolution() -> None:
    rgb = np.random.default_rng(3).integers(0, 256, (720, 1280, 3), np.uint8)
    box = fit(Region(320, 200, 960, 560))
    tensor = tensor_for(box)
    write_picture(rgb, box, tensor)
    part = rgb[200:560, 320:960].transpose(2, 0, 1)
    assert np.allclose(tensor[0, :, :360, :640], part / 255, atol=1e-6)


def test_the_finest_detail_is_averaged_not_skipped() -> None:
    stripes = np.zeros((1080, 1920, 3), np.uint8)
    stripes[:, ::2] = 255
    box = fit(whole(1920, 1080))
    tensor = tensor_for(box)
    write_picture(stripes, box, tensor)
    assert np.allclose(tensor[0, :, :360], 0.5, atol=0.01)
