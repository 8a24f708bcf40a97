from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from edge_agent.frame import Colour
from edge_agent.preview import PreviewFeed, Standing
from edge_agent.redact.gate import LocalConsent
from edge_agent.redact.protected import State
from edge_agent.thumbnail import thumbnail
from tests.edge_agent.builders import make_frame
from tests.edge_agent.shown import FRESH, STALE, make_gate, shown
from tests.edge_agent.stand_in_stream import Clock, live_state


def decoded(jpeg: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def test_before_the_first_picture_the_stream_is_held() -> None:
    feed = PreviewFeed(Clock())
    assert feed.standing(make_gate()).state is State.HELD
    assert feed.newest is None
    assert feed.fps() == 0
    assert feed.delay_seconds() is None


def test_a_single_veiled_frame_shows_for_a_second() -> None:
    clock, gate = Clock(), make_gate()
    feed = PreviewFeed(clock)
    feed.see(shown(gate, 0), rescued=False)
    assert feed.standing(gate) == Standing(State.PROTECTED, "")
    feed.see(shown(gate, 1, verdict=STALE), rescued=False)
    clock.advance(0.04)
    feed.see(shown(gate, 2), rescued=False)
    assert feed.standing(gate) == Standing(State.DEGRADED, "no look after it")
    clock.advance(1.1)
    feed.see(shown(gate, 3), rescued=False)
    assert feed.standing(gate).state is State.PROTECTED


def test_panic_shows_at_once_even_before_its_first_slate() -> None:
    gate = make_gate()
    feed = PreviewFeed(Clock())
    feed.see(shown(gate, 0), rescued=False)
    gate.panic()
    assert feed.standing(gate) == Standing(State.HELD, "panic")


def test_the_badge_does_not_stay_protected_when_nothing_leaves() -> None:
    clock, gate = Clock(), make_gate()
    feed = PreviewFeed(clock)
    feed.see(shown(gate, 0), rescued=False)
    clock.advance(2.5)
    assert feed.standing(gate).state is State.HELD
    assert feed.fps() == 0


def test_consent_shows_as_off() -> None:
    gate = make_gate()
    feed = PreviewFeed(Clock())
    gate.allow(LocalConsent(expires_ns=1 << 62))
    feed.see(shown(gate, 0, (10, 10, 60, 40)), rescued=False)
    assert feed.standing(gate).state is State.OFF


def test_frame_rate_and_delay_are_those_of_the_frames_that_left() -> None:
    clock, gate = Clock(), make_gate()
    feed = PreviewFeed(clock)
    for index in range(30):
        frame = replace(make_frame(index), captured_ns=clock() - 640_000_000)
        feed.see(gate.protect(frame, shown(gate, 0, width=64, height=48).cover, FRESH), False)
        clock.advance(0.05)
    assert feed.fps() == pytest.approx(20, rel=0.01)
    assert feed.delay_seconds() == pytest.approx(0.64)


def test_a_picture_is_made_small_and_drawn_once_for_all_who_watch() -> None:
    feed = PreviewFeed(Clock())
    frame = shown(make_gate(), 0, width=1920, height=1080, brightness=200)
    first = feed.jpeg(frame, outlines=False)
    assert decoded(first).shape == (540, 960, 3)
    assert decoded(first).mean() > 180
    assert feed.jpeg(frame, outlines=False) is first
    assert feed.jpeg(shown(make_gate(), 1), outlines=False) is not first


def test_outlines_are_drawn_on_the_preview_alone() -> None:
    frame = shown(make_gate(), 0, (100, 60, 200, 120), label=1)
    before = (frame.y.copy(), frame.u.copy(), frame.v.copy())
    feed = PreviewFeed(Clock())
    bare = decoded(feed.jpeg(frame, outlines=False)).astype(int)
    outlined = decoded(feed.jpeg(frame, outlines=True)).astype(int)
    x1, y1, _, y2 = frame.cover.xyxy[0].tolist()
    edge = abs(outlined - bare)[(y1 + y2) // 2, x1 - 1 : x1 + 2]
    assert edge.max() > 60
    assert all(
        np.array_equal(a, b) for a, b in zip(before, (frame.y, frame.u, frame.v), strict=True)
    )


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", [1, 6])
def test_colours_are_those_of_the_stream(full_range: bool, matrix: int) -> None:
    """A pure red, coded by the textbook formula of its matrix, comes out red."""
    red, blue = {1: (0.2126, 0.0722), 6: (0.299, 0.114)}[matrix]
    y, u, v = red, -red / (2 * (1 - blue)), 0.5
    luma, chroma, black = (255, 255, 0) if full_range else (219, 224, 16)
    frame = make_frame(0)
    frame = replace(frame, colour=Colour(full_range=full_range, matrix=matrix))
    for plane, value in (
        (frame.y, black + luma * y), (frame.u, 128 + chroma * u), (frame.v, 128 + chroma * v),
    ):  # fmt: skip
        plane[:] = min(round(value), 255)
    protected = make_gate().protect(frame, shown(make_gate(), 0, width=64, height=48).cover, FRESH)
    picture = thumbnail(protected, 32)
    assert picture.shape == (24, 32, 3)
    assert abs(picture.reshape(-1, 3).mean(axis=0) - [0, 0, 255]).max() < 4


def test_the_document_has_the_looks_of_the_last_seconds() -> None:
    clock = Clock()
    state = live_state(clock)
    for _ in range(40):
        clock.advance(0.25)
        state.stream.counts.looks += 2
        document = state.document()
    assert document["looks_per_second"] == pytest.approx(8, rel=0.1)
    for _ in range(20):
        clock.advance(0.25)
        document = state.document()
    assert document["looks_per_second"] == 0


def test_a_slate_has_no_boxes_and_a_time_base_of_its_own() -> None:
    gate, state = make_gate(), live_state()
    slate = gate.slate(320, 180, pts=5, time_base=Fraction(1, 90_000), index=1, word="NO SIGNAL")
    state.feed.see(slate, rescued=False)
    document = state.document()
    assert (document["state"], document["reason"], document["boxes"]) == ("HELD", "no signal", [])
