from __future__ import annotations

import pytest

from edge_agent.lookahead import LookAhead
from tests.edge_agent.builders import MILLISECOND, make_frame

WINDOW_NS = 600 * MILLISECOND


def filled(count: int, *, window_ns: int = WINDOW_NS) -> LookAhead:
    ahead = LookAhead(window_ns)
    for index in range(count):
        ahead.push(make_frame(index))
    return ahead


@pytest.mark.parametrize(
    ("looks", "index", "fresh", "reason"),
    [
        ([], 2, False, "no look after it"),
        ([0], 2, False, "no look after it"),
        ([5], 2, False, "no look before it"),
        ([0, 5], 2, True, ""),
        ([2], 2, True, ""),
        ([0, 8], 2, False, "looks too far apart"),
        ([0, 1, 3, 8], 2, True, ""),
    ],
)
def test_a_frame_is_fresh_only_between_two_near_looks_or_at_one(
    looks: list[int], index: int, fresh: bool, reason: str
) -> None:
    ahead = filled(10)
    for at in looks:
        ahead.looked(make_frame(at), succeeded=True)
    for _ in range(index):
        ahead.pop()
    assert ahead.oldest is not None
    verdict = ahead.verdict(ahead.oldest)
    assert (verdict.fresh, verdict.reason) == (fresh, reason)


def test_a_failed_look_moves_the_horizon_but_decides_nothing() -> None:
    ahead = filled(20)
    ahead.looked(make_frame(0), succeeded=True)
    ahead.looked(make_frame(16), succeeded=False)
    ahead.pop()
    frame = ahead.oldest
    assert frame is not None
    assert ahead.horizon_reached(frame)
    assert not ahead.verdict(frame).fresh


def test_a_frame_that_has_left_is_no_longer_held() -> None:
    ahead = filled(3)
    first = ahead.pop()
    assert not ahead.holds(first)
    assert ahead.holds(make_frame(1))


def test_looks_before_the_oldest_frame_are_forgotten_but_for_the_last() -> None:
    ahead = filled(12)
    for at in (0, 2, 4, 6, 10):
        ahead.looked(make_frame(at), succeeded=True)
    for _ in range(6):
        ahead.pop()
    assert ahead.oldest is not None
    assert ahead.verdict(ahead.oldest).fresh
    assert len(ahead._looks) == 3


def test_looks_on_both_sides_decide_however_short_the_window() -> None:
    ahead = filled(3, window_ns=0)
    ahead.looked(make_frame(0), succeeded=True)
    ahead.looked(make_frame(2), succeeded=True)
    fresh = []
    while ahead.oldest is not None:
        fresh.append(ahead.verdict(ahead.oldest).fresh)
        ahead.pop()
    assert fresh == [True, True, True]


def test_clear_forgets_looks_too() -> None:
    ahead = filled(3)
    ahead.looked(make_frame(1), succeeded=True)
    assert len(ahead.clear()) == 3
    ahead.push(make_frame(1))
    assert ahead.oldest is not None
    assert not ahead.verdict(ahead.oldest).fresh
