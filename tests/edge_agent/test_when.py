"""Batches at night, or while there is nothing else to do."""

from __future__ import annotations

from datetime import datetime, timedelta

import psutil
import pytest

from edge_agent.errors import SettingsError
from edge_agent.when import LONGEST_SLEEP_S, Hours, Idle, when_from


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23T{clock}")


@pytest.mark.parametrize(
    ("hours", "now", "seconds"),
    [
        ("22:00-06:00", "23:30", 0),
        ("22:00-06:00", "05:59:59", 0),
        ("22:00-06:00", "06:00", 16 * 3600),
        ("22:00-06:00", "21:59", 60),
        ("01:00-05:00", "03:00", 0),
        ("01:00-05:00", "00:30", 1800),
        ("01:00-05:00", "05:00", 20 * 3600),
        ("1:00-5:00", "23:00", 2 * 3600),
    ],
)
def test_the_hours_are_kept_over_midnight_too(hours: str, now: str, seconds: float) -> None:
    when = when_from(hours)
    assert isinstance(when, Hours)
    assert when.seconds_until(at(now)) == seconds


def test_waiting_ends_with_the_first_minute_and_notices_a_clock_that_is_set() -> None:
    clock, slept = [at("21:00")], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += timedelta(seconds=seconds)
        if len(slept) == 10:
            clock[0] = at("21:59:30")

    when = when_from("22:00-06:00")
    assert isinstance(when, Hours)
    when.wait(sleep, lambda: clock[0])
    assert clock[0] == at("22:00")
    assert len(slept) == 11
    assert max(slept) <= LONGEST_SLEEP_S


def test_work_begins_once_the_machine_is_idle_and_then_makes_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[int | None] = []

    def nice(_: psutil.Process, value: int | None = None) -> int:
        given.append(value)
        return 0

    monkeypatch.setattr(psutil.Process, "nice", nice)
    loads = iter([90.0, 60.0, 20.0, 80.0])
    Idle().wait(lambda: next(loads))
    assert next(loads) == 80.0
    assert given == [None, 10]


@pytest.mark.parametrize("wrong", ["", "never", "22-6", "25:00-06:00", "22:00-06:60", "1:00-1:00"])
def test_other_times_are_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match="--when"):
        when_from(wrong)
