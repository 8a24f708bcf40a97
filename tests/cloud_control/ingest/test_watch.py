"""What is told about streams, at times of our choosing."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cloud_control.ingest import playlist
from cloud_control.ingest.playlist import Playlist, Segment
from cloud_control.ingest.port import Asked, Event, Granted, Kind, Options, Refused
from cloud_control.ingest.publishers import BUSY, Publishers
from cloud_control.ingest.watch import FIRST_SEGMENT_S, KEPT_S, Watch

ASKED = Asked("live", "a", "a", "127.0.0.1")


class Scene:
    """A watch that looks when it is told to."""

    def __init__(self, folder: Path, *, playlists: bool = True) -> None:
        self.options = Options(folder, linger_s=20.0, playlists=playlists)
        self.publishers = Publishers(lambda asked: Granted(asked.name))
        self.watch = Watch(self.options, self.publishers, lambda _: None)
        self.now = time.time()
        self._list = Playlist()

    @property
    def folder(self) -> Path:
        return self.options.hls / "a"

    def after(self, seconds: float) -> list[Kind]:
        self.now += seconds
        return [event.kind for event in self.watch.tick(self.now)]

    def segment(self, name: str) -> None:
        """A new one of 2 s, at this moment."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._list.append(Segment(name, 2.0))
        playlist.write(self.folder / playlist.NAME, self._list)
        (self.folder / name).write_bytes(b"")
        for changed in (playlist.NAME, name):
            os.utime(self.folder / changed, (self.now, self.now))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_stream_from_its_first_segment_to_its_end(scene: Scene) -> None:
    scene.publishers.enter("s", ASKED)
    assert scene.after(1) == [Kind.PUBLISH]
    scene.segment("0.ts")
    assert scene.after(0.1) == [Kind.PLAYABLE]
    assert scene.after(5) == []
    assert scene.after(2) == [Kind.STALL]
    assert scene.after(2) == []
    scene.segment("1.ts")
    assert scene.after(0) == [Kind.PLAYABLE]
    scene.publishers.leave("s")
    assert scene.after(0) == [Kind.PUBLISH_DONE]
    scene.now = time.time()
    assert scene.after(19) == []
    assert scene.after(2) == [Kind.ENDED]
    assert (found := playlist.read(scene.folder / playlist.NAME))
    assert found.ended
    assert scene.after(KEPT_S + 1) == []
    assert not scene.folder.exists()


def test_a_publisher_who_sends_nothing_stalls_at_once_after_a_while(scene: Scene) -> None:
    scene.segment("left-by-the-one-before.ts")
    scene.now += 1
    scene.publishers.enter("s", ASKED)
    assert scene.after(1) == [Kind.PUBLISH]
    assert scene.after(FIRST_SEGMENT_S - 5) == []
    assert scene.after(6) == [Kind.STALL]


def test_who_returns_in_time_is_not_ended(scene: Scene) -> None:
    scene.publishers.enter("s", ASKED)
    scene.publishers.leave("s")
    scene.publishers.enter("t", ASKED)
    assert scene.after(1) == [Kind.PUBLISH, Kind.PUBLISH_DONE, Kind.PUBLISH]
    assert Kind.ENDED not in scene.after(30)


def test_the_end_waits_for_the_publisher_to_go_and_for_nothing_else(scene: Scene) -> None:
    scene.publishers.enter("s", ASKED)
    scene.watch.end("a")
    assert scene.after(0) == [Kind.PUBLISH]
    scene.publishers.leave("s")
    assert scene.after(0) == [Kind.PUBLISH_DONE, Kind.ENDED]
    scene.watch.end("a")  # once more, and of one that never was
    scene.watch.end("b")
    scene.publishers.enter("s", ASKED)
    scene.publishers.leave("s")
    assert scene.after(0) == [Kind.PUBLISH, Kind.PUBLISH_DONE]


def test_old_segments_are_removed_and_listed_ones_stay(scene: Scene) -> None:
    scene.publishers.enter("s", ASKED)
    for number in range(9):
        scene.segment(f"{number}.ts")
    scene.after(1)
    assert len(list(scene.folder.glob("*.ts"))) == 9
    scene.after(KEPT_S + 1)
    assert sorted(path.name for path in scene.folder.glob("*.ts")) == [
        f"{number}.ts" for number in range(3, 9)
    ]


