"""Live in over real connections: pushes, pulls, strangers, lost servers."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from edge_agent.errors import SourceError
from edge_agent.media.audio import AudioPacket
from edge_agent.media.events import Discontinuity, End
from edge_agent.media.source import open_source
from tests.edge_agent.live_tools import Collector, pushing, wait_until
from tests.edge_agent.media_tools import (
    Nginx,
    free_port,
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
