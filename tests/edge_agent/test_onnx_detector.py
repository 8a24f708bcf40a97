from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_agent.boxes import LABELS, Detections, iou_matrix
from edge_agent.detect import tracer
from edge_agent.detect.card import ModelCard, find_model, load_card
from edge_agent.detect.detector import Region
from edge_agent.detect.onnx_detector import OnnxDetector
from edge_agent.detect.tracer import PLATE, Tracer, proved, slots
from edge_agent.errors import DetectError, ModelError
from edge_agent.frame import Frame

INPUTS = [(640, 384), (512, 320), (416, 256), (352, 640), (288, 512)]
Answer = list[np.ndarray]


class Meddler:
    """Passes looks on to the real session and spoils its answers."""

    def __init__(self, session: Any, spoil: Callable[[Answer], Answer]) -> None:
        self.session, self.spoil = session, spoil

    def run(self, names: list[str], inputs: dict[str, np.ndarray]) -> Answer:
        return self.spoil(self.session.run(names, inputs))


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return load_card(find_model())


@pytest.fixture
def detector(card: ModelCard) -> OnnxDetector:
    return OnnxDetector(card)


def meddle(detector: OnnxDetector, spoil: Callable[[Answer], Answer]) -> None:
    detector._session = Meddler(detector._session, spoil)  # type: ignore[assignment]


def scene(width: int, height: int, plate: tuple[int, int, int, int] | None) -> np.ndarray:
    """A plain RGB wall, with a plate on it at x, y, width, height."""
    wall = np.linspace(80, 150, height, dtype=np.float32)[:, None, None]
    picture = np.broadcast_to(wall, (height, width, 3)).astype(np.uint8)
    if plate is not None:
        x, y, w, h = plate
        sample = cv2.imread(str(tracer.PICTURE), cv2.IMREAD_COLOR_RGB)
        picture[y : y + h, x : x + w] = cv2.resize(sample, (w, h), interpolation=cv2.INTER_CUBIC)
    return picture


