"""Streams and how they are protected: made, changed, leased, removed."""

from __future__ import annotations

import secrets
from typing import Any

from pydantic import Field, JsonValue, SecretStr

from cloud_control.domain.access import digest_of
from cloud_control.domain.fleet import Agent, Kept, Stream, Title, agent_key
from cloud_control.errors import NotFoundError, RequestError, TakenError
from cloud_control.ports import Clock, Delete, Entrance, Store
from cloud_control.service.audit import Audit
from cloud_control.service.documents import Documents
from cloud_control.service.events import Events
from cloud_control.service.fleet_rules import change_rules
from cloud_control.service.live import Live
from cloud_control.service.records import Held, Shelf, retried
from fleet_contract.desired import MAX_SINKS, MAX_STREAMS
from fleet_contract.endpoint import Endpoint
from fleet_contract.fields import Id
from fleet_contract.protection import Protection


class StreamRequest(Kept):
    """A stream to make. id absent: a random one; sinks empty: the control plane's own ingest."""

    agent: Id
    id: Id | None = None
    title: Title = "untitled"
    category: int = Field(1, ge=0, le=1000)
    source: Endpoint
    sinks: tuple[Endpoint, ...] = Field((), max_length=MAX_SINKS)
    autostart: bool = True
    protection: Protection | None = None
    lease_seconds: int | None = Field(None, ge=5, le=86_400)


class StreamChange(Kept):
    """What shall be different; what is absent stays. `protection: null` means the agent's."""

    title: Title | None = None
    category: int | None = Field(None, ge=0, le=1000)
    source: Endpoint | None = None
    sinks: tuple[Endpoint, ...] | None = Field(None, min_length=1, max_length=MAX_SINKS)
    autostart: bool | None = None
    protection: Protection | None = None


class Streams:
    """alone: what this process did not hear, nobody did; so leases last anew when it begins."""

    def __init__(
        self,
        store: Store,
        documents: Documents,
        audit: Audit,
        live: Live,
        events: Events,
        clock: Clock,
        entrance: Entrance,
        *,
        alone: bool = True,
    ) -> None:
        self._store, self._documents, self._audit = store, documents, audit
        self._live, self._events, self._clock = live, events, clock
        self._entrance = entrance
        self._began = clock() if alone else 0
        self._keys = Shelf(store, "publish_key", str)  # by digest, each the key of its stream

    def add(self, who: str, fleet: str, wanted: StreamRequest) -> Stream:
        """Raises NotFoundError without the agent, TakenError when the id is taken or the agent
        carries all it can."""
        self._check_room(fleet, wanted)
        name = wanted.id or f"s-{secrets.token_hex(6)}"
        own = None if wanted.sinks else self._entrance.open(name)
        key = own.key.get_secret_value() if own and own.key else secrets.token_urlsafe(16)
        stream = Stream(
            fleet=fleet,
            id=name,
            agent=wanted.agent,
            title=wanted.title,
            category=wanted.category,
            source=wanted.source,
            sinks=(own,) if own else wanted.sinks,
            autostart=wanted.autostart,
            protection=wanted.protection,
            publish_key=key,
            lease_seconds=wanted.lease_seconds,
            created_at=self._clock(),
        )
        try:
            retried(lambda: self._add(who, wanted, stream))
        except RequestError:
            if own:
                self._entrance.close(name)
            raise
        self._announce("stream_added", stream)
        return stream

    def _add(self, who: str, wanted: StreamRequest, stream: Stream) -> None:
        held = self._check_room(stream.fleet, wanted)
        carried = (*held.value.streams, stream.id)
        self._store.commit(
            [
                self._documents.streams.put(stream.key, stream),
                self._documents.touched(held, streams=carried)[1],
                self._keys.put(digest_of(stream.publish_key), stream.key),
                self._audit.entry(who, "stream.add", stream.key, None, stream),
            ]
        )

    def _check_room(self, fleet: str, wanted: StreamRequest) -> Held[Agent]:
        """The agent that shall carry it."""
        if wanted.id and self._documents.streams.get(f"{fleet}/{wanted.id}"):
            raise TakenError(f"there is a stream {wanted.id} already")
        held = self._agent(fleet, wanted.agent)
        if len(held.value.streams) >= MAX_STREAMS:
            raise TakenError(f"the agent carries {MAX_STREAMS} streams already")
        return held

    def get(self, fleet: str, stream: str) -> Stream:
        """Raises NotFoundError."""
        return self._documents.streams.need(f"{fleet}/{stream}").value

    def page(self, fleet: str, after: str, limit: int, category: int | None) -> list[Stream]:
        """Streams by id, after one of them."""
        found: list[Stream] = []
        start = f"{fleet}/{after}" if after else ""
        while len(found) < limit:
            page = self._documents.streams.page(f"{fleet}/", start, limit)
            found += [one.value for one in page if category in (None, one.value.category)]
            if len(page) < limit:
                break
            start = page[-1].key
        return found[:limit]

    def change(self, who: str, fleet: str, stream: str, wanted: StreamChange) -> Stream:
        """Raises NotFoundError."""
        changes = {name: getattr(wanted, name) for name in wanted.model_fields_set}
        emptied = [
            name for name, value in changes.items() if value is None and name != "protection"
        ]
        if emptied:
            raise RequestError(f"{', '.join(emptied)} cannot be null")

        def work() -> Stream:
            held = self._documents.streams.need(f"{fleet}/{stream}")
            changed = held.value.model_copy(update=changes)
            commit = [
                self._documents.streams.put(changed.key, changed, held.revision),
                self._audit.entry(who, "stream.change", changed.key, held.value, changed),
            ]
            if changes.keys() - {"title", "category"}:
                commit.append(self._documents.touched(self._agent(fleet, changed.agent))[1])
            self._store.commit(commit)
            return changed

        changed = retried(work)
        self._announce("stream_changed", changed)
        return changed

    def remove(self, who: str, fleet: str, stream: str) -> None:
        """End it and forget it. Raises NotFoundError."""

        def work() -> Stream:
            held = self._documents.streams.need(f"{fleet}/{stream}")
            agent = self._documents.agents.need(agent_key(fleet, held.value.agent))
            others = tuple(one for one in agent.value.streams if one != stream)
            self._store.commit(
                [
                    self._documents.streams.delete(held.key, held.revision),
                    self._documents.touched(agent, streams=others)[1],
                    *self._void(held.value.publish_key),
                    self._audit.entry(who, "stream.remove", held.key, held.value, None),
                ]
            )
            return held.value

        removed = retried(work)
        self._entrance.close(stream)
        self._announce("stream_removed", removed)

    def expire(self) -> list[str]:
        """Remove leased streams that gave no sign of life for too long; to be called on a tick."""
        removed = []
        now_ms = self._clock()
        for stream in list(self._documents.streams.every()):
            if stream.lease_seconds is None:
                continue
            heard = self._live.of(stream.fleet, stream.agent).stream_heard_at.get(stream.id, 0)
            last = max(heard, stream.created_at, self._began)
            if now_ms - last > stream.lease_seconds * 1000:
                self.remove("system", stream.fleet, stream.id)
                removed.append(stream.key)
        return removed

    def rotate_key(self, who: str, fleet: str, stream: str) -> Stream:
        """A new publish key; the old one is void at once. Raises NotFoundError."""

        present = self.get(fleet, stream)
        entered = any(_opens(sink, present.publish_key) for sink in present.sinks)
        key = self._entrance.renew(stream) if entered else secrets.token_urlsafe(16)

        def work() -> Stream:
            held = self._documents.streams.need(f"{fleet}/{stream}")
            sinks = tuple(_rekeyed(sink, held.value.publish_key, key) for sink in held.value.sinks)
            changed = held.value.model_copy(update={"publish_key": key, "sinks": sinks})
            self._store.commit(
                [
                    self._documents.streams.put(changed.key, changed, held.revision),
                    self._documents.touched(self._agent(fleet, changed.agent))[1],
                    *self._void(held.value.publish_key),
                    self._keys.put(digest_of(key), changed.key),
                    self._audit.entry(who, "stream.rotate-key", changed.key),
                ]
            )
            return changed

        changed = retried(work)
        self._announce("stream_changed", changed)
        return changed

    def holder_of(self, key: str) -> Stream | None:
        """The stream that a publish key belongs to."""
        place = self._keys.get(digest_of(key))
        held = self._documents.streams.get(place.value) if place else None
        return held.value if held else None

    def _void(self, key: str) -> list[Delete]:
        place = self._keys.get(digest_of(key))
        return [self._keys.delete(place.key, place.revision)] if place else []

    def _agent(self, fleet: str, agent: str) -> Held[Agent]:
        """Raises NotFoundError, also for one that was shut out."""
        held = self._documents.agents.get(agent_key(fleet, agent))
        if held is None or held.value.revoked:
            raise NotFoundError(f"there is no agent {agent} in fleet {fleet}")
        return held

    def _announce(self, kind: str, stream: Stream) -> None:
        self._documents.publish(stream.fleet, stream.agent)
        self._events.publish(kind, public(stream))


