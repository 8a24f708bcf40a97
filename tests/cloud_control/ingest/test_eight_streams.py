"""Eight publishers with keys at one nginx: who is kept out, what viewers see, what the directory
says. How soon it says so is measured in benchmarks/directory_delay.py."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import av
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cloud_control.adapters.certifier import LocalCertifier
from cloud_control.adapters.memory.store import MemoryStore
from cloud_control.domain.listing import Listing
from cloud_control.errors import NotFoundError
from cloud_control.ingest.hls import hls_router
from cloud_control.ingest.nginx_rtmp import NginxIngest
from cloud_control.ingest.port import Options
from cloud_control.pki import Authority
from cloud_control.plane import assemble
from cloud_control.platform import Platform
from cloud_control.service.streams import StreamRequest
from fleet_contract.endpoint import Endpoint
from tests.cloud_control.brokers import make_request
from tests.cloud_control.command_plane import FLEET, AgentsBus
from tests.cloud_control.ingest.ingests import (
    FFMPEG,
    HOST,
    free_port,
    needs_ffmpeg,
    needs_nginx,
    serving,
    wait_until,
)

pytestmark = [needs_ffmpeg, needs_nginx, pytest.mark.timeout(300)]

NAMES = [f"cam-{number}" for number in range(8)]
CLIP = (
    *("-f", "lavfi", "-i", "testsrc2=s=160x120:r=10", "-f", "lavfi", "-i", "sine=440"),
    *("-t", "4", "-c:v", "libx264", "-preset", "ultrafast", "-g", "5", "-pix_fmt", "yuv420p"),
    *("-bf", "0", "-c:a", "aac", "-b:a", "64k", "-f", "flv"),
)


class Publisher:
    """A clip over and over, as it is coded: light enough for eight at a time."""

    def __init__(self, clip: Path, url: str) -> None:
        assert FFMPEG is not None
        source = ["-re", "-stream_loop", "-1", "-i", str(clip), "-c", "copy", "-f", "flv", url]
        command = [FFMPEG, "-nostdin", "-v", "error", *source]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def vanish(self) -> None:
        """As if its battery were empty. More than once."""
        self.process.kill()
        self.process.wait()


class Player:
    """Plays a playlist in one piece, and counts its pictures."""

    def __init__(self, url: str) -> None:
        self.pictures = 0
        self.error: Exception | None = None
        self._url, self._closing = url, threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join(30)

    def _play(self) -> None:
        try:
            with av.open(self._url, timeout=60.0, options={"live_start_index": "-1"}) as player:
                for _ in player.decode(video=0):
                    self.pictures += 1
                    if self._closing.is_set():
                        return
        except av.error.FFmpegError as error:
            self.error = error


class Station:
    """A control plane with one agent's eight streams, and an nginx that asks it."""

    def __init__(self, folder: Path) -> None:
        self.ahead_ms = 0
        authority = Authority(folder / "ca")
        authority.create()
        self.options = Options(folder / "ingest", HOST, free_port(), segment_s=0.5)
        bus = AgentsBus()
        self.plane = assemble(
            FLEET, MemoryStore(), bus, LocalCertifier(authority, lambda: None, lambda _: None),
            lambda: time.time_ns() // 1_000_000 + self.ahead_ms, "rtmp://ingest/live",
        )  # fmt: skip
        bus.subscribe(self.plane.live.take)
        for agent in ("gate", "lost"):
            _, token = self.plane.enrolment.claim("test", FLEET, agent, {})
            key = ec.generate_private_key(ec.SECP256R1())
            self.plane.enrolment.enrol(token, make_request(key), None)
            bus.join(agent)
        self.platform = Platform(self.plane, self.options.hls, partial(NginxIngest, self.options))
        self.clip = folder / "clip.flv"
        assert FFMPEG is not None
        subprocess.run([FFMPEG, "-v", "error", *CLIP, self.clip], check=True)
        self.publishers: dict[str, Publisher] = {}

    def add(self, name: str, agent: str = "gate", lease_seconds: int | None = None) -> str:
        """A stream; its key."""
        source = Endpoint(url="rtsp://cam.example/1")
        wanted = StreamRequest(agent=agent, id=name, source=source, lease_seconds=lease_seconds)
        return self.plane.streams.add("test", FLEET, wanted).publish_key

    def publisher(self, stream_key: str) -> Publisher:
        return Publisher(self.clip, f"rtmp://{HOST}:{self.options.port}/live/{stream_key}")

    def publish(self, name: str, stream_key: str) -> None:
        self.publishers[name] = self.publisher(stream_key)

    def goes_live(self, name: str, stream_key: str) -> None:
        """It tries again until its former connection is known to be gone."""

        def there() -> bool:
            if self.publishers[name].process.poll() is not None:
                self.publish(name, stream_key)
            return name in self.live()

        wait_until(there, f"{name} is live")

    def is_refused(self, stream_key: str) -> bool:
        publisher = self.publisher(stream_key)
        try:
            return publisher.process.wait(60) != 0
        finally:
            publisher.vanish()

    def listing(self, name: str) -> Listing | None:
        try:
            return self.platform.directory.get(name)
        except NotFoundError:
            return None

    def live(self) -> set[str]:
        return {one.id for one in self.platform.directory.page("", 100)}

    def become(self, live: set[str]) -> None:
        wait_until(lambda: self.live() == live, f"{sorted(live)} live, have {sorted(self.live())}")


