"""The rule of versions, whatever is changed in whatever order, and by several at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from cloud_control.adapters.memory.store import MemoryStore
from cloud_control.domain.fleet import Agent, Certificate
from cloud_control.plane import Plane, assemble
from cloud_control.ports import Put, Store
from cloud_control.service.streams import StreamChange, StreamRequest
from fleet_contract.codec import decode, encode
from fleet_contract.desired import Desired
from fleet_contract.endpoint import Endpoint
from fleet_contract.protection import Protection
from fleet_contract.reported import Reported
from fleet_contract.topics import Address, Kind

FLEET = "acme"
AGENTS = ("van-1", "van-2")
HOLDS = st.sampled_from([0.8, 1.0, 2.0])


class ListeningBus:
    """Keeps what it was given, as agents that follow the protocol would: each applies a document
    only if its number is higher than the last. away: the broker loses everything."""

    connected = True

    def __init__(self) -> None:
        self.away = False
        self.applied: dict[str, Desired] = {}
        self.sent: dict[str, list[Desired]] = {agent: [] for agent in AGENTS}

    def publish(self, address: Address, payload: bytes) -> None:
        if self.away:
            return
        message = decode(address, payload).message
        assert isinstance(message, Desired)
        self.sent[address.agent].append(message)
        before = self.applied.get(address.agent)
        if before is None or message.version > before.version:
            self.applied[address.agent] = message

    def clear(self, address: Address) -> None: ...

    def subscribe(self, handler: Callable[[Address, bytes], None]) -> None: ...

    def on_connected(self, handler: Callable[[], None]) -> None: ...


class NoCertifier:
    def certify(self, csr_pem: str, fleet: str, agent: str) -> str:
        raise AssertionError(csr_pem, fleet, agent)

    def revoke(self, pem: str) -> None: ...


def plane_with(store: Store, bus: ListeningBus, now_ms: int = 1_800_000_000_000) -> Plane:
    plane = assemble(FLEET, store, bus, NoCertifier(), lambda: now_ms)
    for name in AGENTS:
        pem = (Certificate(pem="", added_at=0),)
        agent = Agent(fleet=FLEET, id=name, enrolled_at=0, certificates=pem)
        if plane.documents.agents.get(agent.key) is None:
            store.commit([plane.documents.agents.put(agent.key, agent)])
            plane.documents.publish(FLEET, name)
    return plane


def content(desired: Desired) -> dict[str, object]:
    """What a document wants, beside its number and date."""
    return desired.model_dump(mode="json", exclude={"version", "issued_at"})


class Changes(RuleBasedStateMachine):
    """Operators change things; the broker comes and goes; the store is restored from a backup, and
    things are changed again before any agent was heard."""

    streams = Bundle("streams")

    @initialize()
    def begin(self) -> None:
        self.store = MemoryStore()
        self.bus = ListeningBus()
        self.now_ms = 1_800_000_000_000
        self.plane = self._started()
        self.made = 0
        self.backup = self._copied()

    @rule(target=streams, agent=st.sampled_from(AGENTS))
    def add(self, agent: str) -> object:
        if len(self.plane.documents.agents.need(f"{FLEET}/{agent}").value.streams) == 4:
            return multiple()
        self.made += 1
        ref = Endpoint(ref="cam")
        wanted = StreamRequest(agent=agent, id=f"s-{self.made}", source=ref, sinks=(ref,))
        return self.plane.streams.add("test", FLEET, wanted).id

    @rule(stream=streams, hold=HOLDS)
    def change(self, stream: str, hold: float) -> None:
        if self.plane.documents.streams.get(f"{FLEET}/{stream}"):
            wanted = StreamChange(protection=Protection(hold=hold))
            self.plane.streams.change("test", FLEET, stream, wanted)

    @rule(stream=consumes(streams))
    def remove(self, stream: str) -> None:
        if self.plane.documents.streams.get(f"{FLEET}/{stream}"):
            self.plane.streams.remove("test", FLEET, stream)

    @rule(hold=HOLDS)
    def protect_fleet(self, hold: float) -> None:
        self.plane.protection.set_fleet("test", FLEET, Protection(hold=hold))

    @rule(agent=st.sampled_from(AGENTS), hold=st.none() | HOLDS)
    def protect_agent(self, agent: str, hold: float | None) -> None:
        protection = None if hold is None else Protection(hold=hold)
        self.plane.protection.set_agent("test", FLEET, agent, protection)

    @rule()
    def lose_the_broker(self) -> None:
        self.bus.away = True

    @rule()
    def find_the_broker(self) -> None:
        self.bus.away = False
        self._report()

    @rule()
    def back_up(self) -> None:
        self.backup = self._copied()

    @rule()
    def restore(self) -> None:
        self.store = MemoryStore()
        for kind, key, value in self.backup:
            self.store.commit([Put(kind, key, value, 0)])
        self.now_ms += 60_000
        self.plane = self._started()

    @invariant()
    def agents_have_what_is_wanted(self) -> None:
        if not hasattr(self, "bus") or self.bus.away:
            return
        seen = ListeningBus()
        fresh = plane_with(self.store, seen, self.now_ms)
        for name in AGENTS:
            fresh.documents.publish(FLEET, name)
            wanted, there = seen.applied[name], self.bus.applied[name]
            assert (there.version, content(there)) == (wanted.version, content(wanted))

    @invariant()
    def no_older_document_follows_a_newer_one(self) -> None:
        for sent in self.bus.sent.values() if hasattr(self, "bus") else ():
            versions = [desired.version for desired in sent]
            assert versions == sorted(versions)

    def _started(self) -> Plane:
        """What a process does that starts on this store."""
        plane = plane_with(self.store, self.bus, self.now_ms)
        plane.documents.begin(FLEET)
        plane.documents.catch_up(FLEET, everyone=True)
        return plane

    def _report(self) -> None:
        """Every agent says what it applied, and the control plane catches up."""
        for name, desired in self.bus.applied.items():
            reported = Reported(at=1, agent_version="0.1.0", applied=desired.version)
            self.plane.live.take(Address(Kind.REPORTED, FLEET, name), encode(reported))
        self.plane.documents.catch_up(FLEET, everyone=True)

    def _copied(self) -> list[tuple[str, str, str]]:
        kinds = ("agent", "stream", "fleet", "publish_key")
        return [(kind, one.key, one.value) for kind in kinds for one in self.store.list(kind)]


TestChanges = Changes.TestCase
TestChanges.settings = settings(
    max_examples=25, stateful_step_count=15, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip


def test_many_operators_at_once_leave_agents_with_what_is_wanted() -> None:
    bus = ListeningBus()
    plane = plane_with(MemoryStore(), bus)
    ref = Endpoint(ref="cam")
    faults: list[BaseException] = []

    def guarded(work: Callable[[int], object]) -> None:
        try:
            for turn in range(15):
                work(turn)
        except BaseException as fault:  # noqa: BLE001 - raised again by the test
            faults.append(fault)

    def add(agent: str, turn: int) -> None:
        wanted = StreamRequest(agent=agent, id=f"{agent}-{turn}", source=ref, sinks=(ref,))
        plane.streams.add("test", FLEET, wanted)

    def protect(turn: int) -> None:
        plane.protection.set_fleet("test", FLEET, Protection(hold=1 + turn / 10))

    works = [partial(add, "van-1"), partial(add, "van-2"), protect]
    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults
    for name in AGENTS:
        versions = [desired.version for desired in bus.sent[name]]
        assert versions == sorted(versions)
        assert len(bus.applied[name].streams) == 15
        assert bus.applied[name].protection.hold == 2.4
