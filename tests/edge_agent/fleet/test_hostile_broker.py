"""A broker that hands over anything at all, and a disk that takes nothing: the agent goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.fleet.agent import Agent
from edge_agent.fleet.events import Arrived, Connected, Delivered, Lost
from edge_agent.fleet.models_port import FixedModel
from edge_agent.fleet.store import Store
from fleet_contract.acceptance import Arrival
from fleet_contract.commands import COMMANDS
from fleet_contract.topics import ROOT
from tests.edge_agent.fleet.authority import Authority
from tests.edge_agent.fleet.device import enrolled_home, stream
from tests.edge_agent.fleet.fake_workers import FakeWorkers

OWN = f"{ROOT}/acme/van-7"
topics = st.one_of(
    st.sampled_from(["desired", "status", "reported", "telemetry"]).map(f"{OWN}/{{}}".format),
    st.sampled_from([*COMMANDS, "", "x" * 300, "../x", "+"]).map(f"{OWN}/cmd/{{}}".format),
    st.text(max_size=40),
)  # fmt: skip
words = st.sampled_from(
    ["v", "id", "version", "streams", "stream", "cam-1", "issued_at", "expires_at", "protection",
     "state", "connection", "online", "offline", "reason", "lost", "at", "agent_version", "0.1.0"]
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | words | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=8),
    max_leaves=20,
)
payloads = st.one_of(
    st.binary(max_size=200),
    values.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries({"v": st.just(1), "version": st.just(9)}, optional={
        "issued_at": st.integers(0, 9), "streams": values, "protection": values, "model": values,
    }).map(lambda value: json.dumps(value).encode()),
)  # fmt: skip


@pytest.fixture
def agent(tmp_path: Path, authority: Authority) -> Iterator[Agent]:
    """Not running: the test is its one thread. It carries one stream."""
    home = enrolled_home(tmp_path / "home", authority, 1)
    made = Agent(home, FakeWorkers, lambda _: FixedModel("veil-nano"))
    document = {"v": 1, "version": 2**53 - 2, "issued_at": 1, "streams": [stream()]}
    made.in_force.take(json.dumps(document).encode())
    made.follow()
    yield made
    made.presence.close()
    made.store.close()


@given(topic=topics, payload=payloads, retained=st.booleans(), number=st.integers(0, 3))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_message_stops_the_agent_or_changes_what_is_in_force(
    agent: Agent, topic: str, payload: bytes, retained: bool, number: int
) -> None:
    before = [each.now for each in agent.in_force.standings.values()]
    agent._step(Arrived(agent.presence.connection, Arrival(topic, payload, retained)))
    agent._step(Connected(number))
    agent._step(Delivered(number, 1))
    agent._step(Lost(number, "whatever"))
    assert [each.now for each in agent.in_force.standings.values()] == before
    assert list(agent.streams.running) == ["cam-1"]


def test_a_document_that_cannot_be_stored_is_not_applied(agent: Agent) -> None:
    """Store first, then act; and a full disk ends no stream."""
    fill_disk(agent.store)
    number = agent.presence.connection
    wish = {"v": 1, "version": 2**53 - 1, "issued_at": 1, "streams": []}
    desired = Arrival(f"{OWN}/desired", json.dumps(wish).encode(), retained=True)
    agent._step(Arrived(number, desired))
    assert agent.in_force.version == 2**53 - 2
    assert list(agent.streams.running) == ["cam-1"]
    life = {"issued_at": agent.clock.now_ms(), "expires_at": agent.clock.now_ms() + 1000}
    stop = {"v": 1, "id": "no-room-for-this-id", "stream": "cam-1", **life}
    agent._step(Arrived(number, Arrival(f"{OWN}/cmd/stop", json.dumps(stop).encode(), False)))
    assert list(agent.streams.running) == ["cam-1"]


def fill_disk(store: Store) -> None:
    """From now on the database takes nothing; reading goes on."""
    store._db.execute("PRAGMA query_only = ON")
