"""Small pictures of live streams: made of what is served, in a process that may fail."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from cloud_control.ingest import playlist, stills
from cloud_control.ingest.playlist import Playlist, Segment
from cloud_control.ingest.stills import EVERY_S, Stills


def write_segment(folder: Path, name: str, shade: int, size: tuple[int, int] = (640, 360)) -> None:
    """A segment of a few pictures of one shade, and the playlist that lists it alone."""
    folder.mkdir(parents=True, exist_ok=True)
    with av.open(str(folder / name), "w", format="mpegts") as out:
        video: Any = out.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        for _ in range(3):
            picture = np.full((size[1], size[0], 3), shade, np.uint8)
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode())
    playlist.write(folder / playlist.NAME, Playlist([Segment(name, 0.3)]))


class Gallery:
    """Stills of streams whose states are set here, at times of our choosing."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, 0.0
        self.live: dict[str, str | None] = {"walk": "PROTECTED"}
        self.stills = Stills(folder, lambda: self.live)

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.stills.tick(self.now)

    def shade(self) -> int | None:
        """Of the picture that is there."""
        found = self.stills.of("walk")
        if found is None:
            return None
        with av.open(io.BytesIO(found.jpeg), "r") as picture:
            return round(float(next(picture.decode(video=0)).to_ndarray(format="gray").mean()))


@pytest.fixture
def gallery(tmp_path: Path) -> Any:
    made = Gallery(tmp_path)
    yield made
    made.stills.close()


def test_a_small_picture_follows_the_stream_and_goes_with_it(gallery: Gallery) -> None:
    gallery.after(0)
    assert gallery.shade() is None  # no segment yet
    write_segment(gallery.folder / "walk", "0.ts", 80)
    gallery.after(EVERY_S)
    assert gallery.shade() == pytest.approx(80, abs=4)
    found = gallery.stills.of("walk")
    assert found is not None
    with av.open(io.BytesIO(found.jpeg), "r") as picture:
        assert (picture.streams.video[0].width, picture.streams.video[0].height) == (320, 180)
    write_segment(gallery.folder / "walk", "1.ts", 160)
    gallery.after(EVERY_S / 2)
    assert gallery.stills.of("walk") is found
    gallery.after(EVERY_S)
    assert gallery.shade() == pytest.approx(160, abs=4)
    newer = gallery.stills.of("walk")
    assert newer is not None
    assert newer.version != found.version
    gallery.live.clear()
    gallery.after(1)
    assert gallery.shade() is None


def test_what_a_state_hides_does_not_stay_in_the_directory(gallery: Gallery) -> None:
    write_segment(gallery.folder / "walk", "0.ts", 80)
    gallery.after(0)
    gallery.live["walk"] = "HELD"
    gallery.after(1)
    assert gallery.shade() is None
    write_segment(gallery.folder / "walk", "1.ts", 160)
    gallery.live["walk"] = "DEGRADED"
    gallery.after(1)
    assert gallery.shade() == pytest.approx(160, abs=4)
    write_segment(gallery.folder / "walk", "2.ts", 120)
    gallery.live["walk"] = "PROTECTED"
    gallery.after(1)
    assert gallery.shade() == pytest.approx(120, abs=4)


def test_damage_costs_one_picture(gallery: Gallery) -> None:
    write_segment(gallery.folder / "walk", "0.ts", 80)
    gallery.after(0)
    (gallery.folder / "walk" / "0.ts").write_bytes(os.urandom(5000))
    gallery.after(EVERY_S)
    assert gallery.shade() is None
    (gallery.folder / "walk" / playlist.NAME).write_bytes(b"#EXTINF:what\n\xff")
    gallery.after(EVERY_S)
    write_segment(gallery.folder / "walk", "1.ts", 160)
    gallery.after(EVERY_S)
    assert gallery.shade() == pytest.approx(160, abs=4)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_that_dies_or_hangs_costs_one_picture(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(stills, "PATIENCE_S", 1.0 if number == signal.SIGSTOP else 60.0)
    write_segment(gallery.folder / "walk", "0.ts", 80)
    fatal = f"import os, sys; sys.stdin.readline(); os.kill(os.getpid(), {number})"
    monkeypatch.setattr(stills, "COMMAND", (sys.executable, "-c", fatal))
    gallery.after(0)
    assert gallery.shade() is None
    monkeypatch.undo()
    monkeypatch.setattr(stills, "PATIENCE_S", 60.0)
    gallery.after(EVERY_S)
    assert gallery.shade() == pytest.approx(80, abs=4)


def test_the_process_gets_no_secret_from_our_environment(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VEILCAST_TOKEN", "s3cret")
    started: list[dict[str, str]] = []
    real = subprocess.Popen

    def popen(*asked: Any, **how: Any) -> Any:
        started.append(how["env"])
        return real(*asked, **how)

    monkeypatch.setattr(subprocess, "Popen", popen)
    write_segment(gallery.folder / "walk", "0.ts", 80)
    gallery.after(0)
    assert started
    assert "s3cret" not in repr(started)
