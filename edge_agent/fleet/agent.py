"""The managed agent: one thread owns all of its state, everything else puts events into a queue."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from edge_agent.errors import FleetError
from edge_agent.fleet.carry_out import carry_out
from edge_agent.fleet.clock import SteadyClock
from edge_agent.fleet.commands import Commands
from edge_agent.fleet.details import read_details
from edge_agent.fleet.device_settings import read_device_settings, welcoming
from edge_agent.fleet.events import (
    Arrived,
    Connected,
    Delivered,
    Do,
    Event,
    Heard,
    Lost,
    Stop,
)
from edge_agent.fleet.home import Home
from edge_agent.fleet.in_force import InForce, desired_address
from edge_agent.fleet.model_host import ModelHost
from edge_agent.fleet.models_port import Models, thresholds_of
from edge_agent.fleet.presence import Presence
from edge_agent.fleet.protection import from_settings
from edge_agent.fleet.reconcile import plan
from edge_agent.fleet.reports import snapshot
from edge_agent.fleet.store import Store
from edge_agent.fleet.streams import Done, Streams, Workers
from edge_agent.fleet.voice import Voice
from edge_agent.fleet.vouch import Vouchers
from edge_agent.worker.report import WorkerReport
from fleet_contract.acceptance import Arrival
from fleet_contract.telemetry import Spool
from fleet_contract.topics import Address, Kind

TICK_S = 0.5  # how soon a consent given on the device is noticed

MakeWorkers = Callable[[Callable[[str, WorkerReport], None]], Workers]
MakeModels = Callable[["Agent"], Models]

log = structlog.get_logger()


class Agent:
    """Runs until `stop`. `run` is the one thread that touches the parts; `post` is for all others.

    Raises FleetError or SettingsError when the home cannot be used.
    """

    def __init__(
        self,
        home: Home,
        make_workers: MakeWorkers,
        make_models: MakeModels,
        spool: Callable[[], Spool] = Spool,
    ) -> None:
        self.home, self.details = home, read_details(home)
        self.device = welcoming(read_device_settings(home.settings), self.details.control)
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.store = Store(home.state)
        self.clock = SteadyClock(self.store.highest_time())
        fleet, agent = self.details.fleet, self.details.agent
        self.in_force = InForce(
            desired_address(fleet, agent), self.store, from_settings(self.device.protect),
            self.clock,
        )  # fmt: skip
        self.presence = Presence(home, self.details, self.store, self.clock, self.post)
        self.commands = Commands(self.details, self.store, self.clock, self.presence.publish)
        self.streams = Streams(make_workers(lambda s, report: self.post(Heard(s, report))))
        self.host = ModelHost(self.post, self.streams, self._take_card)
        self.models = make_models(self)
        self._card: Path = self.models.card
        self.in_force.thresholds = thresholds_of(self._card)
        self.voice = Voice(
            self.details, self.store, self.clock, self.presence, self.in_force, self.streams,
            self.commands, lambda: self.models, spool, Vouchers(home, self.details),
        )  # fmt: skip
        self._telemetry_due = 0.0

    def run(self) -> None:
        """Until `stop`: streams first, then the link; with or without a network."""
        self.in_force.refresh()
        self.commands.give_up_unfinished()
        self.follow()
        self._want_model()
        try:
            while not self._step(self._next_event()):
                pass
        finally:
            self.streams.close()
            self.presence.close()
            self.models.close()
            self.store.close()

    def post(self, event: Event) -> None:
        """Callable from anywhere."""
        self._queue.put(event)

    def stop(self, by: str) -> None:
        """End cleanly, soon. Callable from anywhere, also from a signal's handler."""
        self.post(Stop(by))

    def changed(self) -> None:
        """Callable from anywhere: model updates have something new to tell."""
        self.post(Do(self._say_changes))

    def follow(self) -> None:
        """Bring the streams to what is in force."""
        card = self._card if self.in_force.thresholds else None
        self.streams.follow(plan(self.in_force, self.device, card))
        self.host.followed()
        self.voice.changes()

    def metrics(self) -> dict[str, float]:
        figures = self.voice.figures()
        others = {"uptime": figures.uptime, "cpu": figures.cpu, "memory": float(figures.memory)}
        return snapshot(figures.streams, others)

    def _say_changes(self) -> None:
        self.voice.changes()

    def _next_event(self) -> Event | None:
        wait = TICK_S
        if self.presence.due is not None:
            wait = min(wait, max(0.0, self.presence.due - time.monotonic()))
        try:
            return self._queue.get(timeout=wait)
        except queue.Empty:
            return None

    def _step(self, event: Event | None) -> bool:
        """Deal with an event and with what is due; whether this was the end."""
        if isinstance(event, Stop):
            log.info("stopping", by=event.by)
            return True
        try:
            self._handle(event)
            self._on_time()
        except FleetError as problem:  # a full disk: what is in force stays, nothing new is taken
            log.error("not_done", reason=str(problem), mend="make room on the disk")
        return False

    def _handle(self, event: Event | None) -> None:
        if isinstance(event, Heard):
            self.streams.heard(event.stream, event.report)
            self.host.heard(event.stream)
            self.models.heard(event.stream, event.report)
            self.voice.changes()
        elif isinstance(event, Do):
            event.work()
        elif isinstance(event, Connected):
            if self.presence.connected(event.connection):
                self.voice.anew()
        elif isinstance(event, Lost):
            self.presence.lost(event.connection, event.reason)
        elif isinstance(event, Delivered):
            arrived = self.presence.delivered(event)
            if arrived:
                self.voice.cleared(*arrived)
        elif isinstance(event, Arrived):
            self._arrived(event.connection, event.arrival)

    def _arrived(self, connection: int, arrival: Arrival) -> None:
        if connection != self.presence.connection:
            return
        fleet, agent = self.details.fleet, self.details.agent
        if arrival.topic == str(desired_address(fleet, agent)):
            news = self.in_force.take(arrival.payload)
            if news:
                self.follow()
                self._want_model()
            self.voice.changes()
        elif arrival.topic == str(Address(Kind.STATUS, fleet, agent)):
            self.presence.own_status(arrival)
        else:
            command = self.commands.receive(arrival)
            if command is not None:
                carry_out(self, command)

    def _on_time(self) -> None:
        self.presence.tick()
        expiry = self.in_force.next_expiry()
        ended = expiry is not None and self.clock.now_ms() >= expiry
        if self.store.changed_elsewhere() or ended:
            self.in_force.refresh()
            self.follow()
        if self.presence.online and time.monotonic() >= self._telemetry_due:
            wish = self.in_force.wish
            every = wish.desired.telemetry_seconds if wish else 10
            self._telemetry_due = time.monotonic() + every
            self.voice.telemetry()

    def _want_model(self) -> None:
        wish = self.in_force.wish
        if wish and wish.desired.model:
            self.models.want(wish.desired.model, False)

    def _take_card(self, card: Path, done: Done) -> None:
        """All streams look with `card` from now on, or none. While one model takes the other's
        place, the protection is one that is strict enough for both."""
        former = self._card
        self.in_force.coming = thresholds_of(card)
        self.in_force.refresh()
        self.follow()
        self._card = card
        self.follow()

        def settled(reason: str | None) -> None:
            self._card = card if reason is None else former
            self.in_force.thresholds, self.in_force.coming = thresholds_of(self._card), None
            self.in_force.refresh()
            self.follow()
            done(reason)

        self.streams.when_all_done(settled)
