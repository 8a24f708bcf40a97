"""What a control plane remembers of its agents: the same in one process and in a store."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from cloud_control.adapters.memory.store import MemoryStore
from cloud_control.errors import ConflictError, RequestError, TakenError
from cloud_control.service.answers import Asked
from cloud_control.service.memory import LIVES, Memory, in_process, in_store
from cloud_control.service.standings import Standing
from cloud_control.service.stored_standings import REORDERED_MS, StoredStandings
from fleet_contract.ack import Ack
from fleet_contract.fields import Message
from fleet_contract.reported import Reported
from fleet_contract.status import Status
from fleet_contract.stream_state import Loosened, StreamState
from fleet_contract.telemetry import StreamCounts, Telemetry
from fleet_contract.topics import Address, Kind

NOW = 1_800_000_000_000
FLEET, AGENT = "acme", "van-7"
ASKED = Asked(FLEET, AGENT, "c1")


def clock() -> int:
    return NOW


@pytest.fixture(params=["memory", "stored", "dynamodb"])
def memory(request: pytest.FixtureRequest) -> Memory:
    if request.param == "memory":
        return in_process(clock)
    if request.param == "stored":
        return in_store(MemoryStore())
    return in_store(request.getfixturevalue("cloud").store(lives=LIVES))


def status(connection: int, state: str = "online", reason: str = "connected") -> Status:
    return Status.model_validate(
        {"state": state, "connection": connection, "at": 1, "reason": reason,
         "agent_version": "1.0.0"}
    )  # fmt: skip


def stream(state: str = "PROTECTED", at: int = 1, connection: int = 1) -> StreamState:
    loosened = (Loosened(path="mosaic", expires_at=NOW),) if state == "OFF" else ()
    return StreamState.model_validate(
        {
            "at": at, "connection": connection, "run": "running", "state": state,
            "desired_version": 1, "source_connected": True, "loosened": loosened,
            "reason": "no_look" if state == "HELD" else None,
        }
    )  # fmt: skip


def reported(applied: int, at: int = 1) -> Reported:
    return Reported(at=at, agent_version="1.0.0", applied=applied)


def telemetry(at: int, protected: int, veiled: int) -> Telemetry:
    counts = StreamCounts(
        id="cam", frames_in=protected + veiled, frames_protected=protected, frames_veiled=veiled
    )
    return Telemetry(at=at, connection=1, uptime=1.0, cpu=0.5, memory=1, streams=(counts,))


def note(memory: Memory, kind: Kind, message: Message, at: int = NOW, name: str = "") -> bool:
    return memory.standings.note(Address(kind, FLEET, AGENT, name), message, at)


def of(memory: Memory) -> Standing:
    return memory.standings.of(FLEET, AGENT)


def test_an_agent_that_never_spoke_stands_nowhere(memory: Memory) -> None:
    assert of(memory) == Standing()
    assert not memory.standings.clear(Address(Kind.STREAM_STATE, FLEET, AGENT, "cam"), NOW)


def test_what_was_said_last_stands(memory: Memory) -> None:
    assert note(memory, Kind.STATUS, status(5), NOW + 1)
    assert note(memory, Kind.REPORTED, reported(3), NOW + 2)
    assert note(memory, Kind.REPORTED, reported(4, at=2), NOW + 3)
    assert note(memory, Kind.STREAM_STATE, stream(connection=5), NOW + 4, "cam")
    assert note(memory, Kind.STREAM_STATE, stream("HELD"), NOW + 5, "gate")
    standing = of(memory)
    assert standing.online
    assert standing.status_heard_at == NOW + 1
    assert standing.reported == reported(4, at=2)
    assert standing.streams == {"cam": stream(connection=5), "gate": stream("HELD")}
    assert standing.state_of("cam") is not None
    assert standing.state_of("gate") is None  # of a former connection
    assert standing.stream_heard_at == {"cam": NOW + 4, "gate": NOW + 5}
    assert standing.heard_at == NOW + 5


def test_agents_whose_names_begin_alike_are_apart(memory: Memory) -> None:
    note(memory, Kind.STATUS, status(1))
    longer = Address(Kind.STATUS, FLEET, f"{AGENT}-b")
    memory.standings.note(longer, status(9), NOW)
    assert of(memory).status == status(1)
    memory.standings.forget(FLEET, AGENT)
    assert of(memory) == Standing()
    assert memory.standings.of(FLEET, f"{AGENT}-b").status == status(9)


def test_many_are_as_each_by_itself(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud_control.service.stored_standings.PAGE", 3)
    names = ["a", "a-b", "a_b", "b", "c", "c-1", "zoo"]
    for number, name in enumerate(names):
        memory.standings.note(Address(Kind.STATUS, FLEET, name), status(number + 1), NOW + number)
        place = Address(Kind.STREAM_STATE, FLEET, name, "cam")
        memory.standings.note(place, stream(at=number), NOW + number)
    for asked in (["a"], ["a", "a-b", "a_b"], ["c", "c-1", "nobody"], ["zoo", "b"], names, []):
        found = memory.standings.of_many(FLEET, asked)
        assert found == {name: memory.standings.of(FLEET, name) for name in asked}


def test_a_will_of_an_earlier_connection_is_no_news(memory: Memory) -> None:
    assert note(memory, Kind.STATUS, status(2))
    assert not note(memory, Kind.STATUS, status(1, "offline", "lost"))
    assert of(memory).online
    assert note(memory, Kind.STATUS, status(2, "offline", "lost"))
    assert not note(memory, Kind.STATUS, status(2))
    assert not of(memory).online


def test_shares_are_of_what_left_between_two_telemetries(memory: Memory) -> None:
    note(memory, Kind.TELEMETRY, telemetry(1, 100, 0))
    note(memory, Kind.TELEMETRY, telemetry(2, 150, 50), NOW + 9)
    standing = of(memory)
    assert standing.veiled_share == 0.5
    assert standing.telemetry == telemetry(2, 150, 50)
    assert standing.stream_heard_at == {"cam": NOW + 9}


def test_it_is_remembered_when_pictures_left_bare(memory: Memory) -> None:
    note(memory, Kind.STREAM_STATE, stream("OFF"), NOW, "cam")
    assert of(memory).bare_at == {}  # they do now
    note(memory, Kind.STREAM_STATE, stream(at=2), NOW + 70, "cam")
    note(memory, Kind.STREAM_STATE, stream(at=3), NOW + 90, "cam")
    assert of(memory).bare_at == {"cam": NOW + 70}


def test_a_cleared_stream_is_gone_but_not_what_it_showed(memory: Memory) -> None:
    note(memory, Kind.STREAM_STATE, stream("OFF"), NOW, "cam")
    place = Address(Kind.STREAM_STATE, FLEET, AGENT, "cam")
    assert memory.standings.clear(place, NOW + 30)
    assert not memory.standings.clear(place, NOW + 31)
    standing = of(memory)
    assert (standing.streams, standing.bare_at) == ({}, {"cam": NOW + 30})


def test_an_answer_is_kept_until_the_final_one(memory: Memory) -> None:
    def ack(outcome: str) -> Ack:
        return Ack.model_validate({"command": "stop", "at": 1, "outcome": outcome})

    assert not memory.answers.take(ASKED, ack("done"))  # nobody asked
    memory.answers.expect(ASKED)
    assert memory.answers.newest(ASKED, 0.0) is None
    assert memory.answers.take(ASKED, ack("accepted"))
    teller = threading.Timer(0.4, memory.answers.take, (ASKED, ack("done")))
    teller.start()
    assert memory.answers.newest(ASKED, 10.0) == ack("done")
    teller.join()
    assert not memory.answers.take(ASKED, ack("accepted"))
    assert memory.answers.newest(ASKED, 0.0) == ack("done")


def test_a_token_is_spent_once(memory: Memory) -> None:
    assert memory.spent.spend("t/1 ä", NOW + 1000)
    assert not memory.spent.spend("t/1 ä", NOW + 1000)
    assert memory.spent.spend("t/2", NOW + 1000)


def test_a_repetition_gets_the_first_answer(memory: Memory) -> None:
    done: list[int] = []

    def work() -> dict[str, Any]:
        done.append(1)
        return {"id": len(done)}

    def fails() -> dict[str, Any]:
        raise TakenError("no room")

    with pytest.raises(TakenError):
        memory.once.do("k", "body", fails)
    assert memory.once.do("k", "body", work) == {"id": 1}
    assert memory.once.do("k", "body", work) == {"id": 1}
    assert memory.once.do("other", "body", work) == {"id": 2}
    assert memory.once.do(None, "body", work) == {"id": 3}
    with pytest.raises(RequestError, match="another request"):
        memory.once.do("k", "other body", work)


def test_a_store_does_nothing_twice_that_is_under_way() -> None:
    memory = in_store(MemoryStore())

    def work() -> dict[str, Any]:
        with pytest.raises(ConflictError, match="carried out"):
            memory.once.do("k", "body", dict)
        return {"id": 1}

    assert memory.once.do("k", "body", work) == {"id": 1}


def later(kind: Kind) -> Any:
    return {
        Kind.REPORTED: (reported(2, at=20), reported(1, at=10)),
        Kind.STREAM_STATE: (stream(at=20), stream("OFF", at=10)),
        Kind.TELEMETRY: (telemetry(20, 5, 5), telemetry(10, 1, 1)),
    }[kind]


@pytest.mark.parametrize("kind", [Kind.REPORTED, Kind.STREAM_STATE, Kind.TELEMETRY])
def test_a_store_takes_messages_in_any_order(kind: Kind) -> None:
    """Nobody keeps the order for several processes."""
    memory = in_store(MemoryStore())
    name = "cam" if kind is Kind.STREAM_STATE else ""
    newer, older = later(kind)
    assert note(memory, kind, newer, NOW, name)
    assert not note(memory, kind, older, NOW + 500, name)
    before = of(memory)
    assert note(memory, kind, older, NOW + REORDERED_MS + 1, name)  # the device's clock was set
    assert of(memory) != before


def test_two_processes_lose_nothing_of_each_other() -> None:
    store = MemoryStore()
    ones = [StoredStandings(store) for _ in range(4)]

    def speak(standings: StoredStandings, first: int) -> None:
        for number in range(first, 200, 4):
            standings.note(Address(Kind.REPORTED, FLEET, AGENT), reported(number, number), NOW)

    threads = [
        threading.Thread(target=speak, args=(one, first)) for first, one in enumerate(ones, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = ones[0].of(FLEET, AGENT).reported
    assert found is not None
    assert found.applied == 200 - 1