class ProtectionRules:
    """How whole fleets and single agents protect; a stream's own rules are part of the stream."""

    def __init__(self, store: Store, documents: Documents, audit: Audit) -> None:
        self._store, self._documents, self._audit = store, documents, audit

    def of_fleet(self, fleet: str) -> Protection:
        return self._documents.rules(fleet).value.protection

    def set_fleet(self, who: str, fleet: str, protection: Protection) -> int:
        """Change what holds for all agents; how many were told is returned."""
        place = (self._store, self._documents, self._audit)
        return change_rules(*place, who, "fleet.protection", fleet, protection=protection)

    def set_agent(self, who: str, fleet: str, agent: str, protection: Protection | None) -> int:
        """Change what holds for one agent; None: its fleet's. The new version is returned. Raises
        NotFoundError."""

        def work() -> None:
            held = self._documents.agents.need(agent_key(fleet, agent))
            changed, put = self._documents.touched(held, protection=protection)
            self._store.commit(
                [put, self._audit.entry(who, "agent.protection", changed.key, held.value, changed)]
            )

        retried(work)
        return self._documents.publish(fleet, agent)


def public(stream: Stream) -> dict[str, JsonValue]:
    """A stream without its secrets."""
    found: dict[str, Any] = stream.model_dump(mode="json", exclude={"publish_key"})
    found["source"] = _keyless(stream.source)
    found["sinks"] = [_keyless(sink) for sink in stream.sinks]
    return found


def _keyless(endpoint: Endpoint) -> dict[str, JsonValue]:
    return endpoint.model_dump(mode="json", exclude={"key"}, exclude_none=True)


def _rekeyed(sink: Endpoint, old: str, new: str) -> Endpoint:
    return sink.model_copy(update={"key": SecretStr(new)}) if _opens(sink, old) else sink


def _opens(sink: Endpoint, key: str) -> bool:
    return sink.key is not None and sink.key.get_secret_value() == key