@contextmanager
def watching(url: str) -> Iterator[Player]:
    player = Player(url)
    try:
        yield player
    finally:
        player.close()


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    found = Station(tmp_path_factory.mktemp("station"))
    found.platform.start()
    try:
        yield found
    finally:
        for publisher in found.publishers.values():
            publisher.vanish()
        found.platform.close()


@pytest.fixture(scope="module")
def keys(station: Station) -> dict[str, str]:
    """Of the eight, which publish all at once."""
    found = {name: station.add(name) for name in NAMES}
    for name, key in found.items():
        station.publish(name, key)
    station.become(set(NAMES))
    return found


def test_wrong_and_stolen_keys_are_refused_and_push_nobody_out(
    station: Station, keys: dict[str, str]
) -> None:
    refused = ["wrong", "cam-0", f"cam-0?key={keys['cam-1']}", keys["cam-0"]]
    assert [station.is_refused(stream_key) for stream_key in refused] == [True] * len(refused)
    assert station.live() == set(NAMES)
    assert all(one.process.poll() is None for one in station.publishers.values())


def test_keys_that_were_replaced_or_have_expired_are_void_at_once(station: Station) -> None:
    """Each publishes when its key goes, is hung up on, and does not come back by it."""
    voids: dict[str, Callable[[], object]] = {
        "rotated": lambda: station.plane.streams.rotate_key("test", FLEET, "rotated"),
        "removed": lambda: station.plane.streams.remove("test", FLEET, "removed"),
        "revoked": lambda: station.plane.enrolment.revoke("test", FLEET, "lost"),
    }
    keys = {name: station.add(name, "lost" if name == "revoked" else "gate") for name in voids}
    for name, key in keys.items():
        station.publish(name, key)
    wait_until(lambda: station.live() >= set(voids), "three more")
    for name, void in voids.items():
        void()
        wait_until(lambda name=name: station.publishers[name].process.poll() is not None, name)
        wait_until(lambda name=name: name not in station.live(), f"{name} is not listed")
        assert station.is_refused(keys[name])
    station.goes_live("rotated", station.plane.streams.get(FLEET, "rotated").publish_key)
    station.publishers["rotated"].vanish()


def test_a_lease_that_ran_out_takes_its_key_along(station: Station) -> None:
    key = station.add("leased", lease_seconds=5)
    station.ahead_ms = 6000
    assert station.plane.streams.expire() == [f"{FLEET}/leased"]
    assert station.is_refused(key)


def test_a_returning_publisher_keeps_its_viewers(station: Station, keys: dict[str, str]) -> None:
    name = NAMES[1]
    with (
        serving(hls_router(station.options.hls)) as web,
        watching(f"{web}/hls/{name}/index.m3u8") as player,
    ):
        wait_until(lambda: player.pictures > 10, "it plays")
        station.publishers[name].vanish()
        station.become(set(NAMES) - {name})
        found = station.listing(name)
        assert found is not None
        assert found.may_return  # players wait
        cached = player.pictures + 10 * 5  # what may still come from before the break
        station.goes_live(name, keys[name])
        wait_until(lambda: player.pictures > cached, "it plays on")
        assert player.error is None


@pytest.mark.parametrize(
    ("name", "how"),
    [(NAMES[2], signal.SIGINT), (NAMES[3], signal.SIGKILL), (NAMES[4], signal.SIGSTOP)],
    ids=["stop", "crash", "stall"],
)
def test_the_directory_follows_whatever_happens(
    station: Station, keys: dict[str, str], name: str, how: signal.Signals
) -> None:
    station.publishers[name].process.send_signal(how)
    station.become(set(NAMES) - {name})
    found = station.listing(name)
    assert found is not None
    assert found.may_return
    station.publishers[name].vanish()
    station.goes_live(name, keys[name])
    station.become(set(NAMES))
