"""Rollouts: waves, gates and the abort rule, by example."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from cloud_control.domain.rollout import (
    MINUTE_MS,
    AgentView,
    Outcome,
    Rollout,
    abort,
    advance,
    outcome,
    pause,
    resume,
)
from cloud_control.domain.rollout_plan import AbortRule, Gate, Plan, Wave
from cloud_control.errors import RolloutError
from fleet_contract.reported import ModelUpdate, RunningModel
from fleet_contract.wanted_model import WantedModel

OLD = WantedModel(name="veil", version="1.0.0", target="veil/1.0.0/veil.json")
NEW = WantedModel(name="veil", version="1.1.0", target="veil/1.1.0/veil.json")
SOAK_MS = 600_000


def runs(model: WantedModel) -> RunningModel:
    return RunningModel(name=model.name, version=model.version, sha256="0" * 64)


def fleet(count: int) -> dict[str, AgentView]:
    names = [f"van-{number}" for number in range(count)]
    return {name: AgentView(name, former=OLD, running=runs(OLD)) for name in names}


def updated(agent: AgentView) -> AgentView:
    done = ModelUpdate(version=NEW.version, step="done")
    return replace(agent, running=runs(NEW), update=done)


def refused(agent: AgentView, reason: str = "self_test_failed") -> AgentView:
    update = ModelUpdate(version=NEW.version, step="refused", reason=reason)
    return replace(agent, update=update)


class Scene:
    """A fleet that does what it is told, a rollout and a clock."""

    def __init__(self, count: int, plan: Plan) -> None:
        self.agents = fleet(count)
        self.rollout = Rollout("r1", NEW, plan)
        self.now = 1_800_000_000_000

    def step(self, seconds: float = 0) -> tuple[str, ...]:
        """Let time pass and the engine decide; returns who is told."""
        self.now += round(seconds * 1000)
        step = advance(self.rollout, list(self.agents.values()), self.now)
        self.rollout = step.rollout
        self.back = step.back
        return step.forward

    def obey(self, *names: str) -> None:
        for name in names:
            self.agents[name] = updated(self.agents[name])


def test_waves_follow_one_another_after_their_soak() -> None:
    scene = Scene(10, Plan((Wave(10), Wave(50), Wave(100))))
    sizes = []
    while scene.rollout.status == "running":
        told = scene.step(60)
        scene.obey(*told)
        if told:
            sizes.append(len(told))
            assert scene.step(1) == ()
            assert scene.step(SOAK_MS / 1000 - 10) == ()
    assert sizes == [1, 4, 5]
    assert scene.rollout.status == "finished"
    assert {told.agent for told in scene.rollout.told} == set(scene.agents)


def test_one_percent_of_three_agents_is_one_canary() -> None:
    scene = Scene(3, Plan((Wave(1), Wave(100))))
    assert len(scene.step()) == 1


def test_a_canary_is_an_agent_that_is_online() -> None:
    scene = Scene(20, Plan((Wave(5), Wave(100))))
    for name in list(scene.agents)[:19]:
        scene.agents[name] = replace(scene.agents[name], online=False)
    assert scene.step() == ("van-19",)


def test_labels_choose_who_is_first() -> None:
    scene = Scene(6, Plan((Wave(labels={"ring": "test"}), Wave(100))))
    for name in ("van-2", "van-4"):
        scene.agents[name] = replace(scene.agents[name], labels={"ring": "test", "city": "x"})
    first = scene.step()
    assert set(first) == {"van-2", "van-4"}
    scene.obey(*first)
    scene.step(1)
    assert set(scene.step(601)) == set(scene.agents) - set(first)


def test_a_label_that_nobody_has_stops_the_rollout() -> None:
    scene = Scene(3, Plan((Wave(labels={"ring": "tset"}), Wave(100))))
    scene.step()
    assert scene.step(601) == ()
    assert (scene.rollout.status, scene.rollout.reason) == ("paused", "empty_wave")


def test_the_rate_holds_over_any_minute() -> None:
    scene = Scene(25, Plan((Wave(100),), rate=10))
    assert len(scene.step()) == 10
    assert scene.step(59) == ()
    assert len(scene.step(2)) == 10
    assert len(scene.step(61)) == 5


def test_a_failed_canary_aborts_and_sends_back() -> None:
    scene = Scene(10, Plan((Wave(10), Wave(100))))
    (canary,) = scene.step()
    scene.agents[canary] = refused(scene.agents[canary])
    assert scene.step(5) == ()
    assert (scene.rollout.status, scene.rollout.reason) == ("aborted", "failures")
    assert [(told.agent, told.former, told.failed) for told in scene.back] == [
        (canary, OLD, "self_test_failed")
    ]
    assert scene.step(10_000) == ()


def test_an_abort_rule_waits_for_its_number_of_agents() -> None:
    plan = Plan((Wave(100),), abort=AbortRule(max_failed_share=0.4, min_ended=5))
    scene = Scene(10, plan)
    told = scene.step()
    for name in told[:4]:
        scene.agents[name] = refused(scene.agents[name])
        scene.step(1)
        assert scene.rollout.status == "running"
    scene.obey(told[4])
    scene.step(1)
    assert scene.rollout.status == "aborted"


def test_failures_below_the_abort_rule_keep_the_gate_shut_until_an_operator_decides() -> None:
    plan = Plan((Wave(50), Wave(100)), abort=AbortRule(max_failed_share=0.5))
    scene = Scene(10, plan)
    told = scene.step()
    scene.obey(*told[1:])
    scene.step(1)
    scene.agents[told[0]] = refused(scene.agents[told[0]])
    scene.step(1)
    assert scene.step(601) == ()
    assert (scene.rollout.status, scene.rollout.reason) == ("paused", "gate")
    scene.rollout = resume(scene.rollout)
    assert len(scene.step(1)) == 5


def test_a_single_unverified_frame_aborts_even_while_paused() -> None:
    scene = Scene(100, Plan((Wave(50), Wave(100)), abort=AbortRule(max_failed_share=1.0)))
    told = scene.step()
    scene.obey(*told)
    scene.rollout = pause(scene.rollout)
    scene.agents[told[3]] = replace(scene.agents[told[3]], unverified=1)
    scene.step(1)
    assert (scene.rollout.status, scene.rollout.reason) == ("aborted", "unverified")
    assert {told.agent for told in scene.back} == set(told)


def test_what_was_bad_before_is_not_the_models_fault() -> None:
    scene = Scene(2, Plan((Wave(100),)))
    for name, agent in scene.agents.items():
        scene.agents[name] = replace(agent, unverified=3, veiled_share=0.5)
    scene.obey(*scene.step())
    scene.step(1)
    scene.step(601)
    assert scene.rollout.status == "finished"


def test_an_agent_that_veils_more_than_before_has_failed() -> None:
    scene = Scene(1, Plan((Wave(100),)))
    scene.obey(*scene.step())
    scene.agents["van-0"] = replace(scene.agents["van-0"], veiled_share=0.3)
    scene.step(1)
    assert scene.rollout.told[0].failed == "veiled"
    assert scene.rollout.status == "aborted"


def test_news_of_an_earlier_attempt_does_not_count() -> None:
    scene = Scene(1, Plan((Wave(100),)))
    scene.agents["van-0"] = replace(refused(scene.agents["van-0"]), informed=False)
    scene.step()
    scene.step(5)
    assert scene.rollout.status == "running"
    assert scene.rollout.told[0].failed is None


def test_who_runs_the_model_is_done_even_if_later_news_have_not_reached_it() -> None:
    scene = Scene(1, Plan((Wave(100),)))
    scene.obey(*scene.step())
    scene.agents["van-0"] = replace(scene.agents["van-0"], informed=False, online=False)
    scene.step(1)
    scene.step(601)
    assert scene.rollout.status == "finished"


def test_an_agent_that_is_never_heard_of_is_overdue_and_holds_nobody_up() -> None:
    scene = Scene(4, Plan((Wave(50), Wave(100)), gate=Gate(patience_seconds=3600)))
    told = scene.step()
    scene.obey(told[0])
    del scene.agents[told[1]]
    assert scene.step(3000) == ()
    assert scene.step(601) == ()
    lost = next(one for one in scene.rollout.told if one.agent == told[1])
    assert outcome(scene.rollout, lost, None, scene.now) is Outcome.OVERDUE
    assert scene.step(601)


def test_a_wave_of_agents_that_are_all_overdue_proves_nothing() -> None:
    scene = Scene(4, Plan((Wave(25), Wave(100)), gate=Gate(patience_seconds=3600)))
    scene.step()
    scene.step(3601)
    assert scene.step(601) == ()
    assert (scene.rollout.status, scene.rollout.reason) == ("paused", "gate")


def test_an_agent_that_fails_during_the_soak_stays_failed() -> None:
    scene = Scene(10, Plan((Wave(50), Wave(100)), abort=AbortRule(max_failed_share=0.9)))
    told = scene.step()
    scene.obey(*told)
    scene.step(1)
    back = ModelUpdate(version=NEW.version, step="rolled_back", reason="looks_failed")
    scene.agents[told[0]] = replace(scene.agents[told[0]], running=runs(OLD), update=back)
    scene.step(1)
    scene.agents[told[0]] = replace(scene.agents[told[0]], update=None)
    scene.step(1)
    failed = [one.failed for one in scene.rollout.told if one.failed]
    assert failed == ["looks_failed"]


def test_whoever_runs_the_model_already_is_left_alone() -> None:
    scene = Scene(3, Plan((Wave(100),)))
    scene.obey("van-1")
    assert set(scene.step()) == {"van-0", "van-2"}


def test_a_pause_tells_nobody_and_a_resume_goes_on() -> None:
    scene = Scene(30, Plan((Wave(100),), rate=10))
    scene.step()
    scene.rollout = pause(scene.rollout)
    assert scene.step(120) == ()
    scene.rollout = resume(scene.rollout)
    assert len(scene.step(0)) == 10


def test_an_emergency_stop_sends_back_everyone_and_is_final() -> None:
    scene = Scene(10, Plan((Wave(50), Wave(100))))
    told = scene.step()
    step = abort(scene.rollout)
    assert {one.agent for one in step.back} == set(told)
    for change in (pause, resume, abort):
        with pytest.raises(RolloutError, match="aborted already"):
            change(step.rollout)


def test_a_rollout_survives_being_stored() -> None:
    plan = Plan((Wave(labels={"a": "b"}), Wave(100)), rate=7, gate=Gate(1.0), while_live=True)
    scene = Scene(3, plan)
    scene.agents["van-1"] = replace(scene.agents["van-1"], labels={"a": "b"})
    scene.step()
    kind = TypeAdapter(Rollout)
    assert kind.validate_json(kind.dump_json(scene.rollout)) == scene.rollout
    assert scene.rollout.told[0].at_ms > scene.now - MINUTE_MS


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Wave, "either"),
        (lambda: Wave(5, {"a": "b"}), "either"),
        (lambda: Wave(labels={}), "either"),
        (lambda: Wave(0), "above 0"),
        (lambda: Wave(101), "above 0"),
        (lambda: Plan(()), "at least one"),
        (lambda: Plan((Wave(50), Wave(50))), "cumulative"),
        (lambda: Plan(rate=0), "1 agent"),
        (lambda: Gate(max_failed_share=1.1), "between 0 and 1"),
        (lambda: Gate(soak_seconds=-1), "negative"),
        (lambda: AbortRule(min_ended=0), "1 agent"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(make: object, words: str) -> None:
    assert callable(make)
    with pytest.raises(RolloutError, match=words):
        make()
