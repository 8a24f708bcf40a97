"""What each command does. For the agent's thread alone; work that takes time runs beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import structlog

from edge_agent.errors import FleetError
from edge_agent.fleet.commands import Commands
from edge_agent.fleet.control_plane import ControlPlane
from edge_agent.fleet.details import Details
from edge_agent.fleet.events import Do, Event
from edge_agent.fleet.home import Home
from edge_agent.fleet.identity import private_key
from edge_agent.fleet.in_force import InForce
from edge_agent.fleet.models_port import Models
from edge_agent.fleet.presence import Presence
from edge_agent.fleet.self_test import SelfTestError, run_self_test
from edge_agent.fleet.streams import Streams
from fleet_contract import commands as contract

log = structlog.get_logger()


class Agent(Protocol):
    """The parts that commands act on."""

    home: Home
    details: Details
    in_force: InForce
    streams: Streams
    commands: Commands
    presence: Presence
    models: Models

    def post(self, event: Event) -> None:
        """Put something into the agent's queue."""

    def follow(self) -> None:
        """Bring the streams to what is in force."""

    def metrics(self) -> dict[str, float]:
        """All numbers of this moment."""


def carry_out(agent: Agent, command: contract.Command) -> None:
    """Do what an accepted command asks, and answer it, now or later."""
    if isinstance(command, contract.StreamCommand) and not _listed(agent, command.stream):
        agent.commands.failed(command, "unknown_stream")
        return
    _EFFECTS[type(command)](agent, command)


def _listed(agent: Agent, stream: str) -> bool:
    return any(wanted.id == stream for wanted in agent.in_force.wanted)


def _switch(agent: Agent, command: contract.Command) -> None:
    assert isinstance(command, contract.StreamCommand)
    agent.in_force.set_running(command.stream, isinstance(command, contract.Start))
    agent.follow()
    agent.commands.done(command)


def _veil(agent: Agent, command: contract.Command) -> None:
    assert isinstance(command, contract.StreamCommand)
    on = isinstance(command, contract.Veil)
    if not on and not agent.in_force.may_unveil(command.stream):
        agent.commands.failed(command, "needs_consent")
        return
    agent.in_force.set_veiled(command.stream, on)
    agent.follow()
    agent.streams.when_done(
        command.stream,
        lambda why: agent.commands.settle(command, why),
        met=lambda report: report.veiled == on,
    )


def _snapshot(agent: Agent, command: contract.Command) -> None:
    agent.commands.done(command, agent.metrics())


def _self_test(agent: Agent, command: contract.Command) -> None:
    agent.commands.accepted(command)
    card: Path = agent.models.card

    def work() -> Callable[[], None]:
        try:
            scores = run_self_test(card)
        except SelfTestError as problem:
            reason = str(problem)
            return lambda: agent.commands.failed(command, reason)
        numbers = {f"score.{label}": score for label, score in scores.items()}
        return lambda: agent.commands.done(command, numbers)

    _beside(agent, "self-test", work)


def _rotate_key(agent: Agent, command: contract.Command) -> None:
    agent.commands.accepted(command)
    request = agent.presence.prepare_key()
    agent.presence.on_rotated = lambda reason: agent.commands.settle(command, reason)

    def work() -> Callable[[], None]:
        details, home = agent.details, agent.home
        try:
            control = ControlPlane(details.control, ca=home.ca, insecure=details.insecure)
            certificate = control.certify(details, private_key(home.key), request)
        except FleetError as problem:
            log.warning("key_not_certified", reason=str(problem))
            return lambda: agent.commands.failed(command, "not_certified")
        return lambda: _use_certificate(agent, command, certificate)

    _beside(agent, "rotate-key", work)


def _use_certificate(agent: Agent, command: contract.Command, certificate: bytes) -> None:
    try:
        agent.presence.use_certificate(certificate)
    except FleetError as problem:
        log.warning("certificate_refused", reason=str(problem))
        agent.commands.failed(command, "not_certified")


def _update_model(agent: Agent, command: contract.Command) -> None:
    assert isinstance(command, contract.UpdateModel)
    agent.models.want(command.model, command.while_live, again=True)
    agent.commands.done(command)


def _roll_back(agent: Agent, command: contract.Command) -> None:
    agent.models.roll_back()
    agent.commands.done(command)


_EFFECTS: Mapping[type[contract.Command], Callable[[Agent, contract.Command], None]] = {
    contract.Start: _switch,
    contract.Stop: _switch,
    contract.Veil: _veil,
    contract.Unveil: _veil,
    contract.SnapshotMetrics: _snapshot,
    contract.SelfTest: _self_test,
    contract.RotateKey: _rotate_key,
    contract.UpdateModel: _update_model,
    contract.RollbackModel: _roll_back,
}


def _beside(agent: Agent, name: str, work: Callable[[], Callable[[], None]]) -> None:
    """Run `work` in a thread of its own, and what it returns in the agent's."""
    threading.Thread(target=lambda: agent.post(Do(work())), name=name, daemon=True).start()
