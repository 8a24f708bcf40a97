"""A model's way through the fleet, as pure functions: what was done, and whose turn is next."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from cloud_control.domain.rollout_plan import Plan, Wave
from cloud_control.errors import RolloutError
from fleet_contract.reported import ModelUpdate, RunningModel
from fleet_contract.wanted_model import WantedModel

MINUTE_MS = 60_000

Status = Literal["running", "paused", "aborted", "finished"]


class Outcome(StrEnum):
    """How an agent that was told stands."""

    PENDING = "pending"
    OVERDUE = "overdue"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AgentView:
    """What the engine sees of an agent.

    informed: it applied the newest desired document: `update` is no old news; former: what it goes
    back to, the model of its desired document or else the published one that it runs; unverified:
    frames sent unverified, all streams; veiled_share: of the frames that left lately, 0 to 1.
    """

    id: str
    labels: Mapping[str, str] = field(default_factory=dict)
    online: bool = True
    informed: bool = True
    former: WantedModel | None = None
    running: RunningModel | None = None
    update: ModelUpdate | None = None
    unverified: int = 0
    veiled_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Told:
    """An agent whose wanted model this rollout changed, and how it stood just before.

    failed: why, once it failed; it stays failed.
    """

    agent: str
    at_ms: int
    wave: int
    former: WantedModel | None
    unverified_before: int
    veiled_before: float
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class Rollout:
    """`wave` counts from 0; `settled_at_ms`: since when nobody of it is pending; `waived`: the wave
    whose gate an operator opened by hand."""

    id: str
    model: WantedModel
    plan: Plan
    status: Status = "running"
    reason: str | None = None
    wave: int = 0
    told: tuple[Told, ...] = ()
    settled_at_ms: int | None = None
    waived: int | None = None

    @property
    def ended(self) -> bool:
        return self.status in {"aborted", "finished"}


@dataclass(frozen=True, slots=True)
class Step:
    """What follows: the agents that shall want the model now, and those that go back."""

    rollout: Rollout
    forward: tuple[str, ...] = ()
    back: tuple[Told, ...] = ()


def advance(rollout: Rollout, agents: Sequence[AgentView], now_ms: int) -> Step:
    """Take the next step, if there is one; to be called on a tick and after news of an agent.

    `agents` is the whole fleet; one that is missing counts as pending, then overdue.
    """
    if rollout.ended:
        return Step(rollout)
    seen = {agent.id: agent for agent in agents}
    rollout = _note_failures(rollout, seen)
    broken = _broken_rule(rollout, seen, now_ms)
    if broken:
        return abort(rollout, broken)
    while rollout.status == "running":
        missing = _missing(rollout, agents)
        if missing:
            return _tell(rollout, missing, now_ms)
        rollout = _settle(rollout, seen, now_ms)
        if not _soaked(rollout, now_ms):
            break
        rollout = _close_wave(rollout, agents, now_ms)
    return Step(rollout)


def pause(rollout: Rollout) -> Rollout:
    """Tell nobody else until resumed; what breaks the abort rule still aborts."""
    _refuse_ended(rollout)
    return replace(rollout, status="paused", reason="operator")


def resume(rollout: Rollout) -> Rollout:
    """Go on; a gate that stayed shut counts as open."""
    _refuse_ended(rollout)
    by_gate = rollout.status == "paused" and rollout.reason != "operator"
    waived = rollout.wave if by_gate else rollout.waived
    return replace(rollout, status="running", reason=None, waived=waived)


def abort(rollout: Rollout, reason: str = "operator") -> Step:
    """End it, at once and for good: everyone who was told goes back to the former model."""
    _refuse_ended(rollout)
    return Step(replace(rollout, status="aborted", reason=reason), back=rollout.told)


def outcome(rollout: Rollout, told: Told, agent: AgentView | None, now_ms: int) -> Outcome:
    """How one agent of the rollout stands."""
    if told.failed:
        return Outcome.FAILED
    if agent is not None and _runs(agent, rollout.model):
        return Outcome.DONE
    overdue = now_ms - told.at_ms >= rollout.plan.gate.patience_seconds * 1000
    return Outcome.OVERDUE if overdue else Outcome.PENDING


def _note_failures(rollout: Rollout, seen: Mapping[str, AgentView]) -> Rollout:
    def judged(told: Told) -> Told:
        agent = seen.get(told.agent)
        why = None if told.failed or agent is None else _failure(rollout, told, agent)
        return replace(told, failed=why) if why else told

    return replace(rollout, told=tuple(judged(told) for told in rollout.told))


def _failure(rollout: Rollout, told: Told, agent: AgentView) -> str | None:
    """Why an agent failed. Counters start anew with a worker: only what grew is the model's."""
    update = agent.update
    if (
        agent.informed
        and update is not None
        and update.version == rollout.model.version
        and update.step in {"refused", "rolled_back"}
    ):
        return update.reason or update.step
    if _runs(agent, rollout.model):
        if agent.unverified > told.unverified_before:
            return "unverified"
        if agent.veiled_share - told.veiled_before > rollout.plan.abort.max_veiled_rise:
            return "veiled"
    return None


