"""Figures and threshold choice on looks whose answer is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.boxes import Detections
from training import metrics, thresholds

PROMISED = {"license_plate": 12.0, "id_card": 30.0, "shipping_label": 40.0}


def look(
    truth: list[list[float]], found: list[list[float]], scores: list[float], label: int = 0
) -> metrics.Looked:
    boxes = np.array(truth, np.float32).reshape(-1, 4)
    detections = Detections(
        np.array(found, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.full(len(scores), label, np.int32),
    )
    return metrics.Looked("x", boxes, np.full(len(boxes), label, np.int32), detections, 1.0)


A, B, FAR = [0, 0, 60, 20], [100, 0, 160, 20], [300, 300, 360, 320]
TALL = [0, 0, 60, 60]


def test_average_precision_counts_each_truth_once() -> None:
    curve = metrics.precision_recall([look([A, B], [A, A, FAR, B], [0.9, 0.8, 0.7, 0.6])], 0)
    assert curve.recall.tolist() == [0.5, 0.5, 0.5, 1.0]
    # Half of the recall at precision 1, the other half at 2 of 4.
    assert curve.average_precision == pytest.approx(0.5 * 1.0 + 0.5 * 0.5)


def test_small_objects_need_not_be_found_and_do_not_make_what_fits_them_false() -> None:
    looks = [look([TALL, B], [B, FAR, TALL], [0.9, 0.8, 0.7])]
    curve = metrics.precision_recall(looks, 0, lowest=40.0)
    assert curve.scores.tolist() == pytest.approx([0.8, 0.7])
    assert curve.recall.tolist() == [0.0, 1.0]
    assert metrics.precision_recall(looks, 0).recall.tolist() == [0.5, 0.5, 1.0]


def test_a_box_of_any_class_counts_as_found_and_is_not_false() -> None:
    mixed = look([A, FAR], [A], [0.9])
    as_card = Detections(mixed.found.xyxy, mixed.found.score, np.array([1], np.int32))
    mixed = metrics.Looked("x", mixed.boxes, mixed.labels, as_card, 0.5)
    at = np.full(3, 0.5)
    assert metrics.was_found(mixed, at).tolist() == [True, False]
    assert metrics.false_boxes([mixed], at) == [0, 0, 0]
    assert metrics.recall_by_height([mixed], 0, at) == {"8-12": (1, 2)}


def test_thresholds_fall_to_where_leaks_end_and_rise_above_false_boxes() -> None:
    shown = [look([A], [A], [s]) for s in (0.9, 0.8, 0.55)]
    empty = [look([], [FAR], [0.4]) for _ in range(4)]
    chosen = thresholds.choose(shown, empty, PROMISED, thresholds.Cost())
    assert 0.4 < chosen[0] <= 0.55


def test_a_cap_on_false_boxes_beats_the_cost_of_leaks() -> None:
    shown = [look([A], [A], [0.3])] * 3
    empty = [look([], [FAR], [0.5])] * 10
    chosen = thresholds.choose(shown, empty, PROMISED, thresholds.Cost(leak=1000))
    assert chosen[0] > 0.5


def test_the_class_that_needs_false_boxes_more_gets_more_of_them() -> None:
    plates = [look([A], [A], [s]) for s in (0.9, 0.9, 0.3)]
    labels = [look([TALL], [TALL], [s], 2) for s in (0.9, 0.4, 0.4)]
    empty = [look([], [FAR], [0.35]), look([], [FAR], [0.5], 2), *[look([], [], [])] * 8]
    cost = thresholds.Cost(most_false=0.1)  # one box in ten pictures: too few for both
    chosen = thresholds.choose([*plates, *labels], empty, PROMISED, cost)
    assert chosen[0] > 0.35  # a third of the plates would be found by giving it to them
    assert chosen[2] <= 0.4  # but two thirds of the labels


def test_objects_too_small_to_promise_do_not_pull_thresholds_down() -> None:
    tiny = [0, 0, 20, 6]
    shown = [look([A], [A], [0.8]), look([tiny], [tiny], [0.2])]
    empty = [look([], [FAR], [0.3])] * 50 + [look([], [], [])] * 50
    chosen = thresholds.choose(shown, empty, PROMISED, thresholds.Cost())
    assert 0.3 < chosen[0] <= 0.8
