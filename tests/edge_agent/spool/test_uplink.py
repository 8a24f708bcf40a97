"""A live stream whose uplink dies and comes back: between the server's record and the spool nothing
is missing, and nothing of either is bare."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest

from edge_agent.errors import SinkError
from edge_agent.media.broadcast import Broadcast
from edge_agent.media.info import SourceInfo
from edge_agent.spool.segment import State
from edge_agent.spool.store import Store
from tests.edge_agent.media_tools import Nginx, protect
from tests.edge_agent.spool.coded import FPS, LIVE, Camera, key_file, segments, ticks
from tests.faults.command import finish, start, wait_until
from tests.faults.links import Receiver
from tests.faults.street import assert_plate_hidden, lumas, shows_scene, write_street

SPEED = 3.0  # seconds of the stream in one of the clock


class Stream:
    """A broadcast that is fed by a thread, faster than a camera would."""

    def __init__(self, *sinks: str) -> None:
        info = SourceInfo(
            url="camera", width=160, height=120, fps=Fraction(FPS), codec="raw",
            pixel_format="yuv420p", live=True,
        )  # fmt: skip
        self.broadcast = Broadcast(sinks, info, LIVE)
        self.sent = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        self.broadcast.close()

    def run_for(self, seconds: float) -> None:
        """Let this much of the stream's time pass."""
        until = self.sent + seconds * FPS
        wait_until(lambda: self.sent >= until, "the stream goes on")

    def _work(self) -> None:
        camera, began = Camera(), time.monotonic()
        while not self._closing.wait(max(0.0, began + self.sent / FPS / SPEED - time.monotonic())):
            self.broadcast.video(protect(camera._frame(self.sent)))
            self.sent += 1


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    server = Nginx(tmp_path)
    yield server
    server.kill()


def spooled(folder: Path) -> set[int]:
    """The frame numbers that wait in a spool."""
    store = Store(folder)
    try:
        waiting = store.waiting()
        assert all(store.check(segment) for segment in waiting)
        return {tick for one in waiting for tick in ticks(b"".join(store.pieces(one)))}
    finally:
        store.close()


def recorded(path: Path) -> int:
    """How many pictures a record of the server has."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_only_the_gap_is_spooled_and_with_it_nothing_is_missing(
    nginx: Nginx, tmp_path: Path
) -> None:
    folder = tmp_path / "cam-1"
    stream = Stream(f"rtmp://127.0.0.1:{nginx.port}/live/key", f"spool:{folder}")
    try:
        wait_until(lambda: stream.broadcast.states and stream.broadcast.states[0].connected, "link")
        stream.run_for(8.0)
        wait_until(lambda: not segments(folder, State.WRITING), "the link is steady")
        before = segments(folder)
        stream.run_for(8.0)
        assert segments(folder) == before
        killed_at = stream.sent
        nginx.kill()
        stream.run_for(8.0)
        back_at = stream.sent
        nginx.start()
        wait_until(lambda: stream.broadcast.states[0].connected, "the link is back")
        wait_until(lambda: not segments(folder, State.WRITING), "the gap's end")
        stream.run_for(4.0)
        end = stream.sent
    finally:
        stream.close()
    kept = spooled(folder)
    # The server's last record begins with a keyframe of the new connection; the spool goes on
    # past that.
    records = sorted(nginx.records.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    resumed = end - recorded(records[-1]) + 1
    assert set(range(killed_at - 5 * FPS, max(back_at, resumed))) <= kept
    assert max(kept) < end - FPS


def test_a_first_connection_that_never_comes_is_a_gap_from_the_first_picture(
    tmp_path: Path,
) -> None:
    stream = Stream("rtmp://127.0.0.1:1/live/key", f"spool:{tmp_path / 'cam'}")
    try:
        wait_until((tmp_path / "cam").exists, "a spool")
        stream.run_for(12.0)
        wait_until(lambda: segments(tmp_path / "cam"), "spooling")
        stream.run_for(2.0)
    finally:
        stream.close()
    kept = spooled(tmp_path / "cam")
    assert min(kept) == 0
    assert len(kept) == max(kept) + 1 >= 12 * FPS


def test_without_a_network_sink_all_is_spooled(tmp_path: Path) -> None:
    stream = Stream(str(tmp_path / "copy.mkv"), f"spool:{tmp_path / 'cam'}")
    stream.run_for(3.0)
    stream.close()
    assert spooled(tmp_path / "cam") == set(range(stream.sent))


def test_a_spool_that_fails_holds_up_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    stream = Stream(str(tmp_path / "copy.mkv"), f"spool:{tmp_path / 'file' / 'cam'}")
    stream.run_for(3.0)
    stream.close()
    assert recorded(tmp_path / "copy.mkv") == stream.sent
    assert stream.broadcast.states[1].reconnects == 0
    assert stream.broadcast.states[1].dropped > 0


def test_a_key_that_cannot_be_used_is_said_at_once(tmp_path: Path) -> None:
    info = SourceInfo("x", 160, 120, Fraction(FPS), "raw", "yuv420p", live=True)
    with pytest.raises(SinkError, match="cannot read the key"):
        Broadcast([f"spool:{tmp_path}?key={tmp_path / 'none'}"], info, LIVE)


def test_the_real_agent_spools_protected_pictures_only_also_when_killed(tmp_path: Path) -> None:
    street = write_street(tmp_path / "street.mp4", 4.0)
    folder = tmp_path / "spool" / "cam-1"
    key = f"&key={key_file(tmp_path)}"
    receiver = Receiver(tmp_path)
    arguments = [
        *("run", "-i", street, "--loop", "-o", f"spool:{folder}?mode=all{key}"),
        *("-o", receiver.url, "--port", "0", "--preset", "ultrafast", "--json"),
    ]
    process = start(*arguments)
    wait_until(
        lambda: any(path.stat().st_size > 100_000 for path in folder.glob("*.part")),
        "a segment under way",
    )
    process.send_signal(signal.SIGKILL)
    process.communicate()
    # The next run saves what was torn, and spools on.
    process = start(*arguments)
    wait_until(lambda: len(segments(folder, State.SEALED)) > 1, "segments of the next run")
    process.send_signal(signal.SIGINT)
    done = finish(process)
    receiver.close()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["protected"] > 0
    store = Store(folder)
    pictures = []
    for segment in store.waiting():
        assert store.check(segment)
        copy = tmp_path / segment.name
        copy.write_bytes(b"".join(store.pieces(segment)))
        pictures += list(lumas(copy, "mpegts"))
    store.close()
    assert_plate_hidden(pictures)
    assert sum(shows_scene(luma) for luma in pictures) > 20
