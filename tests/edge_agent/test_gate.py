from __future__ import annotations

import ast
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import edge_agent
from edge_agent.frame import Colour, Frame
from edge_agent.redact.cells import Planes
from edge_agent.redact.cover import Cover, cover_from
from edge_agent.redact.gate import Gate, LocalConsent, Verdict
from edge_agent.redact.mosaic import Mosaic
from edge_agent.redact.protected import ProtectedFrame, State

WIDTH, HEIGHT = 192, 108
FRESH = Verdict(fresh=True, reason="", decision_age_ns=0)
STALE = Verdict(fresh=False, reason="no look after it", decision_age_ns=0)
NOTHING = Cover.nothing(WIDTH, HEIGHT)
SECOND = 1_000_000_000


def frame(seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> Frame:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 256, (height, width), np.uint8)
    u, v = (rng.integers(0, 256, (height // 2, width // 2), np.uint8) for _ in range(2))
    return Frame(y, u, v, pts=seed, time_base=Fraction(1, 30), index=seed, captured_ns=0)


def one_box() -> Cover:
    one = np.array([3], np.int32)
    box = np.array([[30, 30, 90, 60]], np.float32)
    return cover_from(box, one, one, np.ones(1, np.float32), width=WIDTH, height=HEIGHT)


class Clock:
    def __init__(self) -> None:
        self.now_ns = 5 * SECOND

    def __call__(self) -> int:
        return self.now_ns


class Broken(Mosaic):
    """Covers half the frame, then fails."""

    def paint(self, planes: Planes, cover: Cover, seed: int) -> None:  # noqa: ARG002
        planes[0][: cover.height // 2] = 0
        raise MemoryError


def test_a_fresh_verdict_lets_a_covered_frame_pass() -> None:
    gate, bare, source = Gate(Mosaic()), frame(), frame()
    shown = gate.protect(source, one_box(), FRESH)
    assert shown.state is State.PROTECTED
    assert (shown.pts, shown.index, shown.time_base) == (0, 0, Fraction(1, 30))
    assert shown.cover.track.tolist() == [3]
    assert not np.array_equal(shown.y[30:60, 30:90], bare.y[30:60, 30:90])
    assert np.array_equal(shown.y[70:], bare.y[70:])
    assert gate.counts.by_state[State.PROTECTED] == 1


def test_without_a_fresh_verdict_the_veil_shows_nothing_of_the_frame() -> None:
    veils = []
    for secret in (8, 9):
        gate = Gate(Mosaic(), seed=1)
        gate.protect(frame(1), one_box(), FRESH)
        shown = gate.protect(frame(secret), one_box(), STALE)
        assert (shown.state, shown.reason) == (State.DEGRADED, "no look after it")
        assert len(shown.cover) == 0
        veils.append(shown)
    for plane in "yuv":
        assert np.array_equal(getattr(veils[0], plane), getattr(veils[1], plane))
    assert gate.counts.by_state[State.DEGRADED] == 1
    assert gate.counts.unverified_sent == 0


def test_a_veil_resembles_the_last_protected_picture_and_fits_a_new_size() -> None:
    gate = Gate(Mosaic())
    bright = frame()
    bright.y[:, : WIDTH // 2] = 220
    bright.y[:, WIDTH // 2 :] = 30
    gate.protect(bright, NOTHING, FRESH)
    veil = gate.protect(frame(1, 64, 96), Cover.nothing(64, 96), STALE)
    assert veil.y.shape == (96, 64)
    assert veil.u.shape == (48, 32)
    assert veil.y[:, :24].mean() > veil.y[:, 40:].mean() + 100


def test_veils_do_not_share_planes() -> None:
    gate = Gate(Mosaic())
    first = gate.protect(frame(1), NOTHING, STALE)
    second = gate.protect(frame(2), NOTHING, STALE)
    assert not np.shares_memory(first.y, second.y)


def test_an_error_while_covering_veils_the_frame() -> None:
    gate = Gate(Broken())
    source = frame(4)
    shown = gate.protect(source, one_box(), FRESH)
    assert shown.state is State.DEGRADED
    assert shown.reason == "covering failed: MemoryError"
    assert not np.shares_memory(shown.y, source.y)
    gate.use(Mosaic())
    assert gate.protect(frame(5), one_box(), FRESH).state is State.PROTECTED


def test_a_cover_made_for_another_size_veils_the_frame() -> None:
    shown = Gate(Mosaic()).protect(frame(), Cover.nothing(64, 64), FRESH)
    assert shown.state is State.DEGRADED


def test_panic_sticks_until_it_is_released_and_shows_nothing_that_came_before() -> None:
    gate, clock = Gate(Mosaic()), Clock()
    gate.allow(LocalConsent(clock() + SECOND))
    gate.protect(frame(1), NOTHING, FRESH)
    gate.panic()
    first = gate.protect(frame(2), NOTHING, FRESH)
    second = gate.protect(frame(3), NOTHING, FRESH)
    assert {first.state, second.state} == {State.HELD}
    assert np.array_equal(first.y, second.y)
    gate.release()
    assert gate.protect(frame(4), NOTHING, STALE).y.std() < 40  # grey: nothing is remembered
    assert gate.protect(frame(5), NOTHING, FRESH).state is State.PROTECTED


def test_consent_shows_the_frame_bare_but_for_the_zones_until_it_expires() -> None:
    clock = Clock()
    zones = (((0.0, 0.0), (0.25, 0.0), (0.25, 1.0), (0.0, 1.0)),)
    gate = Gate(Mosaic(zones=zones), clock_ns=clock)
    gate.allow(LocalConsent(clock.now_ns + SECOND))
    shown = gate.protect(frame(6), one_box(), STALE)
    assert shown.state is State.OFF
    assert np.array_equal(shown.y[:, 60:], frame(6).y[:, 60:])
    assert not np.array_equal(shown.y[:, :40], frame(6).y[:, :40])
    clock.now_ns += SECOND
    assert gate.protect(frame(7), one_box(), STALE).state is State.DEGRADED
    gate.allow(LocalConsent(clock.now_ns + SECOND))
    gate.allow(None)
    assert gate.protect(frame(8), one_box(), STALE).state is State.DEGRADED
    assert gate.counts.unverified_sent == 0


def test_a_veil_by_command_is_stronger_than_consent_and_weaker_than_panic() -> None:
    gate, clock = Gate(Mosaic()), Clock()
    gate.allow(LocalConsent(clock() + 1000 * SECOND))
    gate.veil(True)
    for verdict in (FRESH, STALE):
        source = frame(6)
        shown = gate.protect(source, one_box(), verdict)
        assert (shown.state, shown.reason) == (State.DEGRADED, "veiled")
        assert not np.shares_memory(shown.y, source.y)
        assert shown.y.std() < 40  # no picture has left yet: the veil is grey
    gate.panic()
    assert gate.protect(frame(7), one_box(), FRESH).state is State.HELD
    gate.release()
    assert gate.protect(frame(8), one_box(), FRESH).reason == "veiled"
    gate.allow(None)
    gate.veil(False)
    assert gate.protect(frame(9), one_box(), FRESH).state is State.PROTECTED


def test_a_slate_needs_no_frame() -> None:
    gate = Gate(Mosaic())
    slate = gate.slate(320, 180, pts=9, time_base=Fraction(1, 25), index=9, word="SIGNAL LOST")
    assert (slate.state, slate.width, slate.height) == (State.HELD, 320, 180)
    assert slate.time_ns == 360_000_000
    assert slate.y.max() > 150  # the word stands there
    other = gate.slate(320, 180, pts=10, time_base=Fraction(1, 25), index=10, word="SIGNAL LOST")
    assert not np.shares_memory(slate.y, other.y)


def test_nobody_else_can_make_or_change_a_protected_frame() -> None:
    source = frame()
    with pytest.raises(TypeError, match="gate"):
        ProtectedFrame(
            source.y,
            source.u,
            source.v,
            0,
            Fraction(1, 30),
            0,
            0,
            Colour(),
            State.PROTECTED,
            "",
            NOTHING,
            object(),
        )
    shown = Gate(Mosaic()).protect(source, NOTHING, FRESH)
    with pytest.raises(FrozenInstanceError):
        shown.state = State.OFF  # type: ignore[misc]
    with pytest.raises(ValueError, match="key"):
        replace(shown, y=frame(1).y)


def test_only_the_gate_module_makes_protected_frames() -> None:
    """Held by the source itself: nobody else names the key or calls the class."""
    root = Path(edge_agent.__file__).parent
    makers = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if name == "ProtectedFrame":
                    makers.add(path.relative_to(root).as_posix())
            if isinstance(node, ast.Name | ast.alias):
                name = node.id if isinstance(node, ast.Name) else node.name
                if name == "_GATE_KEY":
                    makers.add(path.relative_to(root).as_posix())
    assert makers <= {"redact/gate.py", "redact/protected.py"}
    assert "redact/gate.py" in makers