def frame_of(picture: np.ndarray) -> Frame:
    height, width = picture.shape[:2]
    i420 = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420).reshape(-1)
    size = height * width
    y = i420[:size].reshape(height, width)
    u, v = i420[size:].reshape(2, height // 2, width // 2)
    return Frame(y.copy(), u.copy(), v.copy(), 0, Fraction(1, 30), 0, 0)


def finds(found: Detections, x: int, y: int, w: int, h: int) -> bool:
    place = np.array([[x, y, x + w, y + h]], np.float32)
    return bool((iou_matrix(found.xyxy, place) > 0.5).any())


@pytest.mark.parametrize("scale", [1.0, 0.8, 0.65])
def test_a_plate_is_found_where_it_is(detector: OnnxDetector, scale: float) -> None:
    plate = (600, 300, 240, 60)
    found = detector.look(frame_of(scene(1280, 720, plate)), input_scale=scale)
    assert finds(found, *plate)


def test_portrait_pictures_and_regions_give_boxes_in_frame_pixels(detector: OnnxDetector) -> None:
    plate = (300, 900, 200, 50)
    assert finds(detector.look(frame_of(scene(720, 1280, plate))), *plate)
    small = (1000, 500, 96, 24)
    region = Region(640, 360, 1280, 720)
    assert finds(detector.look(frame_of(scene(1280, 720, small)), region), *small)


def test_a_still_picture_of_odd_size_is_looked_at_too(detector: OnnxDetector) -> None:
    plate = (200, 150, 160, 40)
    assert finds(detector.look_rgb(scene(801, 533, plate)), *plate)


def test_nothing_found_still_proves_itself_and_the_tracer_is_not_reported(
    detector: OnnxDetector,
) -> None:
    for size in ((640, 360), (1280, 720), (720, 1280), (640, 480)):
        for _ in range(8):
            assert len(detector.look(frame_of(scene(*size, plate=None)))) == 0


def test_a_class_that_is_off_is_not_reported_and_the_proof_stands(card: ModelCard) -> None:
    off = np.array([2.0, 0.2, 0.2], np.float32)
    detector = OnnxDetector(card, thresholds=off)
    found = detector.look_rgb(scene(640, 360, (200, 150, 160, 40)))
    assert PLATE not in found.label


def test_a_blind_detector_fails_its_looks(detector: OnnxDetector) -> None:
    meddle(detector, lambda answer: [np.full_like(answer[0], -9), answer[1]])
    with pytest.raises(DetectError, match="blind"):
        detector.look(frame_of(scene(640, 360, None)))


def test_a_detector_that_repeats_an_old_answer_fails_its_looks(detector: OnnxDetector) -> None:
    old: Answer = []

    def repeat(answer: Answer) -> Answer:
        old[:] = old or answer
        return old

    meddle(detector, repeat)
    frame = frame_of(scene(640, 360, None))
    detector.look(frame)
    with pytest.raises(DetectError):
        detector.look(frame)


def test_a_detector_that_sees_plates_everywhere_fails_its_looks(detector: OnnxDetector) -> None:
    answers: list[Answer] = []

    def pile_up(answer: Answer) -> Answer:
        answers.append(answer)
        every = np.stack([each[0] for each in answers])
        best = every.max(axis=-1).argmax(axis=0)[..., None]
        boxes = np.stack([each[1] for each in answers])
        return [every.max(axis=0), np.take_along_axis(boxes, best[None], axis=0)[0]]

    meddle(detector, pile_up)
    frame = frame_of(scene(640, 360, None))
    detector.look(frame)
    with pytest.raises(DetectError, match="stale"):
        detector.look(frame)


@pytest.mark.parametrize("where", [0, 1])
def test_a_detector_that_answers_nan_fails_its_looks(detector: OnnxDetector, where: int) -> None:
    def spoil(answer: Answer) -> Answer:
        answer[where] = answer[where] * np.float32(np.nan)
        return answer

    meddle(detector, spoil)
    with pytest.raises(DetectError, match="no numbers"):
        detector.look(frame_of(scene(640, 360, None)))


def test_an_error_inside_the_model_fails_the_look(detector: OnnxDetector) -> None:
    def fail(_: Answer) -> Answer:
        raise RuntimeError("broken kernel")

    meddle(detector, fail)
    with pytest.raises(DetectError, match="broken kernel"):
        detector.look(frame_of(scene(640, 360, None)))


def test_a_closed_detector_fails_its_looks(detector: OnnxDetector) -> None:
    detector.close()
    with pytest.raises(DetectError, match="closed"):
        detector.look(frame_of(scene(640, 360, None)))


def test_a_file_that_is_no_model_is_refused(card: ModelCard, tmp_path: Path) -> None:
    junk = b"not a model at all"
    (tmp_path / card.file).write_bytes(junk)
    swapped = replace(card, folder=tmp_path, sha256=hashlib.sha256(junk).hexdigest())
    with pytest.raises(ModelError, match="cannot be loaded"):
        OnnxDetector(swapped)


@pytest.mark.parametrize("size", INPUTS)
def test_tracer_slots_are_apart_in_the_band_and_never_used_twice_in_a_row(
    size: tuple[int, int],
) -> None:
    width, height = size
    places = slots(width, height)
    assert len(places) >= 2
    assert (places[:, 1] >= height - 24).all()
    assert (places[:, 3] <= height).all()
    assert (places[:, 2] <= width).all()
    overlap = iou_matrix(places, places) - np.eye(len(places))
    assert (overlap < 0.1).all()
    tracers, tensor = Tracer(1), np.zeros((1, 3, height, width), np.float32)
    used = [tracers.paste(tensor) for _ in range(40)]
    assert all(a != b for a, b in pairwise(used))
    assert set(used) == set(range(len(places)))


def test_objects_at_the_foot_of_the_picture_are_kept() -> None:
    places = slots(640, 384)
    foot = np.array([[300, 340, 380, 361]], np.float32)
    found = Detections(
        np.concatenate([places[2:3], foot]),
        np.array([0.9, 0.8], np.float32),
        np.array([PLATE, LABELS.index("shipping_label")], np.int32),
    )
    kept = proved(found, 2, 640, 384)
    assert kept.xyxy.tolist() == foot.tolist()
    with pytest.raises(DetectError):
        proved(found, 3, 640, 384)
