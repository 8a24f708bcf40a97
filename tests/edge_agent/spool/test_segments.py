"""Segments on disk: whole or absent, oldest given up first, saved after a kill."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.errors import SinkError, SpoolError
from edge_agent.media.spooled import Spooled
from edge_agent.spool import writer
from edge_agent.spool.address import SpoolAddress
from edge_agent.spool.draft import Draft
from edge_agent.spool.seal import MAGIC
from edge_agent.spool.segment import Segment, State
from edge_agent.spool.stats import SpoolStats, spool_stats
from edge_agent.spool.store import Store, folders_in
from edge_agent.spool.writer import SpoolWriter
from tests.edge_agent.spool.coded import FPS, Camera, key_file, segments, spool, ticks
from tests.faults.command import wait_until


def film(address: SpoolAddress, seconds: float, camera: Camera | None = None) -> None:
    """Spool some seconds of video and end."""
    camera = camera or Camera()
    out = Spooled(address, camera.encoder.template, None, None)
    for packet in camera.film(seconds):
        out.video(packet)
    out.close()


def plain(folder: Path, segment: Segment) -> bytes:
    store = Store(folder)
    try:
        assert store.check(segment)
        return b"".join(store.pieces(segment))
    finally:
        store.close()


def shown(folder: Path) -> list[int]:
    """The frame numbers of all segments that wait, in their order."""
    waiting = segments(folder, State.SEALED)
    return [tick for segment in waiting for tick in ticks(plain(folder, segment))]


@pytest.fixture(params=["plain", "sealed"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> SpoolAddress:
    key = key_file(tmp_path) if request.param == "sealed" else None
    return spool(tmp_path / "cam-1", key)


def test_segments_play_by_themselves_and_together_miss_nothing(address: SpoolAddress) -> None:
    film(address, 21.0)
    kept = segments(address.folder)
    assert [segment.state for segment in kept] == [State.SEALED] * 4
    assert [segment.first_ms for segment in kept] == [0, 6000, 12000, 18000]
    assert shown(address.folder) == list(range(21 * FPS))
    files = [path for path in address.folder.iterdir() if not path.name.startswith(".")]
    assert sorted(path.name for path in files) == sorted(segment.file for segment in kept)
    sealed = address.key_file is not None
    assert all(path.read_bytes().startswith(MAGIC) is sealed for path in files)
    size = sum(segment.size for segment in kept)
    assert spool_stats(folders_in(address.folder.parent)) == SpoolStats(4, size, 0)


def test_the_oldest_is_given_up_when_the_bound_is_reached(tmp_path: Path) -> None:
    bound = 150_000
    film(SpoolAddress(tmp_path, "all", bound), 48.0)
    kept = segments(tmp_path)
    numbers = [segment.number for segment in kept]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert kept[-1].last_ms == 47_900
    on_disk = sum(path.stat().st_size for path in tmp_path.glob("*.ts*"))
    assert bound // 2 < on_disk == sum(segment.size for segment in kept) < bound + 60_000
    assert spool_stats([tmp_path]).segments_lost == numbers[0] - 1 > 0


def test_a_full_disk_costs_segments_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest makes room, the loss is counted, and what is written later is whole."""
    camera, room = Camera(), 120_000
    put = Draft._put

    def full(self: Draft, data: bytes) -> None:
        if sum(path.stat().st_size for path in tmp_path.glob("*.ts*")) + len(data) > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        put(self, data)

    monkeypatch.setattr(Draft, "_put", full)
    out, failures = None, 0
    for packet in camera.film(40.0):
        try:
            out = out or Spooled(spool(tmp_path), camera.encoder.template, None, None)
            out.video(packet)
        except SinkError as error:
            out, failures = None, failures + ("No space left" in str(error))
            camera.encoder.request_keyframe()
    assert out is not None
    out.close()
    assert failures > 1
    lost = spool_stats([tmp_path]).segments_lost
    assert lost >= failures
    pictures = shown(tmp_path)
    assert pictures == sorted(pictures)
    assert len(pictures) > 5 * FPS
    assert list(tmp_path.glob("*.part*")) == []


