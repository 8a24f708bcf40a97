"""Live in and out over real connections: pushes, pulls, lost servers, sinks that stall."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edge_agent.errors import SinkError, SourceError
from edge_agent.frame import Frame
from edge_agent.media.audio import AudioPacket
from edge_agent.media.backoff import Backoff
from edge_agent.media.broadcast import Broadcast
from edge_agent.media.demux import Item
from edge_agent.media.encode import EncoderSettings
from edge_agent.media.events import Discontinuity, End
from edge_agent.media.sink import QUEUE_LENGTH
from edge_agent.media.source import Source, open_source
from tests.edge_agent.media_tools import (
    Nginx,
    TlsDoor,
    click_times,
    flash_times,
    frames_of,
    free_port,
    protect,
    sound_span,
    write_clip,
)

LIVE = EncoderSettings(live=True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds with a flash and a click at every full second."""
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=8)


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    server = Nginx(tmp_path)
    yield server
    server.kill()


class Collector:
    """Reads a source in a thread of its own, as the pipeline does."""

    def __init__(self, source: Source) -> None:
        self.items: list[Item] = []
        self._source = source
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for item in self._source:
            self.items.append(item)

    def frames(self) -> list[Frame]:
        return frames_of(list(self.items))

    def wait_for_frames(self, count: int, seconds: float = 15) -> None:
        wait_until(lambda: len(self.frames()) >= count, seconds)

    def close(self) -> None:
        self._source.close()
        self._thread.join(5)
        assert not self._thread.is_alive()


