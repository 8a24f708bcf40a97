"""The self-hosted ingest's nginx, as its task would start it: asks, passes on, cuts, serves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest

from tests.cloud_control.brokers import HOST, free_port, wait_until
from tests.infra.terraform import SOURCE

TEMPLATE = SOURCE / "modules/ingest-self-hosted/nginx.conf.tftpl"
MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
SECRET = "a-secret-of-the-hooks"


@dataclass
class Api:
    """The control plane's side of the hooks. asked: their fields; shown: what they showed."""

    rtmp: int
    asked: list[dict[str, str]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    def answer(self, fields: dict[str, str]) -> tuple[int, str]:
        self.asked.append(fields)
        if fields["call"] == "publish" and fields["app"] == "live":
            known = fields["name"] == "key-of-walk"
            return (
                (302, f"rtmp://{HOST}:{self.rtmp}/live-out/walk?ticket=t") if known else (403, "")
            )
        return 200, ""


@contextmanager
def served(api: Api) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            api.shown.append(f"{self.path} {self.headers['Authorization']}")
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, there = api.answer({name: each[0] for name, each in parse_qs(sent).items()})
            self.send_response(status)
            if there:
                self.send_header("Location", there)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Ingest:
    api: Api
    http: int

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://{HOST}:{self.http}/{path}")

    @contextmanager
    def published(self, key: str) -> Iterator[subprocess.Popen[bytes]]:
        words = [
            "ffmpeg", "-v", "error", "-t", "60", "-re",
            "-f", "lavfi", "-i", "testsrc=size=160x120:rate=10",
            "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-pix_fmt", "yuv420p",
            "-f", "flv", f"rtmp://{HOST}:{self.api.rtmp}/live/{key}",
        ]  # fmt: skip
        with subprocess.Popen(
            words, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        ) as encoder:
            try:
                yield encoder
            finally:
                encoder.kill()


@pytest.fixture
def ingest(tmp_path: Path) -> Iterator[Ingest]:
    if not MODULE.exists() or shutil.which("ffmpeg") is None:
        pytest.skip("nginx with its RTMP module or ffmpeg is missing: THE INGEST IS NOT TESTED")
    rtmp, http, hook = free_port(), free_port(), free_port()
    api = Api(rtmp)
    with served(api) as port:
        config = rendered(api=f"http://{HOST}:{port}", api_host="api.example",
                          rtmp_port=str(rtmp), http_port=str(http))  # fmt: skip
        config = config.replace("127.0.0.1:8081", f"{HOST}:{hook}")
        config = config.replace("/tmp/", f"{tmp_path}/").replace("root /tmp;", f"root {tmp_path};")
        if os.geteuid() == 0:
            config = f"user root;\n{config}"
        words = ["sh", "-c", start().replace("/tmp/", f"{tmp_path}/")]
        told = {**os.environ, "NGINX_CONF": config, "HOOK_SECRET": SECRET}
        said = (tmp_path / "said").open("wb")
        with (
            said,
            subprocess.Popen(words, env=told, stderr=said, stdin=subprocess.DEVNULL) as nginx,
        ):
            try:
                found = Ingest(api, http)
                wait_until(lambda: healthy(found), "nginx answers")
                yield found
            finally:
                nginx.terminate()


def rendered(**values: str) -> str:
    """As Terraform's templatefile does with a template that has nothing but variables."""
    return re.sub(r"\$\{(\w+)\}", lambda name: values[name[1]], TEMPLATE.read_text())


def start() -> str:
    """The shell command of the task's container."""
    found = re.search(r'^ +start += "(.*)"$', (TEMPLATE.parent / "main.tf").read_text(), re.M)
    assert found is not None
    return found[1].replace('\\"', '"')


def healthy(ingest: Ingest) -> bool:
    try:
        return ingest.get("healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_a_known_key_is_shown_under_its_public_id(ingest: Ingest) -> None:
    with ingest.published("key-of-walk"):
        wait_until(lambda: ingest.get("hls/walk/index.m3u8").is_success, "there is a playlist")
        playlist = ingest.get("hls/walk/index.m3u8")
        segment = next(line for line in playlist.text.splitlines() if line.endswith(".ts"))
        piece = ingest.get(f"hls/walk/{segment}")
    assert playlist.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert playlist.headers["cache-control"] == "max-age=1"
    assert piece.headers["content-type"] == "video/mp2t"
    assert piece.content[0] == 0x47
    assert "key-of-walk" not in playlist.text
    assert ingest.get("hls/key-of-walk/index.m3u8").status_code == 404
    assert set(ingest.api.shown) == {f"/v1/ingest/nginx Bearer {SECRET}"}
    asked = [(each["app"], each["name"]) for each in ingest.api.asked if each["call"] == "publish"]
    assert asked[:2] == [("live", "key-of-walk"), ("live-out", "walk")]


def test_an_unknown_key_is_hung_up_on(ingest: Ingest) -> None:
    with ingest.published("another-key") as encoder:
        assert encoder.wait(30) != 0
    assert ingest.api.asked[0]["call"] == "publish"
    assert ingest.get("hls/walk/index.m3u8").status_code == 404
