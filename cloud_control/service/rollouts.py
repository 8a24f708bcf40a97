"""Rollouts: kept, advanced on a tick and on news of agents, and turned into documents."""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress

import structlog

from cloud_control.domain import rollout as engine
from cloud_control.domain.fleet import Agent, Kept, agent_key, version_of
from cloud_control.domain.rollout import AgentView, Outcome, Rollout, Step, Told
from cloud_control.domain.rollout_plan import Plan
from cloud_control.errors import BrokerError, ConflictError, TakenError
from cloud_control.ports import Clock, Store
from cloud_control.service.audit import Audit
from cloud_control.service.commands import Commands
from cloud_control.service.documents import Documents
from cloud_control.service.events import Events
from cloud_control.service.live import Live, Standing
from cloud_control.service.records import Held, Shelf, retried
from fleet_contract.commands import MAX_LIFE_MS
from fleet_contract.fields import Id, Millis
from fleet_contract.reported import Reported
from fleet_contract.wanted_model import WantedModel

SENT_BACK_FOR_MS = 7 * 24 * 3600 * 1000
SENT_BACK_EVERY_MS = 30_000

log = structlog.get_logger()


class FleetRollout(Kept):
    """A fleet's rollout. applied: whether its newest step has reached all agents' records."""

    fleet: Id
    started_at: Millis
    started_by: str
    rollout: Rollout
    applied: bool = True

    @property
    def key(self) -> str:
        return f"{self.fleet}/{self.rollout.id}"


class Rollouts:
    """One running rollout a fleet. The newest step is stored before it is carried out, and carried
    out again after a crash: telling an agent twice is telling it once."""

    def __init__(
        self,
        store: Store,
        documents: Documents,
        commands: Commands,
        audit: Audit,
        live: Live,
        events: Events,
        clock: Clock,
    ) -> None:
        self._store, self._documents, self._commands = store, documents, commands
        self._audit, self._live, self._events, self._clock = audit, live, events, clock
        self._shelf = Shelf(store, "rollout", FleetRollout)
        self._turns = Shelf(store, "rollout_turn", str)
        self._lock = threading.Lock()
        self._sent_back: dict[str, int] = {}

    def start(self, who: str, fleet: str, model: WantedModel, plan: Plan) -> FleetRollout:
        """Begin one; the first agents are told at once. Raises TakenError while another runs."""
        with self._lock:
            turn = self._turns.get(fleet)  # first: of two processes that begin one, one is refused
            for other in self._shelf.every(f"{fleet}/"):
                if not other.rollout.ended:
                    raise TakenError(f"rollout {other.rollout.id} is {other.rollout.status}")
            now_ms = self._clock()
            made = FleetRollout(
                fleet=fleet, started_at=now_ms, started_by=who,
                rollout=Rollout(f"{now_ms:013d}-{secrets.token_hex(3)}", model, plan),
            )  # fmt: skip
            self._store.commit(
                [
                    self._shelf.put(made.key, made),
                    self._turns.put(fleet, made.rollout.id, turn.revision if turn else 0),
                    self._audit.entry(
                        who, "rollout.start", made.key, None, model.model_dump(mode="json")
                    ),
                ]
            )
        self.tick()
        return self.get(fleet, made.rollout.id)

    def get(self, fleet: str, rollout: str) -> FleetRollout:
        """Raises NotFoundError."""
        return self._shelf.need(f"{fleet}/{rollout}").value

    def all(self, fleet: str) -> list[FleetRollout]:
        return list(self._shelf.every(f"{fleet}/"))

    def pause(self, who: str, fleet: str, rollout: str) -> FleetRollout:
        """Raises NotFoundError; RolloutError when it has ended. Likewise the next two."""
        return self._by_hand(who, fleet, rollout, "pause")

    def resume(self, who: str, fleet: str, rollout: str) -> FleetRollout:
        return self._by_hand(who, fleet, rollout, "resume")

    def abort(self, who: str, fleet: str, rollout: str) -> FleetRollout:
        """The emergency stop: everyone who was told goes back."""
        return self._by_hand(who, fleet, rollout, "abort")

    def outcomes(self, kept: FleetRollout) -> dict[str, tuple[Told, Outcome]]:
        """How each agent that was told stands."""
        views = {view.id: view for view in self._views(kept.fleet)}
        now_ms = self._clock()
        return {
            told.agent: (told, engine.outcome(kept.rollout, told, views.get(told.agent), now_ms))
            for told in kept.rollout.told
        }

    def tick(self) -> None:
        """Advance every rollout that runs, and finish what a crash interrupted."""
        with self._lock:
            for kept in list(self._shelf.every()):
                with suppress(ConflictError):  # another process advances it
                    self._advance(kept)

    def _advance(self, kept: FleetRollout) -> None:
        if kept.rollout.status == "aborted":
            self._send_back(kept)
        if kept.rollout.ended and kept.applied:
            return
        held = self._shelf.need(kept.key)
        if not held.value.applied:
            self._apply(held, _whole_step(held.value.rollout))
            held = self._shelf.need(kept.key)
        if held.value.rollout.ended:
            return
        step = engine.advance(held.value.rollout, self._views(kept.fleet), self._clock())
        self._take(held, step, "system")

    def _by_hand(self, who: str, fleet: str, rollout: str, act: str) -> FleetRollout:
        with self._lock:
            held = self._shelf.need(f"{fleet}/{rollout}")
            present = held.value.rollout
            if act == "abort":
                step = engine.abort(present)
            else:
                step = Step(engine.pause(present) if act == "pause" else engine.resume(present))
            self._take(held, step, who)
            return self.get(fleet, rollout)

    def _take(self, held: Held[FleetRollout], step: Step, who: str) -> None:
        """Store a step, then carry it out."""
        before = held.value
        if step.rollout == before.rollout:
            return
        works = bool(step.forward or step.back)
        after = before.model_copy(update={"rollout": step.rollout, "applied": not works})
        changes = [self._shelf.put(held.key, after, held.revision)]
        if step.rollout.status != before.rollout.status:
            changes.append(
                self._audit.entry(
                    who, f"rollout.{step.rollout.status}", held.key,
                    {"status": before.rollout.status},
                    {"status": step.rollout.status, "reason": step.rollout.reason},
                )
            )  # fmt: skip
        self._store.commit(changes)
        if works:
            self._apply(Held(held.key, after, held.revision + 1), step)
        self._events.publish("rollout", summary(self._shelf.need(held.key).value))

    def _apply(self, held: Held[FleetRollout], step: Step) -> None:
        """Tell the agents; noted as done when all were."""
        kept = held.value
        for agent in step.forward:
            self._want(kept, agent, kept.rollout.model)
        for told in step.back:
            self._want(kept, told.agent, told.former)
        done = kept.model_copy(update={"applied": True})
        self._store.commit([self._shelf.put(held.key, done, held.revision)])

    def _want(self, kept: FleetRollout, agent: str, model: WantedModel | None) -> None:
        def work() -> bool:
            held = self._documents.agents.get(agent_key(kept.fleet, agent))
            if held is None or held.value.revoked or held.value.model == model:
                return False
            _, put = self._documents.touched(held, model=model)
            self._store.commit([put])
            return True

        if not retried(work):
            return
        self._documents.publish(kept.fleet, agent)
        if kept.rollout.plan.while_live and model is not None:
            fields = {"model": model, "while_live": True}
            try:
                self._commands.issue(
                    "system", kept.fleet, agent, "update-model", fields, MAX_LIFE_MS // 1000
                )
            except BrokerError as problem:
                log.warning("an update waits for the broker", agent=agent, reason=str(problem))

    def _send_back(self, kept: FleetRollout) -> None:
        """A document without a model means: keep the one that runs. So agents that had none before
        an aborted rollout are told by command, as soon as they are there, until they are back."""
        now_ms = self._clock()
        if now_ms - kept.started_at > SENT_BACK_FOR_MS:
            return
        for told in kept.rollout.told:
            held = self._documents.agents.get(agent_key(kept.fleet, told.agent))
            if told.former or held is None or held.value.revoked or held.value.model:
                continue
            standing = self._live.of(kept.fleet, told.agent)
            lately = now_ms - self._sent_back.get(held.key, 0) < SENT_BACK_EVERY_MS
            if not standing.online or standing.reported is None or lately:
                continue
            if _has_or_takes(standing.reported, kept.rollout.model):
                self._sent_back[held.key] = now_ms
                with suppress(BrokerError):
                    self._commands.issue("system", kept.fleet, told.agent, "rollback-model", {})

    def _views(self, fleet: str) -> list[AgentView]:
        rules = self._documents.rules(fleet).value
        views = []
        for page in self._documents.agents.pages(f"{fleet}/"):
            found = self._live.of_many(fleet, [agent.id for agent in page])
            views += [
                _view(agent, version_of(rules, agent), found[agent.id])
                for agent in page
                if not agent.revoked
            ]
        return views


