"""The original app's contract: what it answers, who gets which id, and where a push goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cloud_control.adapters.certifier import LocalCertifier
from cloud_control.adapters.sqlite.store import SqliteStore
from cloud_control.api.original_app import create_original_app
from cloud_control.domain.categories import CATEGORIES
from cloud_control.errors import ServeError
from cloud_control.pki import Authority
from cloud_control.plane import assemble
from cloud_control.serve import Wanted, run
from cloud_control.service import original_app, phone_door
from cloud_control.service.leases import Leases
from cloud_control.service.original_app import OriginalApp
from cloud_control.service.phone_door import PhoneDoor
from cloud_control.service.streams import StreamChange
from fleet_contract.endpoint import Endpoint
from fleet_contract.stream_state import Loosened, StreamState
from fleet_contract.topics import Kind as Channel
from tests.cloud_control.brokers import make_request
from tests.cloud_control.command_plane import FLEET, AgentsBus
from tests.cloud_control.stand_in import TestClient

PHONE, OTHER, STRANGER = "192.168.0.7", "192.168.0.8", "203.0.113.9.example"
AFAR = "8.8.8.8"
BEGAN = 1_667_304_000_000
LEASE_S = 10.0


class Gateway:
    """A control plane with one agent whose clock is set, and phones that ask it."""

    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.folder = folder
        self.bus = AgentsBus()
        self.store = SqliteStore(folder / "control.sqlite")
        self.restart()
        _, token = self.plane.enrolment.claim("test", FLEET, "gate", {})
        self.plane.enrolment.enrol(
            token, make_request(ec.generate_private_key(ec.SECP256R1())), None
        )
        self.bus.join("gate")

    def restart(self, *, heard: bool = True) -> None:
        """Another process on the same database; the agent connects again, if it is heard."""
        authority = Authority(self.folder / "ca")
        if not authority.certificate_file.exists():
            authority.create()
        known, self.bus = self.bus, AgentsBus()
        self.bus.desired, self.bus.silent = known.desired, known.silent
        self.store.close()
        self.store = SqliteStore(self.folder / "control.sqlite")
        certifier = LocalCertifier(authority, lambda: None, lambda _: None)
        self.plane = assemble(
            FLEET, self.store, self.bus, certifier,
            lambda: BEGAN + int(self.now * 1000), "rtmp://ingest:1935/live",
        )  # fmt: skip
        self.bus.subscribe(self.plane.live.take)
        leases = Leases(self.store, FLEET)
        self.door = PhoneDoor(self.plane, leases, lambda: self.now)
        self.service = OriginalApp(self.plane, leases, "gate", self.door.pushed, lambda: self.now)
        self.app = create_original_app(self.service)
        if heard and "gate" in self.bus.desired:
            self.bus.join("gate")

    def asks(self, method: str, path: str, phone: str = PHONE) -> Any:
        answer = TestClient(self.app, client=(phone, 40000)).request(method, path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        return answer.json()

    def starts(self, title: str = "a", category: str = "1", phone: str = PHONE) -> int:
        made = self.asks("POST", f"/streaming?title={title}&category={category}", phone)
        assert made["result"] == "true", made
        return int(made["streaming"]["streaming_id"])

    def listed(self, query: str = "") -> list[int]:
        return [one["streaming_id"] for one in self.asks("GET", f"/streamings{query}")["list"]]

    def push(self, number: int, session: str = "s1", phone: str = PHONE) -> str | None:
        return self.door.push(session, str(number), phone, LEASE_S)

    def goes_on(self, number: int, session: str = "s1") -> bool:
        return self.door.goes_on(session, str(number), PHONE, LEASE_S)

    def stream_of(self, number: int) -> str:
        stream = self.door.shown_as(str(number))
        assert stream is not None
        return stream

    def agent_says(self, stream: str, **state: Any) -> None:
        said = {
            "at": 1, "connection": 1, "run": "running", "state": "PROTECTED",
            "desired_version": 1, "source_connected": True, **state,
        }  # fmt: skip
        self.bus.say("gate", StreamState.model_validate(said), Channel.STREAM_STATE, stream)

    def pass_time(self, seconds: float, pushes: dict[int, str] | None = None) -> None:
        """Tick by tick, while those phones go on pushing."""
        for _ in range(int(seconds)):
            self.now += 1.0
            for number, session in (pushes or {}).items():
                assert self.goes_on(number, session)
            self.service.tick()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    found = Gateway(tmp_path)
    yield found
    found.store.close()


def test_the_answers_have_the_fields_that_the_app_reads(gateway: Gateway) -> None:
    made = gateway.asks("POST", "/streaming?category=4&title=산책")
    streaming = made["streaming"]
    assert made == {"result": "true", "streaming": streaming}
    began = streaming.pop("streaming_start_time")
    assert len(began) == len("2022-11-01T12:00:00")
    assert began[10] == "T"
    assert streaming == {
        "streaming_id": 0, "streaming_title": "산책", "streaming_category": "4",
    }  # fmt: skip
    listed = {"list": [{**streaming, "streaming_start_time": began}]}
    assert gateway.asks("GET", "/streamings") == listed
    assert gateway.asks("GET", "/processes") == listed
    assert gateway.asks("GET", "/streaming/0") == {"result": "true"}
    assert gateway.asks("GET", "/mosaic/0") == {"result": "true"}
    assert gateway.asks("GET", "/mosaic/on/0") == {"result": "true", "mosaic": True}
    assert gateway.asks("GET", "/release/0") == {"result": "true", "id": "0"}
    assert gateway.asks("GET", "/streaming/0") == {"result": "false"}
    assert gateway.asks("GET", "/mosaic/0") == {"result": "false"}
    assert gateway.asks("GET", "/streamings") == {"list": []}


def test_the_eleven_categories_and_the_filter(gateway: Gateway) -> None:
    numbers = {str(one.id): number for number, one in enumerate(CATEGORIES[:10])}
    for category in numbers:
        gateway.starts(category=category)
    for category, number in numbers.items():
        assert gateway.listed(f"?category={category}") == [number]
    assert gateway.listed("?category=11") == []
    gateway.asks("GET", "/release/0")
    assert gateway.starts(category="11") == 0
    assert gateway.listed("?category=11") == [0]
    for every in ("", "?category=0", "?category=", "?category=all"):
        assert gateway.listed(every) == [*range(1, 10), 0]


@pytest.mark.parametrize("category", ["", "0", "12", "-1", "eating", "9" * 30])
def test_a_category_that_is_none_is_general(gateway: Gateway, category: str) -> None:
    made = gateway.asks("POST", f"/streaming?title=a&category={category}")
    assert made["streaming"]["streaming_category"] == "1"


@pytest.mark.parametrize("title", ["", "x" * 500, "%20", "%F0%9F%93%A6"])
def test_any_title_will_do(gateway: Gateway, title: str) -> None:
    gateway.starts(title)
    (shown,) = gateway.asks("GET", "/streamings")["list"]
    assert 0 < len(shown["streaming_title"]) <= 120


def test_ten_ids_in_turn_also_after_a_restart(gateway: Gateway) -> None:
    assert [gateway.starts() for _ in range(10)] == list(range(10))
    full = {"result": "false", "message": "connection limit..."}
    assert gateway.asks("POST", "/streaming?title=a&category=1") == full
    for number in (7, 2):
        gateway.asks("GET", f"/release/{number}")
    gateway.restart()
    assert gateway.listed() == [0, 1, 3, 4, 5, 6, 8, 9]
    assert [gateway.starts(), gateway.starts()] == [7, 2]
    assert gateway.asks("POST", "/streaming?title=a&category=1") == full


def test_releasing_twice_lends_no_id_twice(gateway: Gateway) -> None:
    for _ in range(3):
        gateway.starts()
    for _ in range(2):
        assert gateway.asks("GET", "/release/1")["result"] == "true"
    assert [gateway.starts() for _ in range(8)] == [3, 4, 5, 6, 7, 8, 9, 1]


@pytest.mark.parametrize("number", ["10", "-1", "00", "x", "%2e%2e", "0%20"])
def test_ids_that_are_none_are_false(gateway: Gateway, number: str) -> None:
    gateway.starts()
    assert gateway.asks("GET", f"/streaming/{number}") == {"result": "false"}
    assert gateway.asks("GET", f"/mosaic/off/{number}")["result"] == "false"
    gateway.asks("GET", f"/release/{number}")
    assert gateway.listed() == [0]


def test_the_mosaic_goes_off_only_by_consent(gateway: Gateway) -> None:
    gateway.starts()
    stream = gateway.stream_of(0)
    off = gateway.asks("GET", "/mosaic/off/0")
    assert (off["result"], off["mosaic"]) == ("true", False)
    assert f"veilcast consent give {stream} mosaic" in off["message"]
    assert wished(gateway, stream) is False
    gateway.bus.silent.add("gate")
    consent = (Loosened(path="mosaic", expires_at=BEGAN),)
    gateway.agent_says(stream, state="OFF", loosened=consent)
    assert gateway.asks("GET", "/mosaic/off/0") == {"result": "true", "mosaic": False}
    gateway.asks("GET", "/mosaic/on/0")
    assert gateway.plane.streams.get(FLEET, stream).protection is None  # as its agent's again


def wished(gateway: Gateway, stream: str) -> bool:
    """What the agent's document asks for."""
    (wanted,) = [one for one in gateway.bus.desired["gate"].streams if one.id == stream]
    return gateway.bus.desired["gate"].protection_of(wanted).mosaic


