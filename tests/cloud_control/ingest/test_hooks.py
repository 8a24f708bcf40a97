"""The hooks in the notations of three RTMP servers, as their documentation has them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from cloud_control.adapters.memory.store import MemoryStore
from cloud_control.ingest.hooks import hooks_router, ticket
from cloud_control.ingest.port import Asked, Granted, Refused
from cloud_control.ingest.publishers import Publishers
from cloud_control.service.stored_publishers import StoredPublishers
from tests.cloud_control.ingest.ingests import serving

SECRET = "between-us"
RELAY = "rtmp://127.0.0.1:1935/live-out"
THERE = "rtmp://127.0.0.1:40001/live/k"


def may_publish(asked: Asked) -> Granted | Refused:
    return Granted("mine") if asked.key == "right" and asked.app == "live" else Refused("wrong")


class Door:
    """Knows one name, "7", and the stream behind it; what is pushed there goes to `THERE`."""

    def __init__(self) -> None:
        self.sessions: set[str] = set()

    def push(self, session: str, name: str, address: str, lease_s: float) -> str | None:
        assert lease_s > 0
        if (name, address) != ("7", "10.0.0.9"):
            return None
        self.sessions.add(session)
        return THERE

    def goes_on(self, session: str, name: str, address: str, lease_s: float) -> bool:
        return session in self.sessions or self.push(session, name, address, lease_s) is not None

    def left(self, session: str) -> None:
        self.sessions.discard(session)

    def shown_as(self, name: str) -> str | None:
        return "mine" if name == "7" else None


class Stored(StoredPublishers):
    """In a store, where who is let in is hung up on once the key of the stream has changed."""

    def __init__(self) -> None:
        self._keys = 0
        super().__init__(
            MemoryStore(), "acme", may_publish, lambda _: str(self._keys), lambda _: None,
            lambda: time.time_ns() // 1_000_000,
        )  # fmt: skip

    def dismiss(self, _stream: str) -> None:
        self._keys += 1

    def leave_all(self) -> None:
        for stream in self.publishing():
            self.leave_stream(stream)


class Hooks:
    """A control plane that answers hooks."""

    def __init__(self, http: httpx.Client, publishers: Publishers | Stored) -> None:
        self._http, self.publishers = http, publishers

    def post(self, server: str, secret: str | None = SECRET, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return self._http.post(f"/v1/ingest/{server}", headers=headers, **more)

    def nginx(self, call: str, *, app: str = "live", client: int = 1, tail: str = "") -> Any:
        form = f"app={app}&flashver=x&tcurl=&addr=10.0.0.9&clientid={client}&call={call}{tail}"
        return self.post("nginx", content=form)

    def mediamtx(self, action: str, path: str, query: str = "", **more: str) -> int:
        fields = {"user": "", "password": "", "token": "", "ip": "10.0.0.9", "protocol": "rtmp"}
        fields |= {"action": action, "path": path, "query": query, "id": "u-1"} | more
        status: int = self.post("mediamtx", json=fields).status_code
        return status

    def srs(self, action: str, stream: str = "mine", param: str = "", client: str = "c1") -> bool:
        answer = self.post(
            "srs",
            json={"action": action, "client_id": client, "ip": "10.0.0.9", "vhost": "v",
                  "app": "live", "stream": stream, "param": param},
        )  # fmt: skip
        assert answer.status_code == 200
        return bool(answer.json()["code"] == 0)


@pytest.fixture(scope="module", params=["memory", "stored"])
def served(request: pytest.FixtureRequest) -> Iterator[Hooks]:
    publishers = Publishers(may_publish) if request.param == "memory" else Stored()
    with (
        serving(hooks_router(publishers, SECRET, RELAY)) as address,
        httpx.Client(base_url=address) as http,
    ):
        yield Hooks(http, publishers)


@pytest.fixture
def hooks(served: Hooks) -> Iterator[Hooks]:
    yield served
    served.publishers.leave_all()


@pytest.mark.parametrize("server", ["nginx", "mediamtx", "mediamtx/done?path=live/mine", "srs"])
def test_only_who_knows_the_secret_is_heard(hooks: Hooks, server: str) -> None:
    assert hooks.post(server, secret=None).status_code == 403
    assert hooks.post(server, secret="between-you").status_code == 403
    path, _, query = server.partition("?")
    strange = hooks.post(f"{path}?secret=b%C3%A9&{query}", secret=None, json={})
    assert strange.status_code == 403
    known = hooks.post(f"{path}?secret={SECRET}&{query}", secret=None, json={})
    assert known.status_code in {200, 401}


def test_nginx_is_sent_on_under_the_public_id(hooks: Hooks) -> None:
    let_in = hooks.nginx("publish", tail="&name=right&type=live")
    assert let_in.status_code == 302
    proof = ticket(SECRET, "mine")
    assert let_in.headers["location"] == f"{RELAY}/mine?ticket={proof}"
    assert "right" not in str(let_in.headers)
    assert hooks.publishers.publishing() == {"mine"}
    again = hooks.nginx("publish", client=2, tail="&name=mine&type=live&key=right")
    assert again.status_code == 403
    hooks.nginx("publish_done", client=2, tail="&name=mine&key=right")
    assert hooks.publishers.publishing() == {"mine"}
    assert hooks.nginx("update_publish", tail="&name=right").status_code == 200
    hooks.publishers.dismiss("mine")
    assert hooks.nginx("update_publish", tail="&name=right").status_code == 403
    hooks.nginx("publish_done", tail="&name=right")
    assert hooks.publishers.publishing() == set()


def test_nginx_relays_only_what_was_let_in(hooks: Hooks) -> None:
    def relay(proof: str) -> int:
        answer = hooks.nginx("publish", app="live-out", tail=f"&name=mine&type=live&ticket={proof}")
        return int(answer.status_code)

    assert relay(ticket(SECRET, "mine")) == 200
    assert relay(ticket(SECRET, "other")) == relay("") == relay("é") == 403
    assert hooks.publishers.publishing() == set()


def test_arguments_of_a_stream_key_cannot_pose_as_the_server(hooks: Hooks) -> None:
    tail = "&name=wrong&type=live&call=update_publish&app=live-out&clientid=7&name=right"
    assert hooks.nginx("publish", tail=tail).status_code == 403


def test_nginx_that_outlived_the_control_plane_is_believed_again(hooks: Hooks) -> None:
    assert hooks.nginx("update_publish", tail="&name=wrong").status_code == 403
    assert hooks.nginx("update_publish", tail="&name=right").status_code == 200
    assert hooks.publishers.publishing() == {"mine"}


def test_nginx_plays_what_is_published(hooks: Hooks) -> None:
    assert hooks.nginx("play", app="live-out", tail="&name=mine&start=0").status_code == 403
    hooks.nginx("publish", tail="&name=right")
    assert hooks.nginx("play", app="live-out", tail="&name=mine&start=0").status_code == 200
    assert hooks.nginx("play", app="live-out", tail="&name=right&start=0").status_code == 403


@pytest.mark.parametrize("more", [{"query": "key=right"}, {"password": "right"}])
def test_mediamtx_publishes_and_reads_by_the_public_id(hooks: Hooks, more: dict[str, str]) -> None:
    assert hooks.mediamtx("read", "live/mine") == 401
    assert hooks.mediamtx("publish", "live/mine", **more) == 200
    assert hooks.mediamtx("publish", "live/mine", **more, id="u-2") == 401
    assert hooks.mediamtx("read", "live/mine") == 200
    hooks.post("mediamtx/done?path=live/mine")
    assert hooks.publishers.publishing() == set()


def test_mediamtx_is_refused_whatever_else_it_asks(hooks: Hooks) -> None:
    assert hooks.mediamtx("publish", "live/mine", "key=wrong") == 401
    assert hooks.mediamtx("publish", "live/right") == 401  # the key would be in addresses
    assert hooks.mediamtx("publish", "live/other", "key=right") == 401
    assert hooks.mediamtx("api", "") == hooks.mediamtx("metrics", "") == 401
    assert hooks.publishers.publishing() == set()


def test_srs_publishes_plays_and_leaves(hooks: Hooks) -> None:
    assert not hooks.srs("on_play")
    assert not hooks.srs("on_publish", param="?key=wrong")
    assert not hooks.srs("on_publish", stream="right")
    assert hooks.srs("on_publish", param="?key=right")
    assert not hooks.srs("on_publish", param="?key=right", client="c2")
    assert hooks.srs("on_unpublish", client="c2")
    assert hooks.srs("on_play", client="c3")
    assert hooks.srs("on_unpublish")
    assert hooks.publishers.publishing() == set()


@pytest.mark.parametrize("server", ["mediamtx", "srs"])
def test_what_is_no_object_is_refused(hooks: Hooks, server: str) -> None:
    assert hooks.post(server, content=b"{").status_code == 400
    assert hooks.post(server, content=b"[]").status_code == 400
    assert hooks.post(server, content=b" " * 70_000).status_code == 413


def test_nginx_takes_names_of_the_door_besides(hooks: Hooks) -> None:
    door, publishers = Door(), Publishers(may_publish)
    with (
        serving(hooks_router(publishers, SECRET, RELAY, door)) as address,
        httpx.Client(base_url=address) as http,
    ):
        doors = Hooks(http, publishers)
        pushed = doors.nginx("publish", tail="&name=7")
        assert (pushed.status_code, pushed.headers["Location"]) == (302, THERE)
        assert doors.nginx("update_publish", tail="&name=7").status_code == 200
        assert publishers.publishing() == set()  # it is no protected stream
        for app, name in (("live", "8"), ("live-out", "7"), ("other", "7")):
            assert doors.nginx("publish", app=app, tail=f"&name={name}").status_code == 403
        play = {"app": "live-out", "client": 9, "tail": "&name=7"}
        assert doors.nginx("play", **play).status_code == 403  # nothing plays yet
        assert doors.nginx("publish", client=2, tail="&name=right").headers["Location"] != THERE
        shown = doors.nginx("play", **play)
        assert (shown.status_code, shown.headers["Location"]) == (302, "mine")
        doors.nginx("publish_done", tail="&name=7")
        assert door.sessions == set()
    assert hooks.nginx("publish", tail="&name=7").status_code == 403  # no door, no such names
