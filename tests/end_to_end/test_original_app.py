"""The original app against a gateway: its calls in its order, its push, its player."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from examples.original_app import Gateway, pushing, watched
from tests.cloud_control.brokers import HOST, free_port
from tests.cloud_control.ingest.ingests import needs_ffmpeg, needs_nginx
from tests.end_to_end.phone import with_sound
from tests.faults.street import assert_plate_hidden, shows_scene, write_street
from tests.fleet.devices import LIGHT, Device
from tests.fleet.planes import Plane
from tests.fleet.processes import wait_for

pytestmark = [needs_ffmpeg, needs_nginx, pytest.mark.timeout(600)]

TITLE = "산책 & 골목"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[tuple[Gateway, Plane]]:
    """A control plane, its nginx and its one agent on one machine."""
    http = free_port()
    options = ["--original-app", "gate", "--original-app-port", str(http)]
    with Plane(tmp_path, "embedded", "nginx", *options) as plane:
        found = Gateway(HOST, http, plane.ingest_port)
        device = Device(tmp_path, "gate", tmp_path / "none.mp4")
        plane.ask("PUT", "/v1/protection", LIGHT)
        plane.enrol(device)
        device.agent.start()
        try:
            wait_for(lambda: plane.agent("gate")["online"], "the agent is there")
            yield found, plane
        finally:
            device.agent.stop()


def test_the_app_goes_live_is_found_watched_and_stops(
    gateway: tuple[Gateway, Plane], tmp_path: Path
) -> None:
    host, plane = gateway
    clip = with_sound(write_street(tmp_path / "street.mp4", 4.0), tmp_path / "phone.mp4")

    made = host.asks("POST", "/streaming", title=TITLE, category="4")
    assert made["result"] == "true", made
    streaming: dict[str, Any] = made["streaming"]
    number = streaming["streaming_id"]
    assert (number, streaming["streaming_title"], streaming["streaming_category"]) == (
        0,
        TITLE,
        "4",
    )
    with pushing(host, number, str(clip)) as phone:
        assert host.asks("GET", f"/mosaic/{number}") == {"result": "true"}
        assert host.asks("GET", "/streamings", category="4") == {"list": [streaming]}
        shown, sounds = watched(host, number, 60)
        assert host.asks("GET", f"/streaming/{number}") == {"result": "true"}
        assert raw_is_refused(host, number)
        off = host.asks("GET", f"/mosaic/off/{number}")
        assert (off["result"], off["mosaic"]) == ("true", False)
        wait_for(lambda: plane.agent("gate")["held_back"] > 0, "the wish waits for consent")
        later, _ = watched(host, number, 25)
        assert host.asks("GET", f"/mosaic/on/{number}") == {"result": "true", "mosaic": True}
        assert host.asks("GET", f"/release/{number}") == {"result": "true", "id": "0"}
        wait_for(lambda: phone.poll() is not None, "the phone is hung up on")
    assert host.asks("GET", f"/streaming/{number}") == {"result": "false"}
    assert host.asks("GET", "/streamings") == {"list": []}

    times = [frame.time for frame in shown]
    assert len(shown) == 60
    assert times == sorted(times)
    assert sounds > 0
    pictures = [frame.to_ndarray(format="gray") for frame in (*shown[::2], *later[::2])]
    assert_plate_hidden(pictures)
    assert any(shows_scene(luma) for luma in pictures)


def raw_is_refused(host: Gateway, number: int) -> bool:
    """Nobody can play what the phone pushes."""
    try:
        with av.open(host.push_address(number), timeout=5.0) as player:
            next(player.demux())
    except av.error.FFmpegError:
        return True
    return False