def test_room_is_made_before_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no segment is lost under way, and only as many are given up as must be."""
    size = 1_000_000  # each segment has about 50 kB

    def usage(folder: Path) -> tuple[int, int, int]:
        used = sum(path.stat().st_size for path in folder.glob("*.ts*"))
        return shutil._ntuple_diskusage(size, used, size - used)  # type: ignore[attr-defined]

    monkeypatch.setattr(shutil, "disk_usage", usage)
    monkeypatch.setattr(writer, "RESERVE", 700_000)
    film(spool(tmp_path), 48.0)
    numbers = [segment.number for segment in segments(tmp_path)]
    assert numbers == list(range(1, 9))
    size = 250_000
    film(spool(tmp_path), 12.0)
    left = [segment.number for segment in segments(tmp_path)]
    assert left == list(range(left[0], 11))
    assert 3 <= len(left) <= 5
    assert spool_stats([tmp_path]).segments_lost == left[0] - 1


WRITE = """
import sys
from pathlib import Path
from edge_agent.media.spooled import Spooled
from edge_agent.spool.address import SpoolAddress
from tests.edge_agent.spool.coded import Camera
camera = Camera()
key = Path(sys.argv[2]) if len(sys.argv) > 2 else None
address = SpoolAddress(Path(sys.argv[1]), "all", 1 << 30, key)
out = Spooled(address, camera.encoder.template, None, None)
for packet in camera.film(100000):
    out.video(packet)
"""


def test_a_killed_writer_leaves_whole_segments_and_the_torn_one_is_saved(
    address: SpoolAddress,
) -> None:
    arguments = [address.folder, *([address.key_file] if address.key_file else [])]
    process = subprocess.Popen([sys.executable, "-c", WRITE, *map(str, arguments)])

    def torn() -> bool:
        return address.folder.exists() and any(
            path.stat().st_size > 40_000 for path in address.folder.glob("*.part")
        )

    wait_until(torn, "a segment under way")
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = segments(address.folder, State.SEALED)
    film(spool(address.folder, address.key_file), 0.0)
    after = segments(address.folder)
    assert len(after) >= len(before) + 1
    assert {segment.state for segment in after} == {State.SEALED}
    assert list(address.folder.glob("*.part*")) == []
    pictures = shown(address.folder)
    assert pictures == list(range(len(pictures)))
    assert len(pictures) > len(before) * 6 * FPS


def test_a_kill_between_a_segments_name_and_its_row_loses_nothing(
    address: SpoolAddress,
) -> None:
    film(address, 6.0)
    row = segments(address.folder)[0]
    store = Store(address.folder)
    store.index.put(Segment(row.number, row.name, State.WRITING, row.sealed, started_at=5))
    store.close()
    film(address, 0.0)
    again = segments(address.folder)[0]
    assert (again.state, again.sha256, again.size) == (State.SEALED, row.sha256, row.size)


def test_what_no_row_knows_is_swept_out_unless_it_is_a_recording_under_way(tmp_path: Path) -> None:
    for name, keeps in (("spool", False), ("videos", True)):
        folder = tmp_path / name
        Store(folder, keeps=keeps).close()
        (folder / "x.mp4.part").write_text("")
        SpoolWriter(spool(folder)).close()
        assert (folder / "x.mp4.part").exists() is keeps


def test_a_changed_segment_is_kept_and_never_counts_as_waiting(address: SpoolAddress) -> None:
    film(address, 12.0)
    first, second = segments(address.folder)
    path = address.folder / first.file
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 1
    path.write_bytes(changed)
    store = Store(address.folder)
    assert not store.check(first)
    assert store.check(second)
    assert store.waiting() == [second]
    store.close()
    assert path.exists()
    assert segments(address.folder, State.DAMAGED)[0].number == first.number


def test_a_segment_that_is_gone_is_counted_as_lost(tmp_path: Path) -> None:
    film(spool(tmp_path), 6.0)
    (segment,) = segments(tmp_path)
    (tmp_path / segment.file).unlink()
    store = Store(tmp_path)
    assert not store.check(segment)
    store.close()
    assert spool_stats([tmp_path]) == SpoolStats(0, 0, 1)


def test_two_streams_cannot_share_a_spool(tmp_path: Path) -> None:
    first = SpoolWriter(spool(tmp_path))
    with pytest.raises(SpoolError, match="give each its own"):
        SpoolWriter(spool(tmp_path))
    first.close()
    SpoolWriter(spool(tmp_path)).close()


def test_panic_leaves_nothing_of_what_is_not_sealed(tmp_path: Path) -> None:
    camera = Camera()
    out = Spooled(spool(tmp_path), camera.encoder.template, None, None)
    for packet in camera.film(9.0):
        out.video(packet)
    out.discard()
    camera.encoder.request_keyframe()
    for packet in camera.film(4.0):
        out.video(packet)
    out.close()
    pictures = shown(tmp_path)
    assert pictures[: 6 * FPS] == list(range(6 * FPS))
    assert pictures[6 * FPS] > 9 * FPS


def test_a_spool_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="cannot make the folder"):
        SpoolWriter(spool(tmp_path / "file" / "cam-1"))


def test_a_spoilt_index_says_so(tmp_path: Path) -> None:
    film(spool(tmp_path), 6.0)
    for path in tmp_path.glob(".veilcast-index*"):
        path.write_bytes(b"nonsense " * 1000)
    with pytest.raises(SpoolError, match="index"):
        SpoolWriter(spool(tmp_path))
