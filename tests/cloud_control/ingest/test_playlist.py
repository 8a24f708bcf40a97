"""Playlists: what is written can be read, and the window moves as RFC 8216 wants it."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cloud_control.ingest import playlist
from cloud_control.ingest.playlist import WINDOW, Playlist, Segment

LENGTHS = st.lists(st.tuples(st.integers(1, 20_000), st.booleans()), max_size=20)

NGINX = """#EXTM3U
#EXT-X-VERSION:3
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-TARGETDURATION:2
#EXT-X-DISCONTINUITY
#EXTINF:2.000,
1795478727947.ts
#EXTINF:1.280,
1795478728941.ts
"""


def filled(lengths: list[tuple[int, bool]]) -> Playlist:
    found = Playlist()
    for number, (millis, breaks) in enumerate(lengths):
        found.append(Segment(f"{number}.ts", millis / 1000, breaks))
    return found


@given(LENGTHS, st.booleans())
def test_what_is_written_is_read(lengths: list[tuple[int, bool]], ended: bool) -> None:
    written = filled(lengths)
    written.ended = ended
    assert Playlist.parse(written.text()) == written


@given(LENGTHS)
def test_numbers_stay_with_their_segments(lengths: list[tuple[int, bool]]) -> None:
    moved = filled(lengths)
    assert len(moved.segments) == min(len(lengths), WINDOW)
    for number, segment in enumerate(moved.segments, moved.first):
        assert segment.name == f"{number}.ts"
    assert moved.breaks_before == sum(breaks for _, breaks in lengths[: moved.first])
    assert all(segment.seconds <= moved.target + 0.5 for segment in moved.segments)


def test_what_nginx_wrote_is_read_and_ended(tmp_path: Path) -> None:
    path = tmp_path / playlist.NAME
    path.write_text(NGINX)
    playlist.end(path)
    found = playlist.read(path)
    assert found is not None
    assert (found.first, found.target, found.ended) == (7, 2, True)
    assert found.segments[0] == Segment("1795478727947.ts", 2.0, breaks=True)
    assert found.segments[1] == Segment("1795478728941.ts", 1.28)
    assert list(tmp_path.iterdir()) == [path]


def test_a_playlist_that_is_not_there_cannot_be_ended(tmp_path: Path) -> None:
    playlist.end(tmp_path / playlist.NAME)
    assert playlist.read(tmp_path / playlist.NAME) is None
