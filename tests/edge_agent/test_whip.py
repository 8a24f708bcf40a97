"""A camera over WebRTC: who may publish, what becomes of it, and that sound stays with picture."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from edge_agent.errors import SourceError
from edge_agent.frame import Frame
from edge_agent.media.audio import AudioPacket
from edge_agent.media.broadcast import Broadcast
from edge_agent.media.encode import EncoderSettings
from edge_agent.media.events import Discontinuity, End
from edge_agent.media.source import Source, open_source
from edge_agent.media.whip.clock import SECOND, SharedClock
from edge_agent.media.whip.door import LARGEST_OFFER
from edge_agent.media.whip.terms import Terms
from tests.edge_agent.live_tools import Collector, offset_ms, wait_until
from tests.edge_agent.media_tools import TlsDoor, free_port, protect
from tests.edge_agent.phone import Phone, flashing, post

PAGE = "https://control.example:8443"


class Door:
    """A source that waits for a camera, and what comes in."""

    def __init__(self, **terms: Any) -> None:
        self.fingerprints: list[str] = []
        self.base = f"http://127.0.0.1:{free_port()}"
        self.url = f"{self.base}/whip/key"
        told = self.fingerprints.append
        self.source: Source = open_source(
            f"listen:{self.url}", camera=Terms(origins=(PAGE,), told=told, **terms)
        )
        self.came = Collector(self.source)

    def sizes(self) -> list[tuple[int, int]]:
        return [(frame.width, frame.height) for frame in self.came.frames()]

    def has(self, reason: str) -> bool:
        return any(
            isinstance(item, Discontinuity) and item.reason == reason
            for item in list(self.came.items)
        )


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.came.close()


@contextmanager
def phone(
    size: tuple[int, int] = (320, 180), *, sound: bool = True, codec: str = "VP8"
) -> Iterator[Phone]:
    made = Phone(flashing(size), sound=sound, codec=codec)
    yield made
    made.close()


def test_a_camera_comes_in_with_sound_in_step_and_may_return(door: Door, tmp_path: Path) -> None:
    with phone() as first:
        assert first.publish(door.url, Origin=PAGE).status_code == 201
        door.came.wait_for_frames(150, 60)
        assert first.leave().status_code == 200
        wait_until(lambda: door.has("lost"))
        assert first.leave().status_code == 200  # again, as when its browser hung up first
    with phone() as second:
        assert second.publish(door.url).status_code == 201
        wait_until(lambda: door.has("found"), 30)
        door.came.wait_for_frames(len(door.came.frames()) + 10, 30)
    items = list(door.came.items)
    stamps = [item.time_ns for item in items if isinstance(item, Frame)]
    assert all(later > earlier for earlier, later in pairwise(stamps))

    assert door.source.info.audio is not None
    assert door.source.info.audio.codec == "aac"
    recording = tmp_path / "came.mkv"
    broadcast = Broadcast([str(recording)], door.source.info, EncoderSettings(live=True))
    for item in items[: items.index(Discontinuity("lost", 320, 180))]:
        if isinstance(item, AudioPacket):
            broadcast.audio(item)
        elif isinstance(item, Frame):
            broadcast.video(protect(item))
    broadcast.close()
    offsets = offset_ms(recording)
    assert len(offsets) >= 4
    # This publisher's reports are late where its machine is busy; exact are the clock's own tests.
    assert abs(float(np.median(offsets))) < 400


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_the_picture_may_change_its_size_and_sound_be_missing(door: Door, codec: str) -> None:
    with phone(sound=False, codec=codec) as one:
        assert one.publish(door.url).status_code == 201
        door.came.wait_for_frames(5, 30)
        one.show(flashing((640, 360)))
        wait_until(lambda: (640, 360) in door.sizes(), 30)
    assert door.sizes()[0] == (320, 180)
    assert door.has("size")
    assert door.source.info.audio is None


def test_who_vanishes_without_a_word_is_lost_and_makes_room(door: Door) -> None:
    with phone() as first:
        first.publish(door.url)
        door.came.wait_for_frames(5, 30)
        with phone() as second:
            refused = second.publish(door.url)
            assert refused.status_code == 409
            assert "publishing already" in refused.text
        first.vanish()
        wait_until(lambda: door.has("lost"), 30)
        with phone() as third:
            assert third.publish(door.url).status_code == 201


def test_only_who_has_the_key_and_comes_from_the_right_page_gets_in(door: Door) -> None:
    with phone() as one:
        offer = one.offer()
        assert post(f"{door.base}/whip/wrong", offer).status_code == 401
        assert post(f"{door.base}/whip", offer).status_code == 401
        assert post(f"{door.base}/whip", offer, Authorization="Bearer wrong").status_code == 401
        foreign = post(door.url, offer, Origin="https://evil.example")
        assert foreign.status_code == 403
        assert "access-control-allow-origin" not in foreign.headers
        assert httpx.delete(f"{door.base}/whip/session/guessed").status_code == 404
        assert httpx.delete(f"{door.base}/whip/session/é").status_code == 404
        assert one.publish(f"{door.base}/whip", Authorization="Bearer key").status_code == 201
        door.came.wait_for_frames(5, 30)


def test_pages_of_the_control_plane_are_let_ask_and_others_not(door: Door) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Private-Network": "true",
    }
    ours = httpx.options(door.url, headers={"Origin": PAGE, **asked})
    assert ours.status_code == 200
    assert ours.headers["access-control-allow-origin"] == PAGE
    assert ours.headers["access-control-allow-private-network"] == "true"
    other = httpx.options(door.url, headers={"Origin": "https://evil.example", **asked})
    assert "access-control-allow-origin" not in other.headers


def test_garbage_is_refused_in_words_and_leaves_the_door_open(door: Door) -> None:
    with phone() as one:
        offer = one.offer()
        video_only = offer[: offer.index("m=audio")]
        for bad, status in (
            (b"", 400),
            (b"\xff\xfe", 400),
            (b"v=0\r\n" * 10, 400),
            (video_only.replace("m=video", "m=application"), 400),
            (offer.replace("a=sendonly", "a=recvonly"), 400),
            (offer.replace("a=fingerprint", "a=nothing"), 400),
            (b"x" * (LARGEST_OFFER + 1), 413),
        ):
            answer = post(door.url, bad)
            assert answer.status_code == status, bad[:80]
            assert "Traceback" not in answer.text
        assert post(door.url, offer, **{"Content-Type": "text/plain"}).status_code == 415
        assert httpx.get(door.url).status_code == 405
        assert httpx.get(door.base).text.startswith("A Veilcast agent")
        assert one.publish(door.url).status_code == 201
        door.came.wait_for_frames(5, 30)


def test_the_answer_shows_the_certificate_that_was_told(door: Door) -> None:
    with phone() as one:
        answer = one.publish(door.url).text
    (told,) = door.fingerprints
    shown = {
        line.split(" ")[1].replace(":", "").lower()
        for line in answer.splitlines()
        if line.startswith("a=fingerprint:sha-256 ")
    }
    assert shown == {told}


def test_the_answer_names_nobody_but_this_machine(door: Door) -> None:
    """No server is asked for an address, and no name of the browser's is looked up."""
    with phone() as one:
        hidden = "a=candidate:1 1 udp 1 0123.local 9 typ host"
        offer = one.offer().replace("a=ice-ufrag", f"{hidden}\r\na=ice-ufrag", 1)
        answer = post(door.url, offer)
    assert answer.status_code == 201
    candidates = [line for line in answer.text.splitlines() if line.startswith("a=candidate")]
    assert candidates
    assert all("typ host" in line for line in candidates)


