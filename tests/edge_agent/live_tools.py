"""What tests of live media share: an encoder, a reader in a thread of its own, a paced feed."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_agent.frame import Frame
from edge_agent.media.audio import AudioPacket
from edge_agent.media.broadcast import Broadcast
from edge_agent.media.demux import Item
from edge_agent.media.encode import EncoderSettings
from edge_agent.media.events import Discontinuity, End
from edge_agent.media.source import Source, open_source
from tests.edge_agent.media_tools import (
    click_times,
    flash_times,
    frames_of,
    protect,
    sound_span,
)

LIVE = EncoderSettings(live=True)


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
