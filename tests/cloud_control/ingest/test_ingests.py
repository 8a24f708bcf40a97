"""Every ingest, by the same tests, with a real encoder and a real player."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from cloud_control.ingest.playlist import Playlist
from cloud_control.ingest.port import Kind
from tests.cloud_control.ingest.ingests import (
    KINDS,
    Encoder,
    Place,
    key_of,
    needs_ffmpeg,
    played,
    publishing,
    running,
    wait_until,
)

pytestmark = needs_ffmpeg


@pytest.fixture(scope="module", params=KINDS)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    with running(request.param, tmp_path_factory.mktemp(request.param)) as found:
        yield found


def listed(place: Place, stream: str) -> Playlist:
    """Empty until it is there."""
    answer = place.http.get(place.player_url(stream))
    return Playlist.parse(answer.text if answer.is_success else "")


def await_segments(place: Place, stream: str, count: int) -> None:
    wait_until(
        lambda: (now := listed(place, stream)).first + len(now.segments) >= count,
        f"{count} segments",
    )


def test_what_is_published_plays_and_ends(place: Place) -> None:
    with publishing(place, "plays") as encoder:
        place.await_event("plays", Kind.PLAYABLE)
        assert place.ingest.publishing() == {"plays"}
        shown, sounds = played(place.player_url("plays"), 15)
        assert len(shown) == 15
        assert all(0 < after - before < 1 for before, after in pairwise(shown))
        assert sounds > 0
        encoder.finish()
        place.await_event("plays", Kind.PUBLISH_DONE)
        assert not listed(place, "plays").ended
        assert "plays" not in place.ingest.publishing()
        place.ingest.end("plays")
        place.await_event("plays", Kind.ENDED)
    assert listed(place, "plays").ended
    kinds = place.kinds("plays")
    assert kinds == [Kind.PUBLISH, Kind.PLAYABLE, Kind.PUBLISH_DONE, Kind.ENDED]


@pytest.mark.parametrize(
    ("stream_key", "reason"),
    [
        ("k3y-refused-wrong", "wrong stream key"),
        ("refused?key=k3y-other", "wrong stream key"),
        ("refused", "wrong stream key"),
        (key_of("expired"), "the stream key has expired"),
    ],
)
def test_who_may_not_publish_is_refused(place: Place, stream_key: str, reason: str) -> None:
    place.expired.add("expired")
    complaint = Encoder(place.url(stream_key)).complaint()
    assert complaint  # it did not go on publishing
    if type(place.ingest).__name__ == "EmbeddedIngest":
        assert reason in complaint
    assert {event.stream for event in place.events} & {"refused", "expired"} == set()
    assert not (place.options.hls / "refused").exists()


def test_a_key_in_use_is_refused_and_a_returning_publisher_goes_on(place: Place) -> None:
    """The id with the key behind it is as good as the key alone."""
    with publishing(place, "stays") as first:
        place.await_event("stays", Kind.PLAYABLE)
        assert Encoder(place.url(f"stays?key={key_of('stays')}")).complaint()
        await_segments(place, "stays", 2)
        assert place.ingest.publishing() == {"stays"}
        first.vanish()
        place.await_event("stays", Kind.PUBLISH_DONE)
    before = listed(place, "stays")
    with publishing(place, "stays", f"stays?key={key_of('stays')}"):
        reached = before.first + len(before.segments) + 2
        await_segments(place, "stays", reached)
        after = listed(place, "stays")
    assert not after.ended
    assert place.kinds("stays").count(Kind.ENDED) == 0
    names = [segment.name for segment in after.segments]
    kept = [segment.name for segment in before.segments if segment.name in names]
    assert kept == names[: len(kept)]  # the list moved on, it did not begin anew
    assert len(set(names)) == len(names)
    assert after.segments[len(kept)].breaks


def test_a_publisher_that_freezes_is_noticed(place: Place) -> None:
    with publishing(place, "freezes") as encoder:
        place.await_event("freezes", Kind.PLAYABLE)
        encoder.freeze()
        place.await_event("freezes", Kind.STALL)


def test_a_stream_can_be_ended_over_its_publisher(place: Place) -> None:
    with publishing(place, "ended") as encoder:
        place.await_event("ended", Kind.PLAYABLE)
        place.expired.add("ended")
        place.ingest.end("ended")
        place.await_event("ended", Kind.ENDED)
        assert encoder.complaint()
    assert listed(place, "ended").ended
    assert "ended" not in place.ingest.publishing()


def test_a_publisher_whose_key_is_void_now_is_hung_up_on(place: Place) -> None:
    with publishing(place, "voided") as encoder:
        place.expired.add("voided")
        place.ingest.hang_up("voided")
        place.await_event("voided", Kind.PUBLISH_DONE)
        assert encoder.complaint()
        place.expired.remove("voided")
    with publishing(place, "voided"):
        place.await_event("voided", Kind.PLAYABLE)
    assert Kind.ENDED not in place.kinds("voided")


def test_no_key_is_left_anywhere(place: Place) -> None:
    """After all of the above: no file's name or content has one."""
    for path in place.options.folder.rglob("*"):
        assert "5ecret" not in path.name
        assert not path.is_file() or b"5ecret" not in path.read_bytes()


def test_eight_streams_at_once(place: Place) -> None:
    names = [f"many-{number}" for number in range(8)]
    encoders = [Encoder(place.url(key_of(name))) for name in names]
    try:
        for name in names:
            place.await_event(name, Kind.PLAYABLE)
        assert place.ingest.publishing() >= set(names)
        for name in names:
            await_segments(place, name, 2)
    finally:
        for encoder in encoders:
            encoder.vanish()
    for name in names:
        place.await_event(name, Kind.PUBLISH_DONE)


def test_what_is_published_can_be_kept(tmp_path: Path) -> None:
    with running("embedded", tmp_path, record=True) as place:
        with publishing(place, "kept") as encoder:
            await_segments(place, "kept", 4)
            encoder.finish()
            place.await_event("kept", Kind.PUBLISH_DONE)
        (recording,) = (place.options.recordings / "kept").glob("*.mp4")
        shown, sounds = played(str(recording), 15)
    assert len(shown) == 15
    assert sounds > 0
