"""Live out over real connections: lost servers, sinks that stall, full disks."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_agent.errors import SinkError, SourceError
from edge_agent.frame import Frame
from edge_agent.media.audio import AudioPacket
from edge_agent.media.backoff import Backoff
from edge_agent.media.broadcast import Broadcast
from edge_agent.media.sink import QUEUE_LENGTH
from edge_agent.media.source import Source, open_source
from tests.edge_agent.live_tools import LIVE, Collector, feed, offset_ms, wait_until
from tests.edge_agent.media_tools import (
    Nginx,
    TlsDoor,
    flash_times,
    free_port,
    protect,
    write_clip,
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds with a flash and a click at every full second."""
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=8)


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    server = Nginx(tmp_path)
    yield server
    server.kill()


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
