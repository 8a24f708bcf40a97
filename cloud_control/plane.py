"""The services of one control plane, wired, and the two threads that keep them going."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import structlog

from cloud_control.domain.fleet import agent_key
from cloud_control.ports import Bus, Certifier, Clock, Entrance, Store
from cloud_control.service.access import Access
from cloud_control.service.audit import Audit
from cloud_control.service.commands import Commands
from cloud_control.service.documents import Documents
from cloud_control.service.enrolment import Enrolment
from cloud_control.service.entrance import OwnIngest
from cloud_control.service.events import Events
from cloud_control.service.live import Live
from cloud_control.service.memory import Memory, in_process
from cloud_control.service.once import Once
from cloud_control.service.reporting import Reporting
from cloud_control.service.rollouts import Rollouts
from cloud_control.service.streams import ProtectionRules, Streams
from fleet_contract.topics import Address, Kind

TICK_SECONDS = 1.0
LEASE_BEATS = 3  # of ticks, which news may bring forward
SLOW_BEATS = 30

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Plane:
    """Everything that an API or a command needs, for one fleet."""

    fleet: str
    bus: Bus
    clock: Clock
    audit: Audit
    access: Access
    events: Events
    live: Live
    documents: Documents
    enrolment: Enrolment
    streams: Streams
    protection: ProtectionRules
    reporting: Reporting
    commands: Commands
    rollouts: Rollouts
    once: Once


def assemble(
    fleet: str,
    store: Store,
    bus: Bus,
    certifier: Certifier,
    clock: Clock,
    ingest: str | Entrance | None = None,
    memory: Memory | None = None,
) -> Plane:
    """ingest: where streams are published that name no sink; a text is the address without their
    keys. memory: of this process alone, unless one is given."""
    entrance = OwnIngest(ingest) if ingest is None or isinstance(ingest, str) else ingest
    memory = memory or in_process(clock)
    audit = Audit(store, clock)
    events = Events(clock())

    def known(its_fleet: str, agent: str) -> bool:
        held = documents.agents.get(agent_key(its_fleet, agent))
        return held is not None and not held.value.revoked

    live = Live(known, events, clock, memory.standings)
    documents = Documents(store, bus, live, clock, alone=memory.alone)
    commands = Commands(store, documents, bus, audit, live, events, clock, memory.answers)
    return Plane(
        fleet=fleet,
        bus=bus,
        clock=clock,
        audit=audit,
        access=Access(store, audit, clock),
        events=events,
        live=live,
        documents=documents,
        enrolment=Enrolment(store, documents, certifier, audit, live, clock, memory.spent),
        streams=Streams(store, documents, audit, live, events, clock, entrance, alone=memory.alone),
        protection=ProtectionRules(store, documents, audit),
        reporting=Reporting(store, documents, audit),
        commands=commands,
        rollouts=Rollouts(store, documents, commands, audit, live, events, clock),
        once=memory.once,
    )


class Keeper:
    """Takes in what agents say, on one thread, and does what is due, on another.

    `take` may be called from the bus's thread: it only puts the message down.
    """

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._inbox: SimpleQueue[tuple[Address, bytes] | None] = SimpleQueue()
        self._news = threading.Event()
        self._connected = threading.Event()
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._listen, name="inbox", daemon=True),
            threading.Thread(target=self._tick, name="ticks", daemon=True),
        ]
        plane.live.on_reported(lambda *_: self._news.set())

    def start(self) -> None:
        """Listen to the bus from now on."""
        self._plane.documents.begin(self._plane.fleet)
        self._plane.bus.subscribe(self.take)
        self._plane.bus.on_connected(self._connected.set)
        if self._plane.bus.connected:
            self._connected.set()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._closing.set()
        self._news.set()
        self._inbox.put(None)
        for thread in self._threads:
            thread.join(10.0)

    def take(self, address: Address, payload: bytes) -> None:
        if address.kind is not Kind.DESIRED:
            self._inbox.put((address, payload))

    @property
    def waiting(self) -> int:
        """Messages not yet looked at."""
        return self._inbox.qsize()

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                message = self._inbox.get(timeout=1.0)
            except Empty:
                continue
            if message is not None:
                _guarded("a message could not be taken", self._plane.live.take, *message)

    def _tick(self) -> None:
        plane, beat = self._plane, 0
        while not self._closing.is_set():
            self._news.wait(TICK_SECONDS)
            self._news.clear()
            beat += 1
            _guarded("rollouts are stuck", plane.rollouts.tick)
            if beat % LEASE_BEATS == 0:
                _guarded("leases are stuck", plane.streams.expire)
            if beat % SLOW_BEATS == 0:
                _guarded("certificates are stuck", plane.enrolment.retire)
            fresh = self._connected.is_set()
            if plane.bus.connected and not self.waiting and (fresh or beat % SLOW_BEATS == 0):
                self._connected.clear()
                _guarded("documents are stuck", self._catch_up, fresh)
            self._closing.wait(TICK_SECONDS / 4)  # news of many agents at once are one tick

    def _catch_up(self, everyone: bool) -> None:
        self._plane.documents.catch_up(self._plane.fleet, everyone=everyone)


def _guarded(complaint: str, work: object, *arguments: object) -> None:
    """One thing that goes wrong must not end the thread that does all."""
    try:
        work(*arguments)  # type: ignore[operator]
    except Exception as problem:
        log.exception(complaint, error=type(problem).__name__)
