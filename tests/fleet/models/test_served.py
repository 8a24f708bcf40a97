"""A download from the control plane's own kind of server, resumed where an earlier run stopped."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from cloud_control.tuf.repository import ModelRepository
from tests.cloud_control.serving import serving
from tests.fleet.models.workshop import Device, model


@pytest.mark.usefixtures("quick_test")
def test_a_download_is_resumed_from_the_control_planes_server(
    repository: ModelRepository, tmp_path: Path
) -> None:
    app = Starlette(routes=[Mount("/models", StaticFiles(directory=repository.folder))])
    asked: list[tuple[str, bytes | None]] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            asked.append((scope["path"], dict(scope["headers"]).get(b"range")))
        await app(scope, receive, send)

    published = model("9.0.0")
    repository.publish(published)
    network = published.contents["veil-nano.onnx"]
    with serving(watched) as url:
        device = Device(tmp_path / "home", f"{url}/models", repository.shelf.root_bytes())
        incoming = device.folder / "incoming"
        incoming.mkdir(parents=True)
        part = incoming / f"{hashlib.sha256(network).hexdigest()}.part"
        part.write_bytes(network[:1_000_000])
        device.run("9.0.0")
        device.stop()
    assert [wanted for path, wanted in asked if path.endswith(".onnx")] == [b"bytes=1000000-"]