def summary(kept: FleetRollout) -> dict[str, object]:
    """A rollout in a few plain values."""
    found = kept.rollout
    return {
        "fleet": kept.fleet,
        "id": found.id,
        "model": found.model.model_dump(mode="json"),
        "status": found.status,
        "reason": found.reason,
        "wave": found.wave,
        "waves": len(found.plan.waves),
        "told": len(found.told),
        "failed": sum(told.failed is not None for told in found.told),
    }


def _has_or_takes(reported: Reported, model: WantedModel) -> bool:
    """Whether an agent runs this model, or is about to."""
    running, update = reported.model, reported.update
    if running is not None and (running.name, running.version) == (model.name, model.version):
        return True
    ended = {"done", "refused", "rolled_back"}
    return update is not None and update.version == model.version and update.step not in ended


def _whole_step(rollout: Rollout) -> Step:
    """All that a rollout has asked for so far, for a step that may have been half carried out."""
    if rollout.status == "aborted":
        return Step(rollout, back=rollout.told)
    return Step(rollout, forward=tuple(told.agent for told in rollout.told))


def _view(agent: Agent, version: int, standing: Standing) -> AgentView:
    reported = standing.reported
    return AgentView(
        id=agent.id,
        labels=agent.labels,
        online=standing.online,
        informed=reported is not None and reported.applied >= version,
        former=agent.model,
        running=reported.model if reported else None,
        update=reported.update if reported else None,
        unverified=standing.unverified,
        veiled_share=standing.veiled_share,
    )
