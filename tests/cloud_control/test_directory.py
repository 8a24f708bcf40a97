"""The directory: what the public is told, and who may publish."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cloud_control.adapters.certifier import LocalCertifier
from cloud_control.adapters.memory.store import MemoryStore
from cloud_control.api.app import Reach, create_app
from cloud_control.api.directory import directory_router, playback_router
from cloud_control.domain.categories import CATEGORIES
from cloud_control.errors import NotFoundError
from cloud_control.ingest.port import Asked, Event, Granted, Kind, Refused, hls_path
from cloud_control.pki import Authority
from cloud_control.plane import Plane, assemble
from cloud_control.service.admission import Admission
from cloud_control.service.directory import BEHIND_MS, REMEMBERED_MS, Directory
from cloud_control.service.memory import Memory
from cloud_control.service.streams import StreamRequest
from fleet_contract.endpoint import Endpoint
from fleet_contract.status import Status
from fleet_contract.stream_state import Loosened, StreamState
from fleet_contract.topics import Kind as Channel
from tests.cloud_control.brokers import make_request
from tests.cloud_control.command_plane import FLEET, VERSION, AgentsBus
from tests.cloud_control.serving import serving

BEGAN = 1_800_000_000_000
PRIVATE = ("gate-1", "cam.example", "rtmp", "key", "consent")


class Stage:
    """A plane in memory with one agent, and a directory that looks when it is told."""

    def __init__(self, authority: Authority) -> None:
        self.now_ms = BEGAN
        self.thumbnails: dict[str, str] = {}
        self.bus = AgentsBus()
        certifier = LocalCertifier(authority, lambda: None, lambda _: None)
        self.store = MemoryStore()
        self.plane: Plane = assemble(
            FLEET,
            self.store,
            self.bus,
            certifier,
            lambda: self.now_ms,
            "rtmp://ingest:1935/live",
            self.memory(),
        )
        self.bus.subscribe(self.plane.live.take)
        self.directory = self.made()
        self.admission = Admission(FLEET, self.plane.streams, self.plane.documents)
        _, token = self.plane.enrolment.claim("test", FLEET, "gate-1", {})
        self.plane.enrolment.enrol(
            token, make_request(ec.generate_private_key(ec.SECP256R1())), None
        )
        self.bus.join("gate-1")

    def memory(self) -> Memory | None:
        return None

    def made(self) -> Any:
        return Directory(
            FLEET,
            self.plane.documents.streams,
            self.plane.live,
            self.plane.clock,
            hls_path,
            self.thumbnails.get,
        )

    def add(self, name: str, title: str = "A walk", category: int = 4) -> str:
        """A stream that its agent runs at once; its key is returned."""
        source = Endpoint(url="rtsp://cam.example/1")
        request = StreamRequest(
            agent="gate-1", id=name, title=title, category=category, source=source
        )
        return self.plane.streams.add("test", FLEET, request).publish_key

    def ingest(self, name: str, *kinds: Kind) -> None:
        for kind in kinds:
            self.directory.tell(Event(kind, name, self.now_ms / 1000))
        self.directory.look()

    def says(self, name: str, **state: object) -> None:
        """The agent tells of its stream."""
        said = {
            "at": 1, "connection": 1, "run": "running", "state": "PROTECTED",
            "desired_version": 1, "source_connected": True, **state,
        }  # fmt: skip
        self.bus.say("gate-1", StreamState.model_validate(said), Channel.STREAM_STATE, name)
        self.directory.look()

    def status(self, state: str, reason: str) -> None:
        said = {"connection": 1, "at": 2, "agent_version": VERSION}
        message = Status.model_validate({**said, "state": state, "reason": reason})
        self.bus.say("gate-1", message, Channel.STATUS)
        self.directory.look()

    def later(self, ms: int) -> None:
        self.now_ms += ms
        self.directory.look()

    def told(self) -> list[tuple[str, str]]:
        """All that was told of streams so far: what and of which."""
        found, whole = self.directory.events.after(BEGAN - 1)
        assert whole
        return [(event.kind, event.data["id"]) for event in found]

    @property
    def live(self) -> list[str]:
        return [one.id for one in self.directory.page("", 100)]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("ca"))
    made.create()
    return made


@pytest.fixture
def stage(authority: Authority) -> Stage:
    return Stage(authority)


@pytest.fixture
def walk(stage: Stage) -> Stage:
    """The stream `walk` is live and protected."""
    stage.add("walk")
    stage.ingest("walk", Kind.PUBLISH, Kind.PLAYABLE)
    assert stage.live == ["walk"]
    return stage


def test_a_stream_is_listed_when_its_pictures_come_and_not_before(stage: Stage) -> None:
    stage.add("walk")
    stage.directory.look()
    assert stage.live == []
    stage.ingest("walk", Kind.PUBLISH)
    assert stage.live == []
    stage.ingest("walk", Kind.PLAYABLE)
    one = stage.directory.get("walk")
    assert (one.live, one.state, one.title, one.category) == (True, "PROTECTED", "A walk", 4)
    assert one.started_at == stage.now_ms
    assert one.playback == "/hls/walk/index.m3u8"
    assert stage.told() == [("added", "walk")]


@pytest.mark.parametrize("kind", [Kind.PUBLISH_DONE, Kind.STALL])
def test_a_cut_is_told_at_once_and_may_heal(walk: Stage, kind: Kind) -> None:
    began = walk.directory.get("walk").started_at
    walk.ingest("walk", kind)
    one = walk.directory.get("walk")
    assert (walk.live, one.may_return, one.state) == ([], True, None)
    walk.now_ms += 5_000
    walk.ingest("walk", Kind.PUBLISH, Kind.PLAYABLE)
    assert walk.directory.get("walk").started_at == began
    assert [kind for kind, _ in walk.told()] == ["added", "ended", "added"]


def test_the_ingests_end_is_final(walk: Stage) -> None:
    walk.ingest("walk", Kind.PUBLISH_DONE)
    walk.ingest("walk", Kind.ENDED)
    assert not walk.directory.get("walk").may_return
    assert [kind for kind, _ in walk.told()] == ["added", "ended", "ended"]
    walk.later(REMEMBERED_MS + 1)
    with pytest.raises(NotFoundError):
        walk.directory.get("walk")


@pytest.mark.parametrize(("run", "may_return"), [("stopped", False), ("failed", True)])
def test_the_agent_may_know_first_that_it_ended(walk: Stage, run: str, may_return: bool) -> None:
    walk.says("walk", run=run, state="HELD")
    one = walk.directory.get("walk")
    assert (one.live, one.may_return) == (False, may_return)
    assert walk.directory.ended_by_agent() == ([] if may_return else ["walk"])


def test_a_removed_stream_is_gone_for_good(walk: Stage) -> None:
    walk.plane.streams.remove("test", FLEET, "walk")
    walk.directory.look()
    one = walk.directory.get("walk")
    assert (one.live, one.may_return, one.state) == (False, False, None)


def test_a_planned_end_of_the_agent_ends_its_streams(walk: Stage) -> None:
    walk.status("offline", "shutdown")
    assert walk.live == []


def test_without_the_agents_word_nothing_is_claimed(walk: Stage) -> None:
    """Its video goes on while its broker is away."""
    walk.status("offline", "lost")
    assert walk.live == ["walk"]
    assert walk.directory.get("walk").state is None


def test_the_badge_follows_the_agent(walk: Stage) -> None:
    walk.says("walk", state="DEGRADED", reason="late_looks")
    assert walk.directory.get("walk").state == "DEGRADED"
    walk.says("walk", state="HELD")
    assert walk.directory.get("walk").state == "HELD"
    walk.says("walk")
    assert walk.directory.get("walk").state == "PROTECTED"
    assert [kind for kind, _ in walk.told()] == ["added", "changed", "changed", "changed"]


def test_off_is_told_until_the_last_player_is_past_it(walk: Stage) -> None:
    consent = (Loosened(path="mosaic", expires_at=1_900_000_000_000),)
    walk.says("walk", state="OFF", loosened=consent)
    assert walk.directory.get("walk").state == "OFF"
    assert walk.directory.get("walk").exceptions
    walk.says("walk")
    assert walk.directory.get("walk").state == "OFF"
    walk.later(BEHIND_MS)
    assert walk.directory.get("walk").state == "PROTECTED"
    assert not walk.directory.get("walk").exceptions


def test_viewers_are_players_of_the_last_seconds(walk: Stage) -> None:
    for _ in range(3):
        walk.directory.seen("walk", "192.0.2.1", "a browser")
    walk.directory.seen("walk", "192.0.2.2", "a browser")
    walk.directory.seen("elsewhere", "192.0.2.2", "a browser")
    walk.later(4_000)
    assert walk.directory.get("walk").viewers == 2
    walk.later(12_000)
    assert walk.directory.get("walk").viewers == 0
    assert "192.0.2" not in repr(vars(walk.directory.audience))


def test_categories_search_and_pages(stage: Stage) -> None:
    for name, title, category in (("a", "Han river", 4), ("b", "한강 산책", 4), ("c", "Soup", 2)):
        stage.add(name, title, category)
        stage.ingest(name, Kind.PUBLISH, Kind.PLAYABLE)
    page = stage.directory.page
    assert [one.id for one in page("", 100, 4)] == ["a", "b"]
    assert [one.id for one in page("", 100, 0, "RIVER")] == ["a"]
    assert [one.id for one in page("", 100, 4, "한강")] == ["b"]
    assert [one.id for one in page("a", 1)] == ["b"]
    assert stage.directory.live_by_category() == {4: 2, 2: 1}


def test_only_the_holder_of_a_good_key_publishes(stage: Stage) -> None:
    key = stage.add("walk")
    may = stage.admission.may_publish
    assert may(Asked("live", key, key, "192.0.2.1")) == Granted("walk")
    for app, wrong in (("other", key), ("live", "walk"), ("live", ""), ("live", "é")):
        assert isinstance(may(Asked(app, wrong, wrong, "192.0.2.1")), Refused)
    assert stage.admission.withdrawn(["walk"]) == []

    stage.plane.streams.rotate_key("test", FLEET, "walk")
    assert isinstance(may(Asked("live", key, key, "192.0.2.1")), Refused)
    assert stage.admission.withdrawn(["walk"]) == ["walk"]

    new = stage.plane.streams.get(FLEET, "walk").publish_key
    assert may(Asked("live", new, new, "192.0.2.1")) == Granted("walk")
    assert stage.admission.withdrawn(["walk"]) == []
    stage.plane.enrolment.revoke("test", FLEET, "gate-1")
    assert stage.admission.withdrawn(["walk"]) == ["walk"]
    assert isinstance(may(Asked("live", new, new, "192.0.2.1")), Refused)


@pytest.fixture
def web(walk: Stage, tmp_path: Path) -> Iterator[httpx.Client]:
    """The public part of the API over HTTP, and a playlist to play."""
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk" / "index.m3u8").write_text("#EXTM3U\n")
    public = directory_router(walk.directory), playback_router(walk.directory, tmp_path)
    reach = Reach(("localhost", 8883), "", dict, None, "http://localhost")
    with (
        serving(create_app(walk.plane, reach, None, *public)) as url,
        httpx.Client(base_url=url) as client,
    ):
        yield client


def test_the_public_api_needs_no_token_and_tells_nothing_private(
    web: httpx.Client, walk: Stage
) -> None:
    listed = web.get("/v1/directory", params={"category": 4, "q": "walk"}).json()
    assert [one["id"] for one in listed["streams"]] == ["walk"]
    one = web.get("/v1/directory/walk")
    assert one.json() == listed["streams"][0]
    assert not any(word in one.text for word in PRIVATE)
    assert web.get("/v1/directory/nobody").status_code == 404
    categories = web.get("/v1/categories").json()
    assert len(categories["categories"]) == len(CATEGORIES) == 11
    assert categories["categories"][3] == {"id": 4, "ko": "여행", "en": "Travel", "live": 1}

    for viewer in ("one", "two"):
        assert web.get(f"/hls/walk/index.m3u8?viewer={viewer}").status_code == 200
    walk.later(4_000)
    assert web.get("/v1/directory/walk").json()["viewers"] == 2


def test_news_of_the_directory_are_public_and_tell_nothing_private(
    web: httpx.Client, walk: Stage
) -> None:
    with web.stream("GET", "/v1/directory/events", timeout=30.0) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "retry: 2000"
        walk.says("walk", state="HELD", reason="panic")
        kind = next(line for line in lines if line.startswith("event: "))
        assert kind == "event: changed"
        data = next(lines)
        assert json.loads(data.removeprefix("data: "))["state"] == "HELD"
        assert not any(word in data for word in PRIVATE)