def test_who_may_start_and_whose_an_id_is(gateway: Gateway) -> None:
    for caller in (AFAR, STRANGER):
        assert gateway.asks("POST", "/streaming?title=a", caller)["result"] == "false"
    gateway.starts()
    for path in ("/release/0", "/mosaic/off/0", "/mosaic/on/0"):
        assert gateway.asks("GET", path, OTHER)["result"] == "false"
    assert gateway.listed() == [0]
    assert gateway.asks("GET", "/streaming/0", AFAR) == {"result": "true"}  # viewers are anywhere


def test_without_its_agent_nobody_goes_live(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(original_app, "READY_S", 0.0)
    gateway.bus.silent.add("gate")
    monkeypatch.setattr(gateway.service, "_monotonic", iter(range(99)).__next__)
    made = gateway.asks("POST", "/streaming?title=a")
    assert made == {"result": "false", "message": "the agent gate did not get ready; see its log"}
    assert gateway.listed() == []
    assert gateway.plane.streams.page(FLEET, "", 10, None) == []
    gateway.restart(heard=False)
    assert "not running" in gateway.asks("POST", "/streaming?title=a")["message"]


def test_a_push_goes_to_the_agents_own_listener(gateway: Gateway) -> None:
    gateway.starts()
    (wanted,) = gateway.bus.desired["gate"].streams
    assert wanted.source.url is not None
    assert wanted.source.key is not None
    assert wanted.source.url.startswith("listen:rtmp://127.0.0.1:")
    there = gateway.push(0)
    key = wanted.source.key.get_secret_value()
    assert there == f"{wanted.source.url.removeprefix('listen:')}/{key}"
    assert gateway.push(0, "s2") is None  # one at a time
    gateway.door.left("s1")
    assert gateway.push(0, "s2") == there


def test_nobody_elses_push_is_taken(gateway: Gateway) -> None:
    assert gateway.push(0) is None
    gateway.starts()
    for phone in (OTHER, AFAR, "", STRANGER):
        assert gateway.push(0, phone=phone) is None
    for name in ("1", "00", "", "x", gateway.stream_of(0)):
        assert gateway.door.push("s1", name, PHONE, LEASE_S) is None


def test_a_push_never_leaves_the_machine(gateway: Gateway) -> None:
    """Whatever an operator makes of the stream's source."""
    gateway.starts()
    stream = gateway.stream_of(0)
    for address in ("listen:rtmp://0.0.0.0:1935/live", "rtmp://cloud.example/live"):
        change = StreamChange(source=Endpoint.model_validate({"url": address, "key": "k"}))
        gateway.plane.streams.change("test", FLEET, stream, change)
        assert gateway.push(0, address) is None


def test_an_id_is_free_again_when_nobody_pushes(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(original_app, "GONE_S", 20.0)
    gateway.starts()
    gateway.starts()
    gateway.push(1)
    gateway.pass_time(15, {1: "s1"})
    assert gateway.listed() == [0, 1]
    gateway.pass_time(10, {1: "s1"})
    assert gateway.listed() == [1]  # the first phone never came
    gateway.restart()
    gateway.pass_time(15)
    assert gateway.goes_on(1)  # nginx speaks of it again
    gateway.pass_time(40, {1: "s1"})
    assert gateway.listed() == [1]
    gateway.pass_time(15)  # it fell silent
    assert gateway.listed() == [1]
    gateway.pass_time(20)
    assert gateway.listed() == []
    assert gateway.plane.streams.page(FLEET, "", 10, None) == []


def test_an_id_whose_stream_was_removed_is_free(gateway: Gateway) -> None:
    gateway.starts()
    gateway.push(0)
    gateway.plane.streams.remove("Kim", FLEET, gateway.stream_of(0))
    gateway.service.tick()
    assert gateway.listed() == []
    assert gateway.asks("GET", "/streaming/0") == {"result": "true"}  # its phone goes on pushing
    assert not gateway.goes_on(0)  # and is hung up on
    gateway.door.left("s1")
    gateway.service.tick()
    assert gateway.asks("GET", "/streaming/0") == {"result": "false"}


def test_a_phone_is_hung_up_on_when_its_id_is_anothers(gateway: Gateway) -> None:
    gateway.starts()
    gateway.push(0)
    gateway.asks("GET", "/release/0")
    for _ in range(10):
        gateway.starts()
    assert gateway.listed()[-1] == 0
    assert not gateway.goes_on(0)


def test_a_phone_whose_video_gets_lost_is_hung_up_on(gateway: Gateway) -> None:
    gateway.starts()
    gateway.push(0)
    stream = gateway.stream_of(0)
    gateway.agent_says(stream, run="waiting", state="HELD", source_connected=False)
    gateway.pass_time(phone_door.DEAF_S - 1, {0: "s1"})
    gateway.now += 1
    assert not gateway.goes_on(0)
    gateway.agent_says(stream)
    assert gateway.goes_on(0)


def test_it_needs_nginx(tmp_path: Path) -> None:
    wanted = Wanted(tmp_path, "embedded", "127.0.0.1", 1, 1, ingest="embedded", original_app="gate")
    with pytest.raises(ServeError, match="--ingest nginx"):
        run(wanted)