def test_streams_left_by_a_crash_are_ended_in_time(tmp_path: Path) -> None:
    before = Scene(tmp_path)
    before.segment("0.ts")
    scene = Scene(tmp_path)
    scene.watch.start()
    scene.watch.close()
    assert scene.after(19) == []
    assert scene.after(2) == [Kind.ENDED]


def test_without_playlists_of_ours_nothing_is_said_about_them(tmp_path: Path) -> None:
    scene = Scene(tmp_path, playlists=False)
    scene.publishers.enter("s", ASKED)
    assert scene.after(FIRST_SEGMENT_S + 1) == [Kind.PUBLISH]
    scene.publishers.leave("s")
    scene.watch.end("a")
    assert scene.after(0) == [Kind.PUBLISH_DONE, Kind.ENDED]


def test_a_playlist_that_cannot_be_read_does_not_stop_the_watch(scene: Scene) -> None:
    scene.publishers.enter("s", ASKED)
    scene.segment("0.ts")
    (scene.folder / playlist.NAME).write_text("#EXTINF:abc\n")
    assert scene.after(11) == [Kind.PUBLISH]
    scene.segment("1.ts")
    assert scene.after(0) == [Kind.PLAYABLE]


def test_a_listener_that_fails_does_not_stop_the_watch(tmp_path: Path) -> None:
    told: list[Event] = []

    def listen(event: Event) -> None:
        told.append(event)
        raise RuntimeError

    publishers = Publishers(lambda asked: Granted(asked.name))
    watch = Watch(Options(tmp_path), publishers, listen)
    publishers.enter("s", ASKED)
    publishers.leave("s")
    watch.start()
    watch.close()
    assert [event.kind for event in told] == [Kind.PUBLISH, Kind.PUBLISH_DONE]


def test_one_publisher_a_stream_as_long_as_its_lease_lasts() -> None:
    now = 0.0
    publishers = Publishers(lambda asked: Granted(asked.name), lambda: now)
    assert publishers.enter("s", ASKED, 10) == Granted("a")
    assert publishers.enter("t", ASKED, 10) == BUSY
    now = 8.0
    assert publishers.renew("s", 10)
    now = 17.0
    assert publishers.enter("t", ASKED, 10) == BUSY
    now = 19.0
    assert publishers.enter("t", ASKED, 10) == Granted("a")
    assert publishers.renew("s", 10) is None
    publishers.leave("s")  # the one that was given up comes late to say goodbye
    assert publishers.publishing() == {"a"}
    assert publishers.dismiss("a") == "t"
    assert publishers.renew("t", 10) is False


def test_an_id_that_is_no_folder_name_is_never_taken() -> None:
    publishers = Publishers(lambda _: Granted("../../etc"))
    with pytest.raises(ValueError, match="folder"):
        publishers.enter("s", ASKED)
    assert publishers.publishing() == set()


def test_what_was_asked_shows_no_key() -> None:
    assert "hush" not in repr(Asked("live", "hush", "hush", "::1"))
    assert isinstance(Publishers(lambda _: Refused("no")).enter("s", ASKED), Refused)


@pytest.mark.parametrize("marks", [("1", "1"), ("", None)], ids=["asked", "told"])
def test_a_publisher_who_falls_silent_stalls_before_its_playlist_does(
    tmp_path: Path, marks: tuple[str, str | None]
) -> None:
    """Servers either tell now and then how far the media have come, or whenever some come."""
    scene = Scene(tmp_path)
    clock = [100.0]
    scene.publishers._monotonic = lambda: clock[0]
    scene.publishers.enter("s", ASKED)
    first, again = marks
    scene.publishers.heard("s", first)
    assert scene.after(1) == [Kind.PUBLISH]
    scene.segment("0.ts")
    assert scene.after(0) == [Kind.PLAYABLE]
    clock[0] += 0.9
    if again is not None:
        scene.publishers.heard("s", again)
    assert scene.after(0.9) == []
    clock[0] += 0.2
    if again is not None:
        assert scene.after(0.2) == []  # nobody has asked since
        scene.publishers.heard("s", again)
    assert scene.after(0) == [Kind.STALL]
    scene.publishers.heard("s", first + "9" if first else "")
    assert scene.after(0) == [Kind.PLAYABLE]
