"""Playlists and segments over HTTP, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import pytest

from cloud_control.ingest.hls import hls_router
from cloud_control.ingest.port import hls_path
from tests.cloud_control.ingest.ingests import serving


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    tmp_path = tmp_path_factory.mktemp("web")
    folder = tmp_path / "hls"
    (folder / "mine").mkdir(parents=True)
    (folder / "mine" / "index.m3u8").write_text("#EXTM3U\n")
    (folder / "mine" / "1a2b-0.ts").write_bytes(b"G")
    (folder / "mine" / "index.draft").write_text("half")
    (tmp_path / "secret.ts").write_bytes(b"hidden")
    (folder / "0.ts").write_bytes(b"hidden")
    with serving(hls_router(folder)) as address:
        yield address


def test_players_get_what_they_need(web: str) -> None:
    listed = httpx.get(web + hls_path("mine"))
    assert listed.text == "#EXTM3U\n"
    assert listed.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert listed.headers["cache-control"] == "no-cache"
    segment = httpx.get(web + "/hls/mine/1a2b-0.ts")
    assert segment.content == b"G"
    assert segment.headers["content-type"] == "video/mp2t"
    assert "immutable" in segment.headers["cache-control"]
    assert httpx.get(web + hls_path("not-yet")).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/hls/mine/index.draft",
        "/hls/mine/../../secret.ts",
        "/hls/mine/..%2f..%2fsecret.ts",
        "/hls/%2e%2e/secret.ts",
        "/hls/..%2f/secret.ts",
        "/hls/%2e/0.ts",
        "/hls/mine/%2e%2e%2f0.ts",
        "/hls/mine/",
        "/hls/",
        "/hls/mine/1a2b-0.ts%00",
        "/hls/MINE/index.m3u8",
    ],
)
def test_nothing_else_is_reached(web: str, path: str) -> None:
    line = HTTPConnection(urlsplit(web).netloc)  # sends the path as it is
    line.request("GET", path)
    answer = line.getresponse()
    content = answer.read()
    line.close()
    assert answer.status in {404, 422}
    assert b"hidden" not in content
    assert b"half" not in content
