"""The shipped model in the real command, made to fail after a good start: from there on, veils."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent import build, cli
from edge_agent.build import Model
from edge_agent.detect.detector import Detector
from edge_agent.detect.onnx_detector import OnnxDetector
from tests.faults.street import assert_plate_hidden, lumas, shows_scene

GOOD_LOOKS = 6  # one each 0.16 s: up to frame 20
LAST_GOOD_FRAME, FIRST_SURE_VEIL = 20, 21

Outputs = list[Any]
Fault = Callable[[Outputs, Outputs], Outputs]


class FailingSession:
    """The real session; after some good answers, `fault(good answer, first answer)` instead."""

    def __init__(self, session: Any, looks: list[int], fault: Fault) -> None:
        self._session, self._looks, self._fault = session, looks, fault
        self._first: Outputs | None = None

    def run(self, names: list[str], feeds: dict[str, Any]) -> Outputs:
        answer: Outputs = self._session.run(names, feeds)
        self._first = self._first or answer
        self._looks[0] += 1
        return self._fault(answer, self._first) if self._looks[0] > GOOD_LOOKS else answer


def raises(_answer: Outputs, _first: Outputs) -> Outputs:
    raise RuntimeError("out of memory")


def hangs(answer: Outputs, _first: Outputs) -> Outputs:
    threading.Event().wait(30)
    return answer


def ends_its_thread(_answer: Outputs, _first: Outputs) -> Outputs:
    raise SystemExit(9)


def not_a_number(answer: Outputs, _first: Outputs) -> Outputs:
    return [np.full_like(part, np.nan) for part in answer]


def not_a_number_in_boxes(answer: Outputs, _first: Outputs) -> Outputs:
    return [answer[0], np.full_like(answer[1], np.nan)]


def nothing(answer: Outputs, _first: Outputs) -> Outputs:
    return [np.full_like(answer[0], -20.0), answer[1]]


def everything(answer: Outputs, _first: Outputs) -> Outputs:
    return [np.full_like(answer[0], 20.0), answer[1]]


def frozen(_answer: Outputs, first: Outputs) -> Outputs:
    return first


def garbled(answer: Outputs, _first: Outputs) -> Outputs:
    return [part[:, :7] for part in answer]


FAULTS = (
    raises, not_a_number, not_a_number_in_boxes, nothing, everything, frozen, garbled,
)  # fmt: skip


@pytest.fixture
def break_model(monkeypatch: pytest.MonkeyPatch) -> Callable[[Fault], None]:
    """Makes every detector of the pipeline fail alike; the count of looks outlives a restart."""

    def install(fault: Fault) -> None:
        looks = [0]

        def factory(model: Model) -> Callable[[], Detector]:
            def make() -> Detector:
                detector = OnnxDetector(model.card, thresholds=model.weak)
                session: Any = FailingSession(detector._session, looks, fault)
                detector._session = session
                return detector

            return make

        monkeypatch.setattr(build, "detector_factory", factory)

    return install


def command_here(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """The command in this process, so that its detector can be broken; returns its status."""
    monkeypatch.setattr(sys, "argv", ["veilcast", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def assert_veiled_from_the_fault_on(target: Path, report: Path) -> None:
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    states = [line["state"] for line in lines]
    pictures = list(lumas(target))
    assert len(pictures) == len(states) == 50
    assert_plate_hidden(pictures)
    assert [shows_scene(luma) for luma in pictures] == [s == "PROTECTED" for s in states]
    assert set(states[FIRST_SURE_VEIL:]) == {"DEGRADED"}
    assert set(states[: LAST_GOOD_FRAME + 1]) == {"PROTECTED"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_detector_that_fails_after_a_good_start_veils(
    fault: Fault,
    street: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    break_model: Callable[[Fault], None],
) -> None:
    break_model(fault)
    target, report = tmp_path / "safe.mp4", tmp_path / "report.jsonl"
    assert command_here(monkeypatch, "redact", street, target, "--report", report) == 0
    assert_veiled_from_the_fault_on(target, report)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("fault", [hangs, ends_its_thread])
def test_a_detector_that_answers_no_more_veils(
    fault: Fault,
    street: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    break_model: Callable[[Fault], None],
) -> None:
    """The long look-ahead has all looks asked for at once, so that they are given up together."""
    break_model(fault)
    target, report = tmp_path / "safe.mp4", tmp_path / "report.jsonl"
    where = (street, target, "--report", report, "--look-ahead", "3")
    assert command_here(monkeypatch, "redact", *where) == 0
    assert_veiled_from_the_fault_on(target, report)


@pytest.mark.parametrize("fault", [raises, nothing, frozen])
def test_a_live_stream_is_veiled_too(
    fault: Fault,
    street: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    break_model: Callable[[Fault], None],
) -> None:
    break_model(fault)
    record = tmp_path / "record.mkv"
    where = ("--source", street, "--sink", record, "--port", "0")
    assert command_here(monkeypatch, "run", *where) == 0
    pictures = list(lumas(record))
    assert_plate_hidden(pictures)
    assert not any(shows_scene(luma) for luma in pictures[-2:])


def test_without_a_fault_nothing_is_veiled(
    street: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    break_model: Callable[[Fault], None],
) -> None:
    break_model(lambda answer, _first: answer)
    target = tmp_path / "safe.mp4"
    assert command_here(monkeypatch, "redact", street, target) == 0
    pictures = list(lumas(target))
    assert_plate_hidden(pictures)
    assert all(shows_scene(luma) for luma in pictures)
