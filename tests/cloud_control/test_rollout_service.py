"""Rollouts as they are kept and carried out: documents, commands, crashes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from cloud_control.domain.rollout_plan import Plan, Wave
from cloud_control.plane import Plane, assemble
from cloud_control.ports import Put
from cloud_control.service.memory import in_store
from cloud_control.service.standings import Standing
from fleet_contract.reported import Reported
from fleet_contract.status import Status
from fleet_contract.topics import Address, Kind
from fleet_contract.wanted_model import WantedModel
from tests.cloud_control.stand_in import FLEET, StandIn

NEW = {"name": "veil-nano", "version": "1.2.0", "target": "veil-nano/1.2.0/veil-nano.json"}
PLAN = {"waves": [{"percent": 100}], "gate": {"soak_seconds": 0}}


@pytest.fixture
def place() -> StandIn:
    found = StandIn(time.time)
    for name in ("van-1", "van-2"):
        found.device(name)
        says(found, name, "1.0.0")
    return found


def says(place: StandIn, agent: str, version: str, step: str | None = None) -> None:
    """An agent that is online, has applied all and runs that version."""
    fields = {"state": "online", "connection": 7, "at": 1, "reason": "connected",
              "agent_version": "0.1.0"}  # fmt: skip
    place.says(agent, Kind.STATUS, Status.model_validate(fields))
    reported: dict[str, Any] = {
        "at": 1, "agent_version": "0.1.0", "applied": wanted(place, agent).get("version", 1),
        "model": {"name": "veil-nano", "version": version, "sha256": "0" * 64},
    }  # fmt: skip
    if step:
        update = {"version": NEW["version"], "step": step}
        reported["update"] = update | ({} if step == "done" else {"reason": "self_test_failed"})
    place.says(agent, Kind.REPORTED, Reported.model_validate_json(json.dumps(reported)))


def wanted(place: StandIn, agent: str) -> dict[str, Any]:
    """The newest document of an agent."""
    address = Address(Kind.DESIRED, FLEET, agent)
    sent = [json.loads(payload) for where, payload in place.bus.sent if where == address]
    return dict(sent[-1]) if sent else {}


def commands(place: StandIn, agent: str) -> list[str]:
    return [
        one.name
        for one, _ in place.bus.sent
        if one.kind is Kind.COMMAND and one.agent == agent
    ]  # fmt: skip


def started(place: StandIn, **plan: Any) -> str:
    body = {"model": NEW, "plan": PLAN | plan}
    answer = place.asks("POST", "/v1/rollouts", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_rollout_puts_its_model_into_documents_and_finishes(place: StandIn) -> None:
    rollout = started(place)
    for agent in ("van-1", "van-2"):
        assert wanted(place, agent)["model"] == NEW
        says(place, agent, "1.2.0", "done")
    place.plane.rollouts.tick()
    assert place.asks("GET", f"/v1/rollouts/{rollout}").json()["status"] == "finished"


def test_one_rollout_at_a_time(place: StandIn) -> None:
    started(place)
    assert place.asks("POST", "/v1/rollouts", json={"model": NEW}).status_code == 409


def test_a_failed_agent_aborts_and_sends_everyone_back(place: StandIn) -> None:
    rollout = started(place)
    says(place, "van-1", "1.2.0", "done")
    says(place, "van-2", "1.0.0", "refused")
    place.plane.rollouts.tick()
    found = place.asks("GET", f"/v1/rollouts/{rollout}").json()
    assert (found["status"], found["reason"]) == ("aborted", "failures")
    assert "model" not in wanted(place, "van-1")
    says(place, "van-1", "1.2.0", "done")
    place.plane.rollouts.tick()
    assert commands(place, "van-1") == ["rollback-model"]
    place.plane.rollouts.tick()
    assert commands(place, "van-1") == ["rollback-model"]  # not again at once
    says(place, "van-1", "1.0.0")
    place.ahead_s += 120
    place.plane.rollouts.tick()
    assert commands(place, "van-1") == ["rollback-model"]


def test_a_step_that_a_crash_cut_short_is_carried_out_by_the_next_tick(place: StandIn) -> None:
    rollout = started(place)
    kept = place.store.get("rollout", f"{FLEET}/{rollout}")
    agent = place.store.get("agent", f"{FLEET}/van-2")
    assert kept
    assert agent
    # As if the process had died after storing the step, before it told van-2.
    undone = json.loads(agent.value) | {"model": None}
    place.store.commit(
        [
            Put("agent", agent.key, json.dumps(undone), agent.revision),
            Put(
                "rollout", kept.key,
                json.dumps(json.loads(kept.value) | {"applied": False}), kept.revision,
            ),
        ]
    )  # fmt: skip
    place.plane.rollouts.tick()
    assert wanted(place, "van-2")["model"] == NEW


def test_while_live_is_asked_by_command_besides(place: StandIn) -> None:
    started(place, while_live=True)
    assert commands(place, "van-1") == ["update-model"]


def test_paused_resumed_and_aborted_by_hand(place: StandIn) -> None:
    rollout = started(place)
    for act, status in (("pause", "paused"), ("resume", "running"), ("abort", "aborted")):
        answer = place.asks("POST", f"/v1/rollouts/{rollout}/{act}")
        assert answer.json()["status"] == status
    assert place.asks("POST", f"/v1/rollouts/{rollout}/resume").status_code == 409
    done = [one["action"] for one in place.asks("GET", "/v1/audit").json()["entries"]]
    assert done[-3:] == ["rollout.paused", "rollout.running", "rollout.aborted"]


class Rival:
    """Another process on the same store, which does something between a look at all rollouts and
    the commit that follows."""

    def __init__(self, place: StandIn, does: Callable[[Plane], object]) -> None:
        self._list, self._store, self._does = place.store.list, place.store, does
        bus, certifier = place.bus, place.certifier
        self.plane = assemble(FLEET, place.store, bus, certifier, place.now_ms, None,
                              in_store(place.store))  # fmt: skip

    def list(self, kind: str, *more: Any) -> Any:
        found = self._list(kind, *more)
        if kind == "rollout":
            self._store.list = self._list  # type: ignore[method-assign]
            self._does(self.plane)
        return found


def test_of_two_processes_that_begin_a_rollout_one_is_refused(place: StandIn) -> None:
    model, plan = WantedModel.model_validate(NEW), Plan(waves=(Wave(100.0),))
    rival = Rival(place, lambda plane: plane.rollouts.start("rival", FLEET, model, plan))
    place.store.list = rival.list  # type: ignore[method-assign]
    assert place.asks("POST", "/v1/rollouts", json={"model": NEW, "plan": PLAN}).status_code == 409
    shown = place.asks("GET", "/v1/rollouts").json()["rollouts"]
    assert [one["status"] for one in shown] == ["running"]


def test_two_processes_that_advance_a_rollout_advance_it_once(place: StandIn) -> None:
    rollout = started(place)
    for agent in ("van-1", "van-2"):
        says(place, agent, NEW["version"])
    rival, live = Rival(place, lambda _: None).plane, place.plane.live
    stand = live.of_many
    rival.live.of_many = stand  # type: ignore[method-assign]

    def overtaken(fleet: str, agents: Sequence[str]) -> dict[str, Standing]:
        live.of_many = stand  # type: ignore[method-assign]
        rival.rollouts.tick()
        return stand(fleet, agents)

    live.of_many = overtaken  # type: ignore[method-assign]
    place.plane.rollouts.tick()
    assert place.plane.rollouts.get(FLEET, rollout).rollout.status == "finished"
    actions = [one["action"] for one in place.asks("GET", "/v1/audit?limit=500").json()["entries"]]
    assert actions.count("rollout.finished") == 1