def _broken_rule(rollout: Rollout, seen: Mapping[str, AgentView], now_ms: int) -> str | None:
    if any(told.failed == "unverified" for told in rollout.told):
        return "unverified"
    ended, failed = _count(rollout, rollout.told, seen, now_ms)
    rule = rollout.plan.abort
    if ended >= rule.min_ended and failed > rule.max_failed_share * ended:
        return "failures"
    return None


def _soaked(rollout: Rollout, now_ms: int) -> bool:
    since = rollout.settled_at_ms
    return since is not None and now_ms - since >= rollout.plan.gate.soak_seconds * 1000


def _close_wave(rollout: Rollout, agents: Sequence[AgentView], now_ms: int) -> Rollout:
    """The rollout in its next wave, finished, or paused because the gate stays shut."""
    shut = None if rollout.waived == rollout.wave else _shut(rollout, agents, now_ms)
    if shut:
        return replace(rollout, status="paused", reason=shut)
    if rollout.wave + 1 == len(rollout.plan.waves):
        return replace(rollout, status="finished")
    return replace(rollout, wave=rollout.wave + 1, settled_at_ms=None)


def _shut(rollout: Rollout, agents: Sequence[AgentView], now_ms: int) -> str | None:
    """Why the gate after the present wave stays shut; a label that nobody has is a mistake."""
    wave = rollout.plan.waves[rollout.wave]
    if not any(_matches(wave, agent) for agent in agents):
        return "empty_wave"
    told = [one for one in rollout.told if one.wave == rollout.wave]
    ended, failed = _count(rollout, told, {agent.id: agent for agent in agents}, now_ms)
    gate = rollout.plan.gate
    enough = ended - failed >= min(gate.min_done, len(told))
    return None if enough and failed <= gate.max_failed_share * ended else "gate"


def _count(
    rollout: Rollout, told: Iterable[Told], seen: Mapping[str, AgentView], now_ms: int
) -> tuple[int, int]:
    """How many of them are done or failed, and how many failed."""
    outcomes = [outcome(rollout, one, seen.get(one.agent), now_ms) for one in told]
    failed = outcomes.count(Outcome.FAILED)
    return outcomes.count(Outcome.DONE) + failed, failed


def _settle(rollout: Rollout, seen: Mapping[str, AgentView], now_ms: int) -> Rollout:
    pending = any(
        outcome(rollout, told, seen.get(told.agent), now_ms) is Outcome.PENDING
        for told in rollout.told
        if told.wave == rollout.wave
    )
    if pending:
        return replace(rollout, settled_at_ms=None)
    since = now_ms if rollout.settled_at_ms is None else rollout.settled_at_ms
    return replace(rollout, settled_at_ms=since)


def _missing(rollout: Rollout, agents: Sequence[AgentView]) -> list[AgentView]:
    """The agents whose turn it is in the present wave and who were not told yet.

    Who is online comes first; otherwise each rollout has its own order, so that not always the
    same agents are the canaries.
    """
    told = {one.agent for one in rollout.told}
    others = [one for one in agents if one.id not in told]
    lacking = [one for one in others if not _runs(one, rollout.model)]
    wave = rollout.plan.waves[rollout.wave]

    def order(agent: AgentView) -> tuple[bool, bytes]:
        return not agent.online, hashlib.sha256(f"{rollout.id}/{agent.id}".encode()).digest()

    if wave.percent is None:
        return sorted((one for one in lacking if _matches(wave, one)), key=order)
    having = len(told) + len(others) - len(lacking)
    room = math.ceil(len(agents) * wave.percent / 100) - having
    return sorted(lacking, key=order)[: max(0, room)]


def _matches(wave: Wave, agent: AgentView) -> bool:
    return (wave.labels or {}).items() <= agent.labels.items()


def _tell(rollout: Rollout, missing: Sequence[AgentView], now_ms: int) -> Step:
    """As many as the rate allows."""
    lately = sum(told.at_ms > now_ms - MINUTE_MS for told in rollout.told)
    due = missing[: max(0, rollout.plan.rate - lately)]
    told = tuple(
        Told(one.id, now_ms, rollout.wave, one.former, one.unverified, one.veiled_share)
        for one in due
    )
    told_now = replace(rollout, told=rollout.told + told, settled_at_ms=None)
    return Step(told_now, forward=tuple(one.agent for one in told))


def _runs(agent: AgentView, model: WantedModel) -> bool:
    running = agent.running
    return running is not None and (running.name, running.version) == (model.name, model.version)


def _refuse_ended(rollout: Rollout) -> None:
    if rollout.ended:
        raise RolloutError(f"The rollout has {rollout.status} already; start another one.")
