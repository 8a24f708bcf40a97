"""Rollouts: what holds whatever the fleet does, in any order."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cloud_control.domain.rollout import (
    MINUTE_MS,
    AgentView,
    Rollout,
    Step,
    abort,
    advance,
    pause,
    resume,
)
from cloud_control.domain.rollout_plan import AbortRule, Gate, Plan, Wave
from fleet_contract.reported import ModelUpdate, RunningModel
from fleet_contract.wanted_model import WantedModel

NEW = WantedModel(name="veil", version="1.1.0", target="veil/1.1.0/veil.json")
RUNS_NEW = RunningModel(name="veil", version="1.1.0", sha256="1" * 64)

waves = st.lists(st.sampled_from([5.0, 10.0, 33.0, 50.0, 80.0]), unique=True, max_size=3).map(
    lambda percents: (*(Wave(p) for p in sorted(percents)), Wave(100.0))
)
plans = st.builds(
    Plan,
    waves=waves,
    rate=st.integers(1, 20),
    gate=st.builds(
        Gate,
        soak_seconds=st.sampled_from([0.0, 30.0, 600.0]),
        max_failed_share=st.sampled_from([0.0, 0.5, 1.0]),
        min_done=st.integers(0, 3),
        patience_seconds=st.just(3600.0),
    ),
    abort=st.builds(
        AbortRule,
        max_failed_share=st.sampled_from([0.0, 0.2, 1.0]),
        min_ended=st.integers(1, 5),
    ),
)


class Fleet(RuleBasedStateMachine):
    """Agents that obey, fail, come and go, under a clock that only goes forward."""

    @initialize(plan=plans, count=st.integers(1, 40))
    def begin(self, plan: Plan, count: int) -> None:
        names = [f"a{number}" for number in range(count)]
        self.agents = {name: AgentView(name) for name in names}
        self.rollout = Rollout("r", NEW, plan)
        self.now = 1_800_000_000_000
        self.forward: list[tuple[int, str]] = []
        self.back: list[str] = []
        self.was_aborted = False

    def take(self, step: Step) -> None:
        if self.was_aborted or self.rollout.status == "paused":
            assert step.forward == ()
        self.was_aborted = self.was_aborted or step.rollout.status == "aborted"
        self.forward += [(self.now, name) for name in step.forward]
        self.back += [told.agent for told in step.back]
        self.rollout = step.rollout

    @rule(seconds=st.sampled_from([0, 1, 20, 61, 700]))
    def tick(self, seconds: int) -> None:
        self.now += seconds * 1000
        self.take(advance(self.rollout, list(self.agents.values()), self.now))

    @rule(data=st.data(), fate=st.sampled_from(["done", "done", "done", "refused", "away"]))
    def news(self, data: st.DataObject, fate: str) -> None:
        told = [one.agent for one in self.rollout.told if one.agent in self.agents]
        if not told:
            return
        name = data.draw(st.sampled_from(told))
        agent = self.agents[name]
        if fate == "done":
            self.agents[name] = replace(agent, running=RUNS_NEW, online=True)
        elif fate == "refused":
            update = ModelUpdate(version=NEW.version, step="refused", reason="bad_card")
            self.agents[name] = replace(agent, update=update, running=None)
        else:
            self.agents[name] = replace(agent, online=False)

    @precondition(lambda self: not self.rollout.ended)
    @rule(what=st.sampled_from([pause, resume]))
    def operator(self, what: object) -> None:
        assert callable(what)
        self.rollout = what(self.rollout)

    @precondition(lambda self: not self.rollout.ended)
    @rule(sure=st.integers(0, 9))
    def emergency(self, sure: int) -> None:
        if sure == 9:
            self.take(abort(self.rollout))

    @invariant()
    def each_agent_is_told_once_at_most(self) -> None:
        names = [name for _, name in self.forward]
        assert len(set(names)) == len(names)
        assert names == [told.agent for told in self.rollout.told]

    @invariant()
    def no_wave_is_exceeded(self) -> None:
        percent = self.rollout.plan.waves[self.rollout.wave].percent
        assert percent is not None
        assert len(self.forward) <= math.ceil(len(self.agents) * percent / 100)

    @invariant()
    def the_rate_holds_in_any_minute(self) -> None:
        times = [at for at, _ in self.forward]
        for begin in set(times):
            within = sum(begin <= at < begin + MINUTE_MS for at in times)
            assert within <= self.rollout.plan.rate

    @invariant()
    def only_an_abort_sends_back_and_then_everyone(self) -> None:
        expected = [name for _, name in self.forward] if self.was_aborted else []
        assert self.back == expected

    def teardown(self) -> None:
        """Whatever happened: with agents that obey and an operator who resumes, it ends."""
        if not hasattr(self, "rollout"):
            return
        for _ in range(600):
            if self.rollout.ended:
                return
            if self.rollout.status == "paused":
                self.rollout = resume(self.rollout)
            for one in self.rollout.told:
                if one.failed is None:
                    self.agents[one.agent] = replace(self.agents[one.agent], running=RUNS_NEW)
            self.tick(61)
        raise AssertionError(f"it does not end: {self.rollout}")


Fleet.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestFleet = Fleet.TestCase
