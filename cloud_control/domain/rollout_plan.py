"""How a model shall spread over a fleet: the waves, what must hold between them, when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from cloud_control.errors import RolloutError


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise RolloutError("A share lies between 0 and 1.")


@dataclass(frozen=True, slots=True)
class Wave:
    """Either the agents that carry all these labels, or a part of the whole fleet.

    percent: cumulative, above 0 to 100, rounded up to whole agents; those of earlier waves count.
    """

    percent: float | None = None
    labels: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if (self.percent is None) == (not self.labels):
            raise RolloutError("A wave needs either a percentage or labels.")
        if self.percent is not None and not 0 < self.percent <= 100:
            raise RolloutError("A wave's percentage lies above 0 and is at most 100.")


@dataclass(frozen=True, slots=True)
class Gate:
    """What must hold before the next wave begins; otherwise the rollout pauses.

    soak_seconds: how long a wave is watched once all its agents are done, failed or overdue;
    max_failed_share: of the wave's agents that are done or failed, 0 to 1; min_done: agents of the
    wave that are done (all, if it has fewer); patience_seconds: an agent that is neither done nor
    failed by then (offline, or live all the time) is overdue and no longer waited for.
    """

    soak_seconds: float = 600.0
    max_failed_share: float = 0.0
    min_done: int = 1
    patience_seconds: float = 24 * 3600.0

    def __post_init__(self) -> None:
        _check_share(self.max_failed_share)
        if min(self.soak_seconds, self.min_done, self.patience_seconds) < 0:
            raise RolloutError("A gate's numbers are not negative.")


@dataclass(frozen=True, slots=True)
class AbortRule:
    """When a rollout ends at once and every agent goes back to its former model.

    max_failed_share: of all agents that are done or failed, looked at from `min_ended` of them on;
    max_veiled_rise: an agent whose share of veiled frames rose by more has failed, 0 to 1. A single
    frame that was sent unverified aborts, whatever the numbers.
    """

    max_failed_share: float = 0.2
    min_ended: int = 1
    max_veiled_rise: float = 0.2

    def __post_init__(self) -> None:
        _check_share(self.max_failed_share)
        _check_share(self.max_veiled_rise)
        if self.min_ended < 1:
            raise RolloutError("An abort rule looks at 1 agent at least.")


@dataclass(frozen=True, slots=True)
class Plan:
    """rate: agents told within any 60 seconds, at most."""

    waves: tuple[Wave, ...] = (Wave(1.0), Wave(10.0), Wave(50.0), Wave(100.0))
    rate: int = 100
    gate: Gate = Gate()
    abort: AbortRule = AbortRule()
    while_live: bool = False

    def __post_init__(self) -> None:
        percents = [wave.percent for wave in self.waves if wave.percent is not None]
        if not self.waves:
            raise RolloutError("A rollout needs at least one wave.")
        if any(later <= earlier for earlier, later in pairwise(percents)):
            raise RolloutError("Percentages are cumulative: each is larger than the one before.")
        if self.rate < 1:
            raise RolloutError("A rollout's rate is 1 agent a minute at least.")
