"""What the public is told of streams: the same from one process and from a store."""

from __future__ import annotations

from typing import Any

import pytest

from cloud_control.errors import NotFoundError
from cloud_control.ingest.port import Event, Kind, hls_path
from cloud_control.pki import Authority
from cloud_control.service.directory import BEHIND_MS, REMEMBERED_MS
from cloud_control.service.flows import StoredFlows
from cloud_control.service.memory import Memory, in_store
from cloud_control.service.stored_directory import StoredDirectory
from cloud_control.service.streams import StreamChange
from fleet_contract.stream_state import Loosened
from tests.cloud_control.test_directory import FLEET, Stage


class Looking(StoredDirectory):
    """Told and asked to look as the other kind is."""

    def tell(self, event: Event) -> None:
        self._flows.tell(event)

    def look(self, stream: str | None = None) -> None:
        if stream is None:
            self.look_at_all()
        else:
            super().look(stream)


class StoredStage(Stage):
    def memory(self) -> Memory:
        return in_store(self.store)

    def made(self) -> Any:
        plane = self.plane
        self.flows = StoredFlows(self.store, FLEET)
        return Looking(
            self.store,
            FLEET,
            plane.documents.streams,
            plane.live,
            self.flows,
            plane.clock,
            hls_path,
        )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("ca"))
    made.create()
    return made


@pytest.fixture(params=[Stage, StoredStage], ids=["memory", "stored"])
def stage(request: pytest.FixtureRequest, authority: Authority) -> Stage:
    return request.param(authority)  # type: ignore[no-any-return]


@pytest.fixture
def walk(stage: Stage) -> Stage:
    """The stream `walk` is live and protected."""
    stage.add("walk")
    stage.ingest("walk", Kind.PUBLISH, Kind.PLAYABLE)
    assert stage.live == ["walk"]
    return stage


def state(stage: Stage) -> str | None:
    return stage.directory.get("walk").state  # type: ignore[no-any-return]


def test_a_stream_is_listed_when_its_pictures_come_and_not_before(stage: Stage) -> None:
    stage.add("walk")
    stage.directory.look()
    with pytest.raises(NotFoundError):
        stage.directory.get("walk")
    stage.ingest("walk", Kind.PUBLISH)
    assert stage.live == []
    stage.ingest("walk", Kind.PLAYABLE)
    one = stage.directory.get("walk")
    assert (one.live, one.state, one.title, one.category) == (True, "PROTECTED", "A walk", 4)
    assert (one.started_at, one.playback) == (stage.now_ms, "/hls/walk/index.m3u8")
    assert (one.thumbnail, one.viewers) == (None, 0)


def test_a_cut_may_heal_and_an_end_is_final(walk: Stage) -> None:
    began = walk.directory.get("walk").started_at
    walk.now_ms += 1_000
    walk.ingest("walk", Kind.PUBLISH_DONE)
    one = walk.directory.get("walk")
    assert (walk.live, one.may_return, one.state) == ([], True, None)
    walk.now_ms += 5_000
    walk.ingest("walk", Kind.PUBLISH, Kind.PLAYABLE)
    assert walk.directory.get("walk").started_at == began
    walk.now_ms += 1_000
    walk.ingest("walk", Kind.PUBLISH_DONE, Kind.ENDED)
    assert not walk.directory.get("walk").may_return
    walk.later(REMEMBERED_MS + 1)
    with pytest.raises(NotFoundError):
        walk.directory.get("walk")


@pytest.mark.parametrize(("run", "may_return"), [("stopped", False), ("failed", True)])
def test_the_agent_may_know_first_that_it_ended(walk: Stage, run: str, may_return: bool) -> None:
    walk.says("walk", run=run, state="HELD")
    one = walk.directory.get("walk")
    assert (one.live, one.may_return) == (False, may_return)


def test_without_the_agents_word_nothing_is_claimed(walk: Stage) -> None:
    walk.status("offline", "lost")
    assert (walk.live, state(walk)) == (["walk"], None)


def test_a_planned_end_of_the_agent_ends_its_streams(walk: Stage) -> None:
    walk.status("offline", "shutdown")
    assert walk.live == []


def test_a_change_shows_and_what_is_removed_is_gone(walk: Stage) -> None:
    walk.plane.streams.change("test", FLEET, "walk", StreamChange(title="A run", category=2))
    walk.directory.look()
    assert [one.title for one in walk.directory.page("", 9, 2)] == ["A run"]
    walk.plane.streams.remove("test", FLEET, "walk")
    walk.directory.look()
    one = walk.directory.get("walk")
    assert (one.live, one.may_return, one.state) == (False, False, None)


def test_the_badge_follows_the_agent(walk: Stage) -> None:
    walk.says("walk", state="DEGRADED", reason="late_looks", at=2)
    assert state(walk) == "DEGRADED"
    walk.says("walk", state="HELD", at=3)
    assert state(walk) == "HELD"
    walk.says("walk", at=4)
    assert state(walk) == "PROTECTED"


def test_off_is_told_until_the_last_player_is_past_it(walk: Stage) -> None:
    consent = (Loosened(path="mosaic", expires_at=1_900_000_000_000),)
    walk.says("walk", state="OFF", loosened=consent, at=2)
    assert state(walk) == "OFF"
    assert walk.directory.get("walk").exceptions
    walk.later(60_000)
    assert state(walk) == "OFF"
    walk.says("walk", at=3)
    assert state(walk) == "OFF"
    walk.later(BEHIND_MS - 1)
    assert state(walk) == "OFF"
    walk.now_ms += 1
    walk.directory.look()
    assert state(walk) == "PROTECTED"
    assert not walk.directory.get("walk").exceptions


def test_categories_search_and_pages(stage: Stage) -> None:
    for name, title, category in (("a", "Han river", 4), ("b", "한강 산책", 4), ("c", "Soup", 2)):
        stage.add(name, title, category)
        stage.ingest(name, Kind.PUBLISH, Kind.PLAYABLE)
    page = stage.directory.page
    assert [one.id for one in page("", 100, 4)] == ["a", "b"]
    assert [one.id for one in page("", 100, 0, "RIVER")] == ["a"]
    assert [one.id for one in page("a", 1)] == ["b"]
    assert [one.id for one in page("b", 1)] == ["c"]
    assert stage.directory.live_by_category() == {4: 2, 2: 1}


def test_of_two_looks_at_once_the_later_has_seen_all(authority: Authority) -> None:
    """The badge turns to HELD between another process's reading and its writing."""
    stage = StoredStage(authority)
    stage.add("walk")
    stage.ingest("walk", Kind.PUBLISH, Kind.PLAYABLE)
    slow = stage.made()
    read = slow._live.of

    def overtaken(fleet: str, agent: str) -> Any:
        standing = read(fleet, agent)
        slow._live.of = read
        stage.says("walk", state="HELD", at=9)
        return standing

    stage.says("walk", state="DEGRADED", reason="late_looks", at=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slow._live, "of", overtaken)
        stage.plane.streams.change("test", FLEET, "walk", StreamChange(title="A run"))
        slow.look("walk")
    one = stage.directory.get("walk")
    assert (one.state, one.title) == ("HELD", "A run")
