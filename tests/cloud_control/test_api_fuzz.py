"""Whatever is sent to whatever route: a refusal that says why, never a fault of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud_control.adapters.certifier import LocalCertifier
from cloud_control.adapters.memory.store import MemoryStore
from cloud_control.api.app import Reach, create_app
from cloud_control.domain.access import Role
from cloud_control.pki import Authority
from cloud_control.plane import assemble
from tests.cloud_control.command_plane import FLEET, AgentsBus

NOW = 1_800_000_000_000
OPEN = ("/healthz", "/readyz", "/openapi.json")
ENDLESS = ("/v1/events",)

TEXTS = st.text(max_size=12) | st.sampled_from(["van-1", "dash", "veil-nano", "1.2.0", "../.."])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["agent", "id", "source", "sinks", "ref", "url", "protection", "classes", "hold", "model",
     "plan", "waves", "token", "csr", "labels", "seconds", "name", "role", "stream"]
)  # fmt: skip
BODIES = st.dictionaries(NAMES | TEXTS, VALUES, max_size=6)
RAW = st.binary(max_size=64) | st.sampled_from(
    [b"[" * 5000, b'{"a":' * 500, b'{"a": 1, "a": 2}', b"\xff\xfe", b'{"seconds": 1e999}', b"nul"]
)


class Server:
    """The application without a socket, and somebody who may do all."""

    def __init__(self, app: FastAPI, token: str) -> None:
        self.app, self._token = app, token
        self.routes = [
            (method.upper(), path)
            for path, methods in app.openapi()["paths"].items()
            for method in methods
            if path not in ENDLESS
        ]

    def ask(self, method: str, path: str, *, known: bool = True, **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            headers = {"Authorization": f"Bearer {self._token}"} if known else {}
            async with httpx.AsyncClient(
                transport=transport, base_url="http://control", headers=headers
            ) as client:
                return await client.request(method, path, **more)

        return asyncio.run(asked())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    authority = Authority(tmp_path_factory.mktemp("fuzz") / "ca")
    authority.create()
    bus = AgentsBus()
    certifier = LocalCertifier(authority, lambda: None, lambda _: None)
    plane = assemble(FLEET, MemoryStore(), bus, certifier, lambda: NOW)
    bus.subscribe(plane.live.take)
    reach = Reach(("localhost", 8883), "PEM", dict, None, "http://localhost")
    return Server(create_app(plane, reach), plane.access.make("test", "admin", Role.ADMIN)[1])


def in_path(path: str, name: Callable[[], str]) -> str:
    """A path with each of its {parts} filled."""
    parts = [name() if part.startswith("{") else part for part in path.split("/")]
    return "/".join(parts)


def sound(answer: httpx.Response) -> None:
    """A success, or a problem document that explains itself."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert problem["title"]


@settings(
    max_examples=60, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(data=st.data())
def test_nothing_that_is_sent_is_a_fault_of_the_server(server: Server, data: st.DataObject) -> None:
    method, pattern = data.draw(st.sampled_from(server.routes))
    names = st.sampled_from(["van-1", "dash", "self-test", "veil"]) | st.text(
        "abcXYZ09-_.% é", min_size=1, max_size=8
    )
    path = in_path(pattern, lambda: data.draw(names).replace("%", "%25"))
    query = data.draw(st.dictionaries(st.sampled_from(["after", "limit", "category"]), TEXTS))
    if data.draw(st.booleans()):
        sound(server.ask(method, path, params=query, content=data.draw(RAW)))
        return
    try:
        answer = server.ask(method, path, params=query, json=data.draw(BODIES))
    except ValueError:  # NaN is no JSON
        return
    sound(answer)


def test_every_route_but_health_wants_to_know_who_asks(server: Server) -> None:
    asked = [one for one in server.routes if one[1] not in (*OPEN, "/v1/enrol")]
    assert len(asked) > 25
    for method, pattern in asked:
        answer = server.ask(method, in_path(pattern, lambda: "van-1"), known=False)
        assert answer.status_code in {401, 429}, f"{method} {pattern}: {answer.status_code}"
        sound(answer)


def test_a_body_that_is_too_large_is_not_read_to_its_end(server: Server) -> None:
    read = 0

    async def endless() -> Any:
        nonlocal read
        while True:
            read += 1 << 16
            assert read < 1 << 22, "it is read on and on"
            yield b" " * (1 << 16)

    sound(server.ask("PUT", "/v1/protection", content=endless()))
    assert server.ask("GET", "/v1/protection").status_code == 200


def test_the_description_names_every_route_and_no_secret(server: Server) -> None:
    described = server.ask("GET", "/openapi.json")
    assert described.status_code == 200
    paths = described.json()["paths"]
    for path in ("/v1/enrol", "/v1/agents/{agent}", "/v1/streams", "/v1/rollouts/{rollout}/abort"):
        assert path in paths
