"""What only the embedded ingest can do, and what becomes of it when its parts fail."""

from __future__ import annotations

import io
import os
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest

from cloud_control.errors import IngestError
from cloud_control.ingest import playlist
from cloud_control.ingest.embedded import EmbeddedIngest
from cloud_control.ingest.port import Granted, Kind, Options
from cloud_control.pki import Authority
from rtmp import publisher
from tests.cloud_control.ingest.ingests import (
    HOST,
    Encoder,
    Place,
    free_port,
    key_of,
    needs_ffmpeg,
    publishing,
    running,
    wait_until,
)


@needs_ffmpeg
def test_a_remuxer_that_crashes_costs_one_connection(tmp_path: Path) -> None:
    with running("embedded", tmp_path) as place, publishing(place, "other"):
        with publishing(place, "crashes") as encoder:
            place.await_event("crashes", Kind.PLAYABLE)
            os.kill(remuxer_of(place, "crashes"), signal.SIGKILL)
            place.await_event("crashes", Kind.PUBLISH_DONE)
            assert encoder.complaint()
        with publishing(place, "crashes"):
            place.await_event("crashes", Kind.PLAYABLE, 2)
        assert place.kinds("other") == [Kind.PUBLISH, Kind.PLAYABLE]


def remuxer_of(place: Place, stream: str) -> int:
    """The process id; children that have just ended have no command line any more."""
    folder = str(place.options.hls / stream)
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if folder in child.cmdline():
                return child.pid
    raise AssertionError(f"no process remuxes {stream}")


@needs_ffmpeg
def test_a_key_can_come_by_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    authority.create()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.identify_server([HOST]))
    events: list[Kind] = []
    options = Options(tmp_path, host=HOST, port=free_port())
    ingest = EmbeddedIngest(
        options, lambda _: Granted("a"), lambda event: events.append(event.kind), tls=context
    )
    ingest.start()
    encoder = Encoder(f"rtmps://{HOST}:{options.port}/live/{key_of('a')}")
    try:
        wait_until(lambda: Kind.PLAYABLE in events, "video over TLS")
    finally:
        encoder.vanish()
        ingest.close()


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        options = Options(tmp_path, host=HOST, port=taken.getsockname()[1])
        ingest = EmbeddedIngest(options, lambda _: Granted("a"), lambda _: None)
        with pytest.raises(IngestError, match="choose another"):
            ingest.start()
        ingest.close()


def test_strangers_are_no_trouble(tmp_path: Path) -> None:
    with running("embedded", tmp_path) as place:
        for greeting in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x03" + bytes(3072) + b"\xff" * 500):
            with socket.create_connection((HOST, place.options.port)) as caller:
                caller.sendall(greeting)
                caller.shutdown(socket.SHUT_WR)
                while caller.recv(4096):
                    pass
        assert place.ingest.publishing() == set()


def test_who_only_drips_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "GREETING_S", 0.3)
    with (
        running("embedded", tmp_path) as place,
        socket.create_connection((HOST, place.options.port)) as caller,
    ):
        caller.settimeout(0.05)
        caller.sendall(b"\x03")

        def gone() -> bool:
            try:
                caller.sendall(b"x")
                return caller.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        wait_until(gone, "the end of its patience")


def flv(times_ms: list[int], codec: str = "libx264") -> bytes:
    """A picture at each time, with a keyframe at the first and every 50 pictures."""
    file = io.BytesIO()
    with av.open(file, "w", format="flv") as out:
        video: Any = out.add_stream(codec, 10, options={"g": "50", "bf": "0", "sc_threshold": "0"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for index, at in enumerate(times_ms):
            picture = np.full((48, 64, 3), index % 200, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return file.getvalue()


def remuxed(data: bytes, folder: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "cloud_control.ingest.remux", str(folder), "1"]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "cannot be read"),
        (b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00" + bytes(range(256)) * 40, "cannot be read"),
        (flv(list(range(0, 2000, 100)), "flv1"), "no H.264"),
        (flv([*range(0, 2000, 100), *range(60_000, 62_000, 100)]), "leap"),
        (flv(list(range(0, 50_000, 1000))), "keyframes"),
    ],
    ids=["nothing", "noise", "old-codec", "leap", "few-keyframes"],
)
def test_what_cannot_become_hls_is_said_in_a_line(
    tmp_path: Path, data: bytes, complaint: str
) -> None:
    status, told = remuxed(data, tmp_path)
    assert status == 1
    assert complaint in told
    assert len(told.splitlines()) == 1


def test_lengths_are_those_of_the_pictures_whatever_rate_was_announced(tmp_path: Path) -> None:
    assert remuxed(flv(list(range(0, 9000, 500))), tmp_path) == (0, "")
    found = playlist.read(tmp_path / playlist.NAME)
    assert found is not None
    assert [segment.seconds for segment in found.segments] == [pytest.approx(9, abs=0.5)]


def test_a_long_stream_keeps_a_short_list(tmp_path: Path) -> None:
    """Four keyframes a list of six: two runs, so that the window holds both."""
    for _ in range(2):
        assert remuxed(flv(list(range(0, 20_000, 100))), tmp_path) == (0, "")
    found = playlist.read(tmp_path / playlist.NAME)
    assert found is not None
    assert [segment.breaks for segment in found.segments] == [False, False, True, *[False] * 3]
    assert (found.first, found.breaks_before, found.target) == (2, 0, 5)
    assert all(segment.seconds == pytest.approx(5, abs=0.2) for segment in found.segments)
    assert all((tmp_path / segment.name).stat().st_size for segment in found.segments)
