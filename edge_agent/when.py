"""When recorded video is worked off: in certain hours, or while the machine has nothing to do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as Clock  # noqa: N812

import psutil

from edge_agent.errors import SettingsError

HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
IDLE_PERCENT = 50.0
SAMPLE_S = 5.0
LONGEST_SLEEP_S = 60.0
GENTLE = 10


@dataclass(frozen=True, slots=True)
class Hours:
    """From `begin` until `end`, local time, every day; over midnight if `end` comes first."""

    begin: Clock
    end: Clock

    def seconds_until(self, now: datetime) -> float:
        """How long until work may begin; 0 within the hours."""
        clock = now.time()
        if self.begin <= self.end:
            within = self.begin <= clock < self.end
        else:
            within = clock >= self.begin or clock < self.end
        if within:
            return 0.0
        begin = datetime.combine(now.date(), self.begin)
        if begin <= now:
            begin += timedelta(days=1)
        return (begin - now).total_seconds()

    def wait(
        self,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """Return once the hours have come; a clock that is set meanwhile is noticed."""
        while left := self.seconds_until(now()):
            sleep(min(left, LONGEST_SLEEP_S))


class Idle:
    """While all processors together are less than half busy; what runs then makes way."""

    def wait(
        self, busy: Callable[[], float] = lambda: psutil.cpu_percent(interval=SAMPLE_S)
    ) -> None:
        """Return once they are. busy: their load over some seconds, in percent."""
        while busy() >= IDLE_PERCENT:
            pass
        process = psutil.Process()
        if psutil.POSIX and int(process.nice()) < GENTLE:
            process.nice(GENTLE)


def when_from(text: str) -> Hours | Idle:
    """Read `idle` or `22:00-06:00`. Raises SettingsError."""
    if text == "idle":
        return Idle()
    found = HOURS.fullmatch(text)
    try:
        assert found is not None
        first, second, third, fourth = (int(part) for part in found.groups())
        hours = Hours(Clock(first, second), Clock(third, fourth))
    except (AssertionError, ValueError):
        raise SettingsError(f"--when {text}: use idle, or hours such as 22:00-06:00") from None
    if hours.begin == hours.end:
        raise SettingsError(f"--when {text}: that is no time at all, or always")
    return hours
