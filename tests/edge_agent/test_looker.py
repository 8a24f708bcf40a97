from __future__ import annotations

import threading
import time
from queue import SimpleQueue

import pytest

from edge_agent.boxes import Detections
from edge_agent.errors import DetectError
from edge_agent.frame import Frame
from edge_agent.looker import Look, Looker, Request
from tests.edge_agent.builders import detections, make_frame
from tests.edge_agent.fakes import ScriptedDetector


def test_every_request_gets_its_answer_in_order() -> None:
    looks: SimpleQueue[Look] = SimpleQueue()
    looker = Looker(lambda: ScriptedDetector(lambda f: detections((f.index, 0, 9, 9))), looks.put)
    frames = [make_frame(i) for i in range(5)]
    for frame in frames:
        looker.ask(Request(frame))
    answers = [looks.get(timeout=5) for _ in frames]
    looker.close()
    assert [a.request.frame for a in answers] == frames
    assert [a.found.xyxy[0, 0] for a in answers if a.found] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("error", [DetectError("no tracer"), RuntimeError("boom"), MemoryError()])
def test_a_look_that_raises_fails_and_the_next_one_works(error: Exception) -> None:
    def answer(frame: Frame) -> Detections:
        if frame.index == 0:
            raise error
        return Detections.empty()

    looks: SimpleQueue[Look] = SimpleQueue()
    looker = Looker(lambda: ScriptedDetector(answer), looks.put)
    looker.ask(Request(make_frame(0)))
    looker.ask(Request(make_frame(1)))
    first, second = looks.get(timeout=5), looks.get(timeout=5)
    looker.close()
    assert first.found is None
    assert first.error
    assert second.found is not None


def test_a_detector_that_cannot_be_built_fails_each_look() -> None:
    def build() -> ScriptedDetector:
        raise OSError("model file is gone")

    looks: SimpleQueue[Look] = SimpleQueue()
    looker = Looker(build, looks.put)
    looker.ask(Request(make_frame(0)))
    assert "gone" in looks.get(timeout=5).error
    looker.close()


def test_a_hanging_detector_is_replaced_and_its_late_answer_ignored() -> None:
    unblock = threading.Event()
    built = []

    def build() -> ScriptedDetector:
        built.append(len(built))
        first = len(built) == 1

        def answer(_: Frame) -> Detections:
            if first:
                unblock.wait(10)
            return Detections.empty()

        return ScriptedDetector(answer)

    looks: SimpleQueue[Look] = SimpleQueue()
    looker = Looker(build, looks.put, hang_seconds=0.05)
    looker.ask(Request(make_frame(0)))
    looker.ask(Request(make_frame(1)))
    while looks.empty():
        looker.check()
    lost = [looks.get(timeout=5), looks.get(timeout=5)]
    assert [look.found for look in lost] == [None, None]
    looker.ask(Request(make_frame(2)))
    answer = looks.get(timeout=5)
    assert answer.found is not None
    assert answer.request.frame.index == 2
    unblock.set()
    looker.ask(Request(make_frame(3)))
    assert looks.get(timeout=5).request.frame.index == 3
    assert looks.empty()
    assert looker.restarts == 1
    looker.close()


def test_closing_waits_for_the_look_under_way_and_for_no_other() -> None:
    began, looked = threading.Event(), []

    def answer(frame: Frame) -> Detections:
        began.set()
        time.sleep(0.1)
        looked.append(frame.index)
        return Detections.empty()

    looker = Looker(lambda: ScriptedDetector(answer), lambda _: None)
    for index in range(3):
        looker.ask(Request(make_frame(index)))
    began.wait(5)
    looker.close()
    assert looked == [0]
    assert "looker" not in {thread.name for thread in threading.enumerate()}
