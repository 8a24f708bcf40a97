"""What agents say: what counts, what is the past, what is refused."""

from __future__ import annotations

import time

import pytest

from fleet_contract.reported import Reported
from fleet_contract.status import Status
from fleet_contract.stream_state import StreamState
from fleet_contract.strict_json import MAX_PAYLOAD
from fleet_contract.telemetry import StreamCounts, Telemetry
from fleet_contract.topics import Address, Kind
from tests.cloud_control.stand_in import FLEET, StandIn


@pytest.fixture
def place() -> StandIn:
    found = StandIn(time.time)
    found.device("van-1")
    return found


def status(connection: int, state: str = "online", reason: str = "connected") -> Status:
    return Status.model_validate(
        {"state": state, "connection": connection, "at": 1, "reason": reason,
         "agent_version": "0.1.0"}
    )  # fmt: skip


def shown(connection: int, state: str = "PROTECTED", desired: int = 1) -> StreamState:
    return StreamState.model_validate(
        {"at": 1, "connection": connection, "run": "running", "state": state,
         "desired_version": desired, "source_connected": True}
    )  # fmt: skip


def told(connection: int, *streams: StreamCounts) -> Telemetry:
    return Telemetry(at=1, connection=connection, uptime=1.0, cpu=0.1, memory=1, streams=streams)


def online(place: StandIn) -> bool:
    return place.plane.live.of(FLEET, "van-1").online


def test_a_late_will_of_an_earlier_connection_changes_nothing(place: StandIn) -> None:
    place.says("van-1", Kind.STATUS, status(7))
    place.says("van-1", Kind.STATUS, status(8))
    place.says("van-1", Kind.STATUS, status(7, "offline", "lost"))
    assert online(place)
    place.says("van-1", Kind.STATUS, status(8, "offline", "lost"))
    assert not online(place)
    place.says("van-1", Kind.STATUS, status(8))  # a repetition by the broker
    assert not online(place)


def test_a_stream_of_an_earlier_connection_or_an_offline_agent_is_the_past(place: StandIn) -> None:
    place.says("van-1", Kind.STATUS, status(7))
    place.says("van-1", Kind.STREAM_STATE, shown(7), "dash")
    listed = place.asks("GET", "/v1/agents").json()["agents"][0]["streams"]
    assert listed == {"dash": "PROTECTED"}
    place.says("van-1", Kind.STATUS, status(8))
    listed = place.asks("GET", "/v1/agents").json()["agents"][0]["streams"]
    assert listed == {"dash": "UNKNOWN"}
    place.says("van-1", Kind.STREAM_STATE, shown(8), "dash")
    place.says("van-1", Kind.STATUS, status(8, "offline", "shutdown"))
    assert place.asks("GET", "/v1/agents/van-1").json()["stream_states"]["dash"]["past"]


def test_a_cleared_state_is_forgotten(place: StandIn) -> None:
    place.says("van-1", Kind.STREAM_STATE, shown(7), "dash")
    place.says("van-1", Kind.STREAM_STATE, b"", "dash")
    assert place.plane.live.of(FLEET, "van-1").streams == {}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{" + b" " * MAX_PAYLOAD + b"}", "too_large"),
        (b'{"v": 1, "x": ' + b"[" * 40 + b"]" * 40 + b"}", "too_deep"),
        (b'{"v": 1, "v": 1}', "duplicate_key"),
        (b"\xff\xfe", "not_utf8"),
        (b"{", "not_json"),
        (b'{"v": 2}', "unsupported_version"),
        (b'{"v": 1, "state": "online"}', "invalid"),
    ],
)
def test_what_breaks_the_contract_is_counted_and_changes_nothing(
    place: StandIn, payload: bytes, reason: str
) -> None:
    place.says("van-1", Kind.STATUS, status(7))
    place.says("van-1", Kind.STATUS, payload)
    assert online(place)
    assert place.plane.live.refused == {reason: 1}


def test_an_unknown_field_from_a_device_is_refused(place: StandIn) -> None:
    text = status(9).model_dump_json()[:-1] + ', "debug": true}'
    place.says("van-1", Kind.STATUS, text.encode())
    assert place.plane.live.refused == {"unknown_field": 1}


def test_who_is_not_enrolled_is_not_heard(place: StandIn) -> None:
    place.says("stranger", Kind.STATUS, status(7))
    place.plane.live.take(Address(Kind.STATUS, "other", "van-1"), b"{}")
    assert place.plane.live.refused == {"not_enrolled": 2}
    assert not place.plane.live.of(FLEET, "stranger").online


def test_veiled_frames_are_counted_from_one_telemetry_to_the_next(place: StandIn) -> None:
    def said(frames_in: int, protected: int, veiled: int) -> float:
        counts = StreamCounts(
            id="dash", frames_in=frames_in, frames_protected=protected, frames_veiled=veiled
        )
        place.says("van-1", Kind.TELEMETRY, told(7, counts))
        return place.plane.live.of(FLEET, "van-1").veiled_share

    assert said(100, 100, 0) == 0.0
    assert said(200, 150, 50) == pytest.approx(0.5)
    assert said(300, 250, 50) == 0.0
    assert said(10, 0, 10) == 1.0  # a new worker counts from 0


def test_a_leased_stream_ends_without_a_sign_of_life(place: StandIn) -> None:
    for name, lease in (("short", 30), ("ever", None)):
        body = {"agent": "van-1", "id": name, "source": {"ref": "cam"}, "sinks": [{"ref": "out"}]}
        body |= {"lease_seconds": lease} if lease else {}
        assert place.asks("POST", "/v1/streams", json=body).status_code == 201
    place.ahead_s += 25
    place.says("van-1", Kind.TELEMETRY, told(7, StreamCounts(id="short")))
    place.ahead_s += 25
    assert place.plane.streams.expire() == []
    place.ahead_s += 10
    assert place.plane.streams.expire() == [f"{FLEET}/short"]
    assert [one["id"] for one in place.asks("GET", "/v1/streams").json()["streams"]] == ["ever"]


def test_a_repeated_request_gets_its_first_answer(place: StandIn) -> None:
    body = {"agent": "van-1", "source": {"ref": "cam"}, "sinks": [{"ref": "out"}]}
    headers = {"Idempotency-Key": "one"}
    first = place.asks("POST", "/v1/streams", json=body, headers=headers)
    again = place.asks("POST", "/v1/streams", json=body, headers=headers)
    assert first.json() == again.json()
    assert len(place.asks("GET", "/v1/streams").json()["streams"]) == 1
    other = place.asks("POST", "/v1/streams", json=body | {"title": "x"}, headers=headers)
    assert other.status_code == 422


def test_an_agent_that_is_ahead_of_a_restored_store_is_caught_up_with(place: StandIn) -> None:
    reported = Reported(at=1, agent_version="0.1.0", applied=10**12)
    place.says("van-1", Kind.STATUS, status(7))
    place.says("van-1", Kind.REPORTED, reported)
    place.plane.documents.catch_up(FLEET, everyone=False)
    assert place.asks("GET", "/v1/agents/van-1").json()["version"] > 10**12


def test_listeners_are_told_when_something_is_missing(place: StandIn) -> None:
    events = place.plane.events
    before = events.newest
    place.says("van-1", Kind.STATUS, status(7))
    found, whole = events.after(before)
    assert ([one.kind for one in found], whole) == (["status"], True)
    assert events.after(0)[1] is False
