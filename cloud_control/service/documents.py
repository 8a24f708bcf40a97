"""What each agent shall be and do: read from the store, numbered, published."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import structlog

from cloud_control.domain.fleet import (
    Agent,
    FleetRules,
    Stream,
    agent_key,
    desired_of,
    first_change,
    version_of,
)
from cloud_control.errors import BrokerError
from cloud_control.ports import Bus, Clock, Put, Store
from cloud_control.service.live import Live, Standing
from cloud_control.service.records import Held, Shelf, retried
from fleet_contract.codec import encode
from fleet_contract.topics import Address, Kind

log = structlog.get_logger()


class Documents:
    """The shelves of fleets, agents and streams, and the desired documents made of them.

    What was committed is published afterwards; what a lost broker or a crash kept from being
    published is found by `catch_up`. Versions are read before what they stand for: so a document
    may be newer than its number, and is then followed by one more, but never older.
    """

    def __init__(
        self, store: Store, bus: Bus, live: Live, clock: Clock, *, alone: bool = True
    ) -> None:
        """alone: no other process publishes documents of these fleets."""
        self.fleets = Shelf(store, "fleet", FleetRules)
        self.agents = Shelf(store, "agent", Agent)
        self.streams = Shelf(store, "stream", Stream)
        self._store, self._bus, self._live, self._clock = store, bus, live, clock
        self._alone = alone
        self._in_turn = threading.Lock()  # so that an older document never follows a newer one

    def rules(self, fleet: str) -> Held[FleetRules]:
        """A fleet's rules; the defaults where nothing was set yet."""
        return self.fleets.get(fleet) or Held(fleet, FleetRules(fleet=fleet), 0)

    def begin(self, fleet: str) -> None:
        """To be called when a control plane starts: numbers go on beyond those that a database
        restored from a backup has forgotten."""

        def work() -> None:
            held = self.rules(fleet)
            first = first_change(self._clock())
            if held.value.changes < first:
                rules = held.value.model_copy(update={"changes": first})
                self._store.commit([self.fleets.put(fleet, rules, held.revision)])

        retried(work)

    def streams_of(self, agent: Agent) -> list[Stream]:
        """What the agent carries."""
        held = (self.streams.get(f"{agent.fleet}/{stream}") for stream in agent.streams)
        return [one.value for one in held if one is not None]

    def touched(self, held: Held[Agent], **changes: object) -> tuple[Agent, Put]:
        """The agent with these changes and the next version of its document, and the change that
        writes it."""
        agent = held.value.model_copy(update={**changes, "changes": held.value.changes + 1})
        return agent, self.agents.put(agent.key, agent, held.revision)

    def publish(self, fleet: str, agent: str) -> int:
        """Publish the agent's document; the version is returned. A broker that is away is made up
        for by `catch_up`."""
        with self._in_turn:
            version = self._publish(fleet, agent)
            # Where others publish too, an older document of theirs may have followed this one or
            # this one a newer of theirs: whoever comes last sees that there is a newer one.
            while not self._alone and (newer := self._version(fleet, agent)) != version:
                version = self._publish(fleet, agent)
                log.info("a document was overtaken", agent=agent, version=newer)
            return version

    def _publish(self, fleet: str, agent: str) -> int:
        held = self.agents.need(agent_key(fleet, agent))
        rules = self.rules(fleet).value
        self._send(rules, held.value, self.streams_of(held.value))
        return version_of(rules, held.value)

    def _version(self, fleet: str, agent: str) -> int:
        held = self.agents.need(agent_key(fleet, agent))
        return version_of(self.rules(fleet).value, held.value)

    def publish_all(self, fleet: str) -> int:
        """Publish the documents of all agents of a fleet; how many they are is returned."""
        with self._in_turn:
            rules = self.rules(fleet).value
            agents = list(self.agents.every(f"{fleet}/"))
            streams: dict[str, list[Stream]] = {}
            for stream in self.streams.every(f"{fleet}/"):
                streams.setdefault(stream.agent, []).append(stream)
            for agent in agents:
                self._send(rules, agent, streams.get(agent.id, []))
            return sum(not agent.revoked for agent in agents)

    def catch_up(self, fleet: str, *, everyone: bool) -> None:
        """Publish the documents that agents have not applied (everyone: also those of agents that
        are offline: the broker may have lost what it retained), and go on from an agent's own
        number where the store's is behind (it was restored from a backup, say)."""
        rules = self.rules(fleet).value
        for agent, standing in self._standings(fleet):
            if not (everyone or standing.online):
                continue
            applied = standing.reported.applied if standing.reported else 0
            if applied > version_of(rules, agent):
                retried(lambda agent=agent, applied=applied: self._go_on(agent, applied))  # type: ignore[misc]
            elif applied < version_of(rules, agent):
                self.publish(fleet, agent.id)

    def _standings(self, fleet: str) -> Iterator[tuple[Agent, Standing]]:
        for page in self.agents.pages(f"{fleet}/"):
            found = self._live.of_many(fleet, [agent.id for agent in page])
            yield from ((agent, found[agent.id]) for agent in page)

    def _go_on(self, agent: Agent, applied: int) -> None:
        held = self.agents.need(agent.key)
        behind = applied - version_of(self.rules(agent.fleet).value, held.value)
        if behind > 0:
            log.warning("agent is ahead of the store", agent=agent.key, by=behind)
            ahead = held.value.model_copy(update={"changes": held.value.changes + behind + 1})
            self._store.commit([self.agents.put(ahead.key, ahead, held.revision)])
        self.publish(agent.fleet, agent.id)

    def _send(self, rules: FleetRules, agent: Agent, streams: list[Stream]) -> None:
        if agent.revoked:
            return
        document = desired_of(rules, agent, streams, self._clock())
        try:
            self._bus.publish(Address(Kind.DESIRED, agent.fleet, agent.id), encode(document))
        except BrokerError as problem:
            log.warning("a document waits for the broker", agent=agent.key, reason=str(problem))