def wait_until(condition: object, seconds: float = 15) -> None:
    assert callable(condition)
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def pushing(clip: Path, url: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """An encoder that pushes the clip at its own speed."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("the ffmpeg command is not installed")
    source = [ffmpeg, "-loglevel", "error", *options, "-re", "-i", str(clip), "-c", "copy"]
    form = "mpegts" if url.startswith("srt") else "flv"
    process = subprocess.Popen([*source, "-f", form, url], stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def offset_ms(path: Path) -> list[float]:
    """Sound against picture at each flash whose surroundings were recorded, in ms."""
    clicks = click_times(str(path))
    first, last = sound_span(str(path))
    flashes = [f for f in flash_times(str(path)) if first + 0.1 < f < last - 0.1]
    return [min((c - f for c in clicks), key=abs) * 1000 for f in flashes]


def feed(clip: Path, broadcast: Broadcast, *, speed: float = 1.0) -> Iterator[int]:
    """Send the clip at its own speed; yields the number of each frame after it was sent."""
    began = time.monotonic()
    for item in open_source(str(clip)):
        if isinstance(item, Discontinuity | End):
            continue
        time.sleep(max(0, item.time_ns / 1e9 / speed - (time.monotonic() - began)))
        if isinstance(item, AudioPacket):
            broadcast.audio(item)
        else:
            broadcast.video(protect(item))
            yield item.index


def test_an_encoder_pushes_to_the_agent_leaves_and_comes_back(clip: Path) -> None:
    url = f"rtmp://127.0.0.1:{free_port()}/live/key?token=abc"
    collector = Collector(open_source(f"listen:{url}"))
    try:
        with pushing(clip, url):
            collector.wait_for_frames(20)
        wait_until(lambda: Discontinuity("lost", 160, 120) in collector.items)
        before = len(collector.frames())
        with pushing(clip, url):
            collector.wait_for_frames(before + 20)
    finally:
        collector.close()
    assert Discontinuity("found", 160, 120) in collector.items
    assert isinstance(collector.items[-1], End)
    stamps = [frame.time_ns for frame in collector.frames()]
    assert all(later > earlier for earlier, later in pairwise(stamps))
    assert [frame.index for frame in collector.frames()] == list(range(len(stamps)))
    sound = [item.time_ns for item in collector.items if isinstance(item, AudioPacket)]
    assert abs(sound[-1] - stamps[-1]) < 0.5e9


def test_hevc_comes_in_as_well(tmp_path: Path) -> None:
    hevc = write_clip(
        tmp_path / "h.flv", codec="libx265", options={"x265-params": "log-level=none"}, seconds=3
    )
    url = f"rtmp://127.0.0.1:{free_port()}/live/key"
    collector = Collector(open_source(f"listen:{url}"))
    try:
        subprocess.run(
            [sys.executable, "-m", "edge_agent.media.pusher"],
            input=f"{url}\n".encode() + hevc.read_bytes(),
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=20,
        )
        collector.wait_for_frames(75)
    finally:
        collector.close()


@pytest.mark.parametrize(
    ("path", "answer"),
    [("live/wrong", b"wrong stream key"), ("other/key", b"wrong server address")],
)
def test_a_wrong_key_is_told_so_and_gets_nothing_in(clip: Path, path: str, answer: bytes) -> None:
    port = free_port()
    collector = Collector(open_source(f"listen:rtmp://127.0.0.1:{port}/live/key"))
    try:
        with pushing(clip, f"rtmp://127.0.0.1:{port}/{path}") as process:
            assert process.wait(10) != 0
            assert process.stderr is not None
            assert answer in process.stderr.read()
    finally:
        collector.close()
    assert not collector.frames()


def test_a_second_publisher_is_refused_while_the_first_stays(clip: Path) -> None:
    url = f"rtmp://127.0.0.1:{free_port()}/live/key"
    collector = Collector(open_source(f"listen:{url}"))
    try:
        with pushing(clip, url):
            collector.wait_for_frames(5)
            with pushing(clip, url) as second:
                assert second.wait(10) != 0
            seen = len(collector.frames())
            collector.wait_for_frames(seen + 10)
            assert not any(isinstance(item, Discontinuity) for item in list(collector.items))
    finally:
        collector.close()


def test_strangers_do_not_disturb_the_listener(clip: Path) -> None:
    port = free_port()
    collector = Collector(open_source(f"listen:rtmp://127.0.0.1:{port}/live/key"))
    try:
        for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x03" + bytes(3072) + b"\xff" * 64, b""):
            with socket.create_connection(("127.0.0.1", port)) as stranger:
                stranger.sendall(noise)
        with pushing(clip, f"rtmp://127.0.0.1:{port}/live/key"):
            collector.wait_for_frames(5)
    finally:
        collector.close()


def test_closing_a_listener_that_nobody_came_to_frees_its_port() -> None:
    url = f"listen:rtmp://127.0.0.1:{free_port()}/live/key"
    for _ in range(2):
        collector = Collector(open_source(url))
        began = time.monotonic()
        collector.close()
        assert time.monotonic() - began < 20
        assert collector.items == [End(0)]


def test_a_port_in_use_and_a_missing_key_are_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SourceError, match="in use"):
            open_source(f"listen:rtmp://127.0.0.1:{port}/live/key")
    with pytest.raises(SourceError, match="KEY"):
        open_source("listen:rtmp://127.0.0.1/live")


def test_after_ten_killed_servers_sound_and_picture_are_together(
    nginx: Nginx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At twice the speed: sinks go by the packets' time, not by the clock."""
    monkeypatch.setattr("edge_agent.media.sink.Backoff", lambda: Backoff(0.1, 0.2))
    long = write_clip(tmp_path / "long.mp4", seconds=60, size=(96, 64), fps=20)
    recording, folder = tmp_path / "own.mp4", tmp_path / "hls"
    urls = [
        f"rtmp://127.0.0.1:{nginx.port}/live/key",
        str(recording),
        f"{folder}/",
        f"rtmp://127.0.0.1:{free_port()}/live/nobody",
    ]
    broadcast = Broadcast(urls, open_source(str(long)).info, LIVE)
    kills = connected_since = sent = 0
    for index in feed(long, broadcast, speed=2):
        sent = index
        if nginx.dead:
            nginx.start()
        elif not broadcast.states[0].connected:
            connected_since = index
        elif index - connected_since > 30:
            if kills == 10:
                break
            kills += 1
            connected_since = index
            nginx.kill()
    server, _, _, nobody = broadcast.states
    broadcast.close()
    assert kills == 10
    assert server.reconnects >= 10
    assert not nobody.connected
    assert nobody.dropped > 50
    wait_until(lambda: len(list(nginx.records.iterdir())) >= 5)
    time.sleep(0.5)
    nginx.kill()
    offsets = np.concatenate([offset_ms(path) for path in nginx.records.iterdir()])
    assert len(offsets) >= 8
    assert np.abs(offsets).max() <= 40
    assert len(flash_times(str(recording))) == sent // 20
    assert np.abs(offset_ms(recording)).max() <= 20
    assert np.abs(offset_ms(folder / "index.m3u8")).max() <= 20


def test_a_pull_is_opened_again_when_the_server_comes_back(clip: Path, nginx: Nginx) -> None:
    url = f"rtmp://127.0.0.1:{nginx.port}/live/key"
    with pushing(clip, url):
        time.sleep(1)
        collector = Collector(open_source(url))
        collector.wait_for_frames(10)
        nginx.kill()
        wait_until(lambda: Discontinuity("lost", 160, 120) in collector.items)
    seen = len(collector.frames())
    nginx.start()
    with pushing(clip, url):
        collector.wait_for_frames(seen + 10)
        collector.close()
    stamps = [frame.time_ns for frame in collector.frames()]
    assert all(later > earlier for earlier, later in pairwise(stamps))
    assert Discontinuity("found", 160, 120) in collector.items


@pytest.mark.parametrize("trusted", [True, False])
def test_an_encrypted_server_must_show_a_trusted_certificate(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    port = free_port()
    collector = Collector(open_source(f"listen:rtmp://127.0.0.1:{port}/live/key"))
    try:
        with TlsDoor(tmp_path, port) as door:
            if trusted:
                monkeypatch.setenv("SSL_CERT_FILE", str(door.certificate))
            url = f"rtmps://localhost:{door.port}/live/key"
            broadcast = Broadcast([url], open_source(str(clip)).info, LIVE)
            for index in feed(clip, broadcast):
                if index > 75 or len(collector.frames()) > 10:
                    break
            assert broadcast.states[0].connected == trusted
            assert (len(collector.frames()) > 10) == trusted
            broadcast.close()
    finally:
        collector.close()


def test_srt_in_both_directions(clip: Path) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("the ffmpeg command is not installed")
    port = free_port()
    opened: list[Source] = []
    listening = threading.Thread(
        target=lambda: opened.append(open_source(f"srt://127.0.0.1:{port}?mode=listener"))
    )
    listening.start()
    broadcast = Broadcast([f"srt://127.0.0.1:{port}"], open_source(str(clip)).info, LIVE)
    for index in feed(clip, broadcast):
        if opened and index > 100:
            break
    listening.join(10)
    collector = Collector(opened[0])
    collector.wait_for_frames(10)
    collector.close()
    broadcast.close()
    assert collector.frames()[0].width == 160
    assert any(isinstance(item, AudioPacket) for item in collector.items)


def test_a_file_plays_at_its_own_speed_and_again(tmp_path: Path) -> None:
    short = write_clip(tmp_path / "short.mp4", seconds=1)
    collector = Collector(open_source(str(short), loop=True))
    began = time.monotonic()
    collector.wait_for_frames(60)
    took = time.monotonic() - began
    collector.close()
    assert took > 1.8
    stamps = [frame.time_ns for frame in collector.frames()]
    assert all(later > earlier for earlier, later in pairwise(stamps))
    assert Discontinuity("time", 160, 120) in collector.items


def test_a_server_that_takes_nothing_never_holds_up_the_caller(clip: Path) -> None:
    """It accepts the connection and then stays silent, as a dead server behind a router does."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        broadcast = Broadcast(
            [f"rtmp://127.0.0.1:{port}/live/key"], open_source(str(clip)).info, LIVE
        )
        slowest = 0.0
        for item in open_source(str(clip)):
            began = time.monotonic()
            if isinstance(item, AudioPacket):
                broadcast.audio(item)
            elif isinstance(item, Frame):
                broadcast.video(protect(item))
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 5
        assert not broadcast.states[0].connected
        assert broadcast.states[0].dropped + QUEUE_LENGTH > 100


def test_an_aborted_broadcast_ends_at_once_and_its_recording_plays(
    clip: Path, tmp_path: Path
) -> None:
    recording = tmp_path / "r.mkv"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        urls = [f"rtmp://127.0.0.1:{silent.getsockname()[1]}/live/key", str(recording)]
        broadcast = Broadcast(urls, open_source(str(clip)).info, LIVE)
        for _ in feed(clip, broadcast, speed=8):
            pass
        began = time.monotonic()
        broadcast.abort()
        assert time.monotonic() - began < 20
    assert len(flash_times(str(recording))) >= 5


def test_a_full_disk_ends_one_sink_and_no_other(clip: Path, tmp_path: Path) -> None:
    full, good = tmp_path / "full.mkv", tmp_path / "good.mkv"
    (tmp_path / "full.mkv.part").symlink_to("/dev/full")
    broadcast = Broadcast([str(full), str(good)], open_source(str(clip)).info, LIVE)
    for _ in feed(clip, broadcast, speed=20):
        pass
    broadcast.close()
    failed, fine = broadcast.states
    assert failed.failed is not None
    assert "space" in failed.failed
    assert fine.failed is None
    assert not full.exists()
    assert len(flash_times(str(good))) == 7


def test_a_recording_cut_off_by_a_crash_can_be_played(clip: Path, tmp_path: Path) -> None:
    broadcast = Broadcast([str(tmp_path / "r.mp4")], open_source(str(clip)).info, LIVE)
    for _ in feed(clip, broadcast, speed=8):
        pass
    part = tmp_path / "r.mp4.part"
    wait_until(lambda: part.stat().st_size > 10_000)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(part.read_bytes()[:-500])
    assert len(flash_times(str(cut))) >= 4
    broadcast.close()


def test_addresses_that_cannot_be_used_are_said_without_their_secrets(clip: Path) -> None:
    secret = "topsecret"
    with pytest.raises(SourceError, match="nothing answers") as caught:
        open_source(f"rtmp://me:{secret}@127.0.0.1:{free_port()}/live/{secret}?t={secret}")
    assert secret not in str(caught.value)
    with pytest.raises(SourceError, match="give a file") as caught:
        open_source(f"gopher://me:{secret}@host/{secret}")
    with pytest.raises(SinkError, match="use rtmp://") as refused:
        Broadcast([f"gopher://me:{secret}@host/x"], open_source(str(clip)).info, LIVE)
    assert secret not in str(refused.value)
