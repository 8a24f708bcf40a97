"""Ingests to test against, encoders that publish to them, and a player."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import av
import httpx
import pytest
from fastapi import APIRouter, FastAPI

from cloud_control.ingest.embedded import EmbeddedIngest
from cloud_control.ingest.hls import hls_router
from cloud_control.ingest.nginx_config import MODULES
from cloud_control.ingest.nginx_rtmp import NginxIngest
from cloud_control.ingest.port import (
    Asked,
    Event,
    Granted,
    Ingest,
    Kind,
    Options,
    Refused,
)
from tests.cloud_control.serving import serving as serving_app

HOST = "127.0.0.1"
PATIENCE = 30.0  # seconds
FFMPEG = shutil.which("ffmpeg")

needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="the ffmpeg command is not installed")
needs_nginx = pytest.mark.skipif(
    not any(path.exists() for path in MODULES),
    reason="nginx with its RTMP module is not installed",
)
KINDS = ["embedded", pytest.param("nginx", marks=needs_nginx)]


def key_of(stream: str) -> str:
    return f"k3y-{stream}-5ecret"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.02)


@dataclass
class Place:
    """An ingest that runs, what it told, and the address at which it is played."""

    options: Options
    web: str
    ingest: Ingest = field(init=False)
    http: httpx.Client = field(default_factory=httpx.Client)
    events: list[Event] = field(default_factory=list)
    expired: set[str] = field(default_factory=set)

    def may_publish(self, asked: Asked) -> Granted | Refused:
        """The key tells the stream, as it does in the control plane."""
        stream = asked.key.removeprefix("k3y-").removesuffix("-5ecret")
        if asked.app != "live" or asked.key != key_of(stream):
            return Refused("wrong stream key")
        if stream in self.expired:
            return Refused("the stream key has expired")
        return Granted(stream)

    def kinds(self, stream: str) -> list[Kind]:
        return [event.kind for event in list(self.events) if event.stream == stream]

    def await_event(self, stream: str, kind: Kind, count: int = 1) -> None:
        wait_until(
            lambda: self.kinds(stream).count(kind) >= count, f"{kind}, have {self.kinds(stream)}"
        )

    def url(self, stream_key: str, app: str = "live") -> str:
        return f"rtmp://{HOST}:{self.options.port}/{app}/{stream_key}"

    def player_url(self, stream: str) -> str:
        return self.web + self.ingest.playback(stream)


@contextmanager
def serving(router: APIRouter) -> Iterator[str]:
    """The address of a web server with these routes."""
    app = FastAPI()
    app.include_router(router)
    with serving_app(app) as address:
        yield address


@contextmanager
def running(kind: str, folder: Path, *, record: bool = False) -> Iterator[Place]:
    """linger_s is long, so that no slow machine ends a stream whose publisher returns."""
    options = Options(
        folder, host=HOST, port=free_port(), segment_s=0.5, linger_s=300.0, record=record
    )
    make = {"embedded": EmbeddedIngest, "nginx": NginxIngest}[kind]
    with serving(hls_router(options.hls)) as web:
        place = Place(options, web)
        place.ingest = make(options, place.may_publish, place.events.append)
        place.ingest.start()
        try:
            yield place
        finally:
            place.ingest.close()
            place.http.close()


SOURCE = (
    *("-re", "-f", "lavfi", "-i", "testsrc2=s=160x120:r=10"),
    *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"),
    *("-c:v", "libx264", "-preset", "ultrafast", "-g", "5", "-pix_fmt", "yuv420p"),
    *("-c:a", "aac", "-b:a", "64k", "-f", "flv"),
)


class Encoder:
    """FFmpeg publishing moving pictures and a tone, with a keyframe every half second."""

    def __init__(self, url: str) -> None:
        assert FFMPEG is not None
        self._process = subprocess.Popen(
            [FFMPEG, "-hide_banner", "-nostdin", "-loglevel", "error", *SOURCE, url],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )

    def freeze(self) -> None:
        """It stays connected and sends nothing more."""
        self._process.send_signal(signal.SIGSTOP)

    def finish(self) -> None:
        """Say goodbye and go."""
        self._process.send_signal(signal.SIGINT)
        self.complaint()

    def vanish(self) -> None:
        """As if its battery were empty. More than once."""
        self._process.kill()
        self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def complaint(self) -> str:
        """Wait for its end; what it told its user."""
        return self._process.communicate(timeout=PATIENCE)[1].decode()


@contextmanager
def publishing(place: Place, stream: str, stream_key: str | None = None) -> Iterator[Encoder]:
    """An encoder that is let in."""
    before = place.kinds(stream).count(Kind.PUBLISH)
    encoder = Encoder(place.url(stream_key or key_of(stream)))
    try:
        place.await_event(stream, Kind.PUBLISH, before + 1)
        yield encoder
    finally:
        encoder.vanish()


def played(url: str, pictures: int) -> tuple[list[float], int]:
    """Seconds at which pictures are shown, and how many pieces of sound came with them."""
    shown: list[float] = []
    sounds = 0
    with av.open(url, timeout=PATIENCE, options={"analyzeduration": "1000000"}) as player:
        for frame in player.decode(video=0, audio=0):
            if isinstance(frame, av.VideoFrame):
                assert frame.time is not None
                shown.append(frame.time)
                if len(shown) >= pictures:
                    break
            else:
                sounds += 1
    return shown, sounds
