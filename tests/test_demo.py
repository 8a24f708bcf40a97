"""The demonstration: its own measure of leaks must see one, and it must end with nothing left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from fastapi import FastAPI

from cloud_control.ingest.hls import hls_router
from examples import number
from examples.clip import CARD, Truth
from examples.film import write_film
from examples.leaks import correlation, detail_of, leaks, lumas, secrets_of
from examples.report import Line, Result
from examples.show import STREAMS
from examples.spectator import Seen, Spectator
from tests.cloud_control.serving import serving
from tests.edge_agent.media_tools import write_clip

ROOT = Path(__file__).parents[1]
FPS, SIZE = 12, (640, 360)


def test_an_unprotected_copy_is_counted_and_a_flat_picture_is_not(tmp_path: Path) -> None:
    bare = write_clip(tmp_path / "bare.mp4", seconds=1, size=(320, 240), audio=None)
    corners = np.array([[0, 40], [200, 40], [200, 140], [0, 140]], np.float32)
    outside = np.array([[-90, 40], [-20, 40], [-20, 140], [-90, 140]], np.float32)
    film = [[Truth("id_card", corners), Truth("id_card", outside)]] * 25
    assert leaks(bare, bare, film) == (25, 25)
    picture = np.random.default_rng(1).integers(0, 255, (60, 90), np.uint8)
    flat = np.full_like(picture, 90)
    assert correlation(detail_of(picture), detail_of(picture)) > 0.99
    assert correlation(detail_of(picture), detail_of(flat)) < 0.01


def test_numbers_survive_encoding_and_no_veil_passes_for_one(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_film(clip, (CARD,), fps=FPS, size=SIZE, numbered=True)
    assert [number.read(luma) for luma in lumas(clip)] == list(range(4 * FPS))
    noise = np.random.default_rng(2).integers(0, 255, (9, 16), np.uint8)
    veil = noise.repeat(40, axis=0).repeat(40, axis=1)
    assert number.read(veil) is None
    assert number.read(np.full((360, 640), 128, np.uint8)) is None


@pytest.mark.parametrize("numbered", [True, False])
def test_the_spectator_sees_a_leak_in_what_is_served(tmp_path: Path, numbered: bool) -> None:
    """With unnumbered pictures it cannot know what they show, and compares with all that may be."""
    clip = tmp_path / "clip.mp4"
    film = write_film(clip, (CARD,), fps=FPS, size=SIZE, numbered=numbered)
    secrets = secrets_of(clip, film)
    _serve_as_hls(clip, tmp_path / "hls" / "bare")
    app = FastAPI()
    app.include_router(hls_router(tmp_path / "hls"))
    with serving(app) as url:
        address = f"{url}/hls/bare/index.m3u8"
        spectator = Spectator(address, secrets, FPS, tmp_path / "evidence")
        spectator.start()
        spectator.close()
    holders = sum(bool(objects) for objects in secrets)
    assert spectator.seen.pictures == len(film)
    assert spectator.seen.unread == (0 if numbered else len(film))
    assert spectator.seen.leaked >= holders > 10
    assert list((tmp_path / "evidence").iterdir())


def test_a_leak_an_unverified_frame_and_silence_are_failures() -> None:
    good = Line("a", seen=Seen(pictures=9, objects=9))
    good.add({"frames_protected": 7.0})
    good.add({"frames_protected": 3.0})  # a new worker
    assert good.counts["frames_protected"] == 10
    assert Result((0, 9), {"a": good}).bad == []
    assert Result((1, 9), {"a": good}).bad == ["1 object-frames leaked"]
    good.seen.leaked = 2
    assert Result((0, 9), {"a": good}).bad == ["2 object-frames leaked"]
    silent = Line("b")
    silent.add({"unverified_frames_sent": 1.0})
    assert len(Result(None, {"b": silent}, ["it broke"]).bad) == 3


@pytest.mark.timeout(300)
def test_the_demonstration_shows_streams_and_leaves_no_process(tmp_path: Path) -> None:
    mark = str(tmp_path / "private")
    Path(mark).mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "examples.demo", tmp_path / "out"],
        env=os.environ | {"DEMO_SECONDS": "6", "TMPDIR": mark, "COLUMNS": "200"},
        cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "watch   http://127.0.0.1:" in done.stdout
    assert "nothing leaked" in done.stdout
    assert all(one.title in done.stdout for one in STREAMS)
    assert (tmp_path / "out" / "look.png").exists()
    assert list(Path(mark).iterdir()) == []
    assert [p for p in psutil.process_iter() if mark in " ".join(_command(p))] == []


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _serve_as_hls(clip: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    options = {"hls_time": "1", "hls_list_size": "0", "hls_segment_filename": f"{folder}/0-%d.ts"}
    with (
        av.open(str(clip)) as source,
        av.open(str(folder / "index.m3u8"), "w", format="hls", options=options) as out,
    ):
        picture = source.streams.video[0]
        copy = out.add_stream_from_template(picture)
        for packet in source.demux(picture):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)
