from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import cv2
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge_agent.errors import SettingsError
from edge_agent.local_api import BOUNDARY, LocalApi
from tests.edge_agent.shown import shown
from tests.edge_agent.stand_in_stream import live_state


class Served:
    """A running server, and requests to it with whatever headers a test wants."""

    def __init__(self) -> None:
        self.state = live_state()
        self.stream = self.state.stream
        self.api = LocalApi(self.state, port=0)
        self.port = int(self.api.url.rstrip("/").rpartition(":")[2])

    def ask(
        self, method: str, path: str, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, answer.headers, body

    @contextmanager
    def following(self, path: str) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        with closing(connection), connection.getresponse() as answer:
            yield answer


@pytest.fixture
def served() -> Iterator[Served]:
    server = Served()
    yield server
    server.api.close()


def test_health_state_and_metrics_are_served(served: Served) -> None:
    served.state.feed.see(shown(served.stream.gate, 0, (10, 10, 60, 40)), rescued=False)
    assert json.loads(served.ask("GET", "/healthz")[2]) == {"status": "ok"}
    state = json.loads(served.ask("GET", "/state")[2])
    assert (state["state"], state["panic"]) == ("PROTECTED", False)
    assert (state["width"], state["height"], len(state["boxes"])) == (320, 180, 1)
    assert state["sinks"][0]["connected"] is True
    assert state["unverified_frames_sent"] == 0
    status, headers, body = served.ask("GET", "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    names = {family.name for family in text_string_to_metric_families(body.decode())}
    assert "veilcast_unverified_frames_sent" in names


def test_panic_and_release_reach_the_gate_and_wake_the_stream(served: Served) -> None:
    status, _, body = served.ask("POST", "/panic")
    assert (status, json.loads(body)["state"]) == (200, "HELD")
    assert served.stream.gate.panicking
    assert served.stream.woken == 1
    assert served.ask("POST", "/release")[0] == 200
    assert not served.stream.gate.panicking


def test_veil_and_unveil_reach_the_gate(served: Served) -> None:
    status, _, body = served.ask("POST", "/veil")
    assert (status, json.loads(body)["veiled"]) == (200, True)
    assert served.stream.gate.veiled
    assert json.loads(served.ask("POST", "/unveil")[2])["veiled"] is False
    assert not served.stream.gate.veiled


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:9000"])
def test_the_names_of_this_machine_are_served(served: Served, host: str) -> None:
    assert served.ask("GET", "/state", Host=host.format(port=served.port))[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example",
        "192.168.0.7",
        "",
        "[::1",
        "0",
    ],
)
def test_a_rebound_name_is_refused_everywhere(served: Served, host: str) -> None:
    named = host.format(port=served.port)
    for method, path in (("GET", "/state"), ("GET", "/video.mjpeg"), ("POST", "/release")):
        assert served.ask(method, path, Host=named)[0] == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://localhost:{port}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_a_page_from_elsewhere_can_neither_release_nor_panic(
    served: Served, headers: dict[str, str]
) -> None:
    named = {name: value.format(port=served.port) for name, value in headers.items()}
    assert served.ask("POST", "/panic", **named)[0] == 403
    assert not served.stream.gate.panicking
    served.stream.gate.panic()
    assert served.ask("POST", "/release", **named)[0] == 403
    assert served.stream.gate.panicking


def test_the_agents_own_page_may(served: Served) -> None:
    origin = f"http://127.0.0.1:{served.port}"
    assert served.ask("POST", "/panic", Origin=origin, Sec_Fetch_Site="same-origin")[0] == 200
    assert served.stream.gate.panicking


@pytest.mark.parametrize("path", ["/panic", "/release", "/veil", "/unveil"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_only_a_post_changes_anything(served: Served, method: str, path: str) -> None:
    served.stream.gate.panic()
    served.stream.gate.veil(True)
    assert served.ask(method, path)[0] == 405
    assert served.stream.gate.panicking
    assert served.stream.gate.veiled


def test_what_is_read_cannot_be_written(served: Served) -> None:
    assert served.ask("POST", "/state")[0] == 405
    assert served.ask("GET", "/nothing")[0] == 404
    assert served.ask("GET", "/../local_api.py")[0] == 404


def test_pages_forbid_everything_foreign(served: Served) -> None:
    for path in ("/", "/preview.css", "/preview.js", "/icon.svg", "/state"):
        status, headers, body = served.ask("GET", path)
        assert status == 200
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert b"https://" not in body
    assert "access-control-allow-origin" not in served.ask("GET", "/state")[1]


def test_nothing_listens_beyond_loopback(served: Served) -> None:
    assert served.api._socket.getsockname()[0] == "127.0.0.1"


def test_the_video_carries_protected_pictures(served: Served) -> None:
    gate = served.stream.gate
    served.state.feed.see(shown(gate, 0, brightness=200), rescued=False)
    with served.following("/video.mjpeg?outlines=1") as answer:
        assert answer.headers["content-type"] == f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        assert _next_picture(answer).mean() > 180
        served.state.feed.see(shown(gate, 1, brightness=40), rescued=False)
        assert _next_picture(answer).mean() < 60


def _next_picture(answer: http.client.HTTPResponse) -> np.ndarray:
    length = 0
    while (line := answer.readline().strip()) or not length:
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    picture = cv2.imdecode(np.frombuffer(answer.read(length), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def test_events_tell_of_a_change(served: Served) -> None:
    with served.following("/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert _next_event(answer)["panic"] is False
        served.ask("POST", "/panic")
        assert any(_next_event(answer)["panic"] for _ in range(3))


def _next_event(answer: http.client.HTTPResponse) -> dict[str, object]:
    while not (line := answer.readline()).startswith(b"data: "):
        assert line
    document: dict[str, object] = json.loads(line.removeprefix(b"data: "))
    return document


def test_panic_works_beside_many_who_watch(served: Served) -> None:
    with ExitStack() as watching:
        for path in ["/events", "/video.mjpeg"] * 20:
            watching.enter_context(served.following(path))
        assert served.ask("POST", "/panic")[0] == 200


def test_a_port_in_use_is_told_with_the_flag_that_mends_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"port {port} .*--port"):
            LocalApi(live_state(), port)


def test_closing_ends_open_connections_its_thread_and_frees_the_port() -> None:
    server = Served()
    with server.following("/events") as answer:
        assert _next_event(answer)["state"] == "HELD"
        server.api.close()
        while answer.readline():
            pass
    assert not [thread for thread in threading.enumerate() if thread.name == "local api"]
    LocalApi(live_state(), server.port).close()