def test_https_needs_a_certificate_and_takes_one(tmp_path: Path) -> None:
    address = f"listen:https://127.0.0.1:{free_port()}/whip/key"
    with pytest.raises(SourceError, match=r"camera\.certificate"):
        open_source(address)
    with pytest.raises(SourceError, match="cannot be used"):
        open_source(address, camera=Terms(certificate=tmp_path / "no", key=tmp_path / "no"))
    made = TlsDoor(tmp_path, 1)
    terms = Terms(certificate=made.certificate, key=tmp_path / "key.pem")
    came = Collector(open_source(address, camera=terms))
    try:
        url = (
            address.removeprefix("listen:")
            .replace("/whip/key", "/")
            .replace("127.0.0.1", "localhost")
        )
        assert (
            httpx.get(url, verify=ssl.create_default_context(cafile=made.certificate)).status_code
            == 200
        )
    finally:
        came.close()
        with made:
            pass
    assert came.items == [End(0)]


def test_a_port_in_use_and_a_missing_key_are_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SourceError, match="in use"):
            open_source(f"listen:http://127.0.0.1:{port}/whip/key")
    with pytest.raises(SourceError, match="with a name and a key"):
        open_source("listen:http://127.0.0.1:1/whip")


def test_sound_moves_to_where_it_was_recorded_once_the_sender_reported() -> None:
    clock = SharedClock()
    first_picture = clock.place("video", 0)
    first_sound = clock.place("audio", 0)
    assert 0 <= first_sound - first_picture < SECOND
    began = 100 << 32  # NTP
    clock.report("video", 90_000, began + (1 << 32))
    assert clock.place("audio", 960) == first_sound + SECOND // 50
    clock.report("audio", 48_000, began + (1 << 32) + (1 << 31))  # half a second later
    assert clock.place("video", 90_000) == first_picture + SECOND
    assert clock.place("audio", 48_000) == first_picture + 3 * SECOND // 2


def test_reports_are_read_across_the_wrap_of_their_stamps() -> None:
    clock = SharedClock()
    hours = (1 << 32) + 4800  # ticks that have counted past 32 bits
    clock.place("audio", hours)
    picture = clock.place("video", 0)
    began = 100 << 32
    clock.report("video", 0, began)
    clock.report("audio", 4800, began)
    assert abs(clock.place("audio", hours) - picture) < SECOND // 100
