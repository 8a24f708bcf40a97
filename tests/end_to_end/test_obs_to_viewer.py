"""The whole way: a push as OBS makes it, the agent, a real RTMP server, a player."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.edge_agent.media_tools import Nginx, free_port, wait_for_port
from tests.faults.command import finish, start
from tests.faults.street import assert_plate_hidden, shows_scene, write_street

SECONDS = 60.0
CUTS_AT = (20.0, 40.0)
BACK_WITHIN = 12.0  # the sink's backoff, a keyframe and the player's own patience


class Player:
    """Reads a stream again and again, as a viewer's player does, and keeps every tenth picture."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._closed = threading.Event()
        self.pictures: list[NDArray[np.uint8]] = []
        self.seen_at: list[float] = []
        self.sound = 0
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join(15)

    def _work(self) -> None:
        while not self._closed.is_set():
            try:
                with av.open(self._url, timeout=5.0, options={"rtmp_live": "live"}) as stream:
                    self._watch(stream)
            except av.error.FFmpegError:
                self._closed.wait(0.3)

    def _watch(self, stream: Any) -> None:
        for packet in stream.demux():
            if self._closed.is_set():
                return
            if packet.stream.type == "audio":
                self.sound += 1
                continue
            for frame in packet.decode():
                if len(self.seen_at) % 10 == 0:
                    self.pictures.append(frame.to_ndarray(format="gray"))
                self.seen_at.append(time.monotonic())


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    server = Nginx(tmp_path)
    yield server
    server.kill()


@pytest.mark.timeout(240)
def test_a_pushed_stream_reaches_its_viewer_protected_through_two_reconnects(
    nginx: Nginx, tmp_path: Path
) -> None:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("the ffmpeg command is not installed")
    clip = write_street(tmp_path / "street.mp4", 8)
    door = free_port()
    viewed = f"rtmp://127.0.0.1:{nginx.port}/live/show"
    agent = start(
        "run", "-i", f"listen:rtmp://127.0.0.1:{door}/live/mykey", "-o", viewed, "--port", "0",
        "--json", "--preset", "ultrafast",
    )  # fmt: skip
    wait_for_port(door, 30)
    pusher = subprocess.Popen(
        [
            *(ffmpeg, "-v", "error", "-re", "-stream_loop", "-1", "-i", str(clip)),
            *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100", "-map", "0:v"),
            *("-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-f", "flv"),
            f"rtmp://127.0.0.1:{door}/live/mykey",
        ],
        stdin=subprocess.DEVNULL,
    )
    player = Player(viewed)
    began = time.monotonic()
    try:
        for at in CUTS_AT:
            time.sleep(max(0.0, began + at - time.monotonic()))
            nginx.kill()
            time.sleep(1.0)
            nginx.start()
        time.sleep(max(0.0, began + SECONDS - time.monotonic()))
    finally:
        agent.send_signal(signal.SIGINT)
        done = finish(agent)
        pusher.kill()
        pusher.wait()
        player.close()
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    # A busy machine veils some: what is asked here is that the picture gets through at all.
    assert summary["protected"] > summary["veiled"]
    assert_plate_hidden(player.pictures)
    assert sum(shows_scene(luma) for luma in player.pictures) > len(player.pictures) // 3
    assert player.sound > 500
    for at in (0.0, *CUTS_AT):
        first = next(seen for seen in player.seen_at if seen > began + at + 1.0)
        assert first < began + at + 1.0 + BACK_WITHIN
