"""The control plane's own door for uploads: resumed, whole or not at all, each device apart."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Header, HTTPException
from httpx import Client

from cloud_control.api.problems import explain
from cloud_control.api.uploads import PREFIX, uploads_router
from cloud_control.service.uploads import UploadRefusedError, Uploads, Wanted
from tests.cloud_control.serving import serving

DATA = os.urandom(100_000)
SUM = hashlib.sha256(DATA).hexdigest()


@dataclass(frozen=True)
class Van:
    fleet: str
    agent: str


def device(authorization: str = Header("")) -> Van:
    """The bearer token is the device's name."""
    agent = authorization.removeprefix("Bearer ")
    if not agent.startswith("van"):
        raise HTTPException(401)
    return Van("acme", agent)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "uploads"


@pytest.fixture
def uploads(folder: Path) -> Uploads:
    return Uploads(folder, quota=250_000, reserve=0)


@pytest.fixture
def client(uploads: Uploads) -> Iterator[Client]:
    app = FastAPI()
    explain(app)
    app.include_router(uploads_router(uploads, device))
    with serving(app) as url, Client(base_url=url) as client:
        client.headers["Authorization"] = "Bearer van-7"
        yield client


def asked(client: Client, **changes: Any) -> Any:
    body = {"stream": "cam-1", "name": "one.ts", "bytes": len(DATA), "sha256": SUM} | changes
    return client.post(PREFIX, json=body)


def put(client: Client, data: bytes, at: int | None = None, name: str = "one.ts") -> Any:
    headers = {}
    if at is not None:
        headers["Content-Range"] = f"bytes {at}-{at + len(data) - 1}/{len(DATA)}"
    return client.put(f"{PREFIX}/cam-1/{name}", content=data, headers=headers)


def offset(client: Client) -> tuple[int, str]:
    headers = client.head(f"{PREFIX}/cam-1/one.ts").headers
    return int(headers["Upload-Offset"]), headers["Upload-Complete"]


def test_an_upload_is_announced_put_and_confirmed(client: Client, folder: Path) -> None:
    answer = asked(client)
    assert answer.status_code == 201
    ticket = answer.json()
    assert (ticket["method"], ticket["resumable"]) == ("PUT", True)
    done = client.put(ticket["url"], content=DATA)
    assert done.status_code == 201
    digest = base64.b64encode(bytes.fromhex(SUM)).decode()
    assert done.headers["Repr-Digest"] == f"sha-256=:{digest}:"
    assert (folder / "acme" / "van-7" / "cam-1" / "one.ts").read_bytes() == DATA
    assert offset(client) == (len(DATA), "?1")


def test_it_goes_on_where_it_broke_off(client: Client, folder: Path) -> None:
    asked(client)
    assert offset(client) == (0, "?0")
    assert put(client, DATA[:60_000], 0).status_code == 202
    assert offset(client) == (60_000, "?0")
    assert asked(client).status_code == 201  # asking again changes nothing
    assert offset(client) == (60_000, "?0")
    assert put(client, DATA[60_000:], 60_000).status_code == 201
    assert (folder / "acme/van-7/cam-1/one.ts").read_bytes() == DATA


def test_a_whole_put_begins_anew(client: Client) -> None:
    asked(client)
    put(client, DATA[:60_000], 0)
    assert put(client, DATA).status_code == 201


def test_a_gap_is_refused_and_the_offset_told(client: Client) -> None:
    asked(client)
    put(client, DATA[:60_000], 0)
    for at in (1, 59_999, 60_001):
        refused = put(client, DATA[at:], at)
        assert refused.status_code == 409
        assert refused.headers["Upload-Offset"] == "60000"
        assert refused.headers["Content-Type"] == "application/problem+json"


def test_a_wrong_checksum_never_gets_the_name(client: Client, folder: Path) -> None:
    asked(client)
    assert put(client, b"x" + DATA[1:]).status_code == 422
    assert not (folder / "acme/van-7/cam-1/one.ts").exists()
    assert offset(client) == (0, "?0")
    assert put(client, DATA).status_code == 201


def test_more_than_was_announced_is_refused(client: Client) -> None:
    asked(client)
    assert put(client, DATA + b"more").status_code == 413
    assert put(client, DATA).status_code == 201


def test_what_is_here_is_never_overwritten(client: Client, folder: Path) -> None:
    asked(client)
    put(client, DATA)
    assert put(client, b"x" * len(DATA)).status_code == 409
    assert asked(client, sha256="0" * 64).status_code == 403
    assert (folder / "acme/van-7/cam-1/one.ts").read_bytes() == DATA


def test_one_that_changed_before_it_was_whole_begins_anew(client: Client) -> None:
    asked(client, sha256="0" * 64)
    put(client, DATA[:60_000], 0)
    asked(client)
    assert offset(client) == (0, "?0")


def test_a_whole_part_that_was_not_accepted_before_a_crash_is_accepted(
    client: Client, folder: Path
) -> None:
    asked(client)
    (folder / "acme/van-7/cam-1/one.ts.part").write_bytes(DATA)
    at, complete = offset(client)
    assert (at, complete) == (len(DATA) - 1, "?0")
    assert put(client, DATA[at:], at).status_code == 201


def test_another_devices_upload_is_out_of_reach(client: Client, folder: Path) -> None:
    asked(client)
    put(client, DATA[:60_000], 0)
    client.headers["Authorization"] = "Bearer van-8"
    assert client.head(f"{PREFIX}/cam-1/one.ts").status_code == 404
    assert put(client, DATA).status_code == 404
    asked(client)
    assert put(client, DATA).status_code == 201
    assert (folder / "acme/van-7/cam-1/one.ts.part").stat().st_size == 60_000


def test_who_is_no_device_is_refused(client: Client, folder: Path) -> None:
    client.headers["Authorization"] = "Bearer nobody"
    assert asked(client).status_code == 401
    assert put(client, DATA).status_code == 401
    assert not folder.exists()


@pytest.mark.parametrize(
    "name",
    ["../one.ts", "..", ".hidden", "a/b.ts", "a\\b", "one.part", "one.json", "a\nb", "", "é" * 150],
)
def test_a_name_that_leads_elsewhere_is_refused(client: Client, folder: Path, name: str) -> None:
    assert asked(client, name=name).status_code in (400, 422)
    assert not folder.exists()


@pytest.mark.parametrize("change", [{"stream": "../x"}, {"stream": "X"}, {"bytes": 0}, {"more": 1}])
def test_a_wrong_request_is_refused(client: Client, change: dict[str, Any]) -> None:
    assert asked(client, **change).status_code in (400, 422)


def test_a_request_without_end_is_refused(client: Client) -> None:
    assert asked(client, name="x" * 1_000_000).status_code == 422


def test_names_may_be_of_any_language(client: Client, folder: Path) -> None:
    asked(client, name="휴가 1.mp4")
    assert put(client, DATA, name="휴가 1.mp4").status_code == 201
    assert (folder / "acme/van-7/cam-1/휴가 1.mp4").exists()


def test_a_device_has_its_share_of_the_disk_and_no_more(client: Client) -> None:
    for name in ("one.ts", "two.ts"):
        asked(client, name=name)
        assert put(client, DATA, name=name).status_code == 201
    assert asked(client, name="three.ts").status_code == 507
    client.headers["Authorization"] = "Bearer van-8"
    assert asked(client, name="three.ts").status_code == 201


def test_a_full_disk_is_refused_before_anything_is_written(folder: Path) -> None:
    uploads = Uploads(folder, reserve=1 << 60)
    with pytest.raises(UploadRefusedError, match="disk is full"):
        uploads.expect("acme", "van-7", Wanted("cam-1", "one.ts", 1, SUM))


def test_two_connections_cannot_write_to_one_upload(uploads: Uploads) -> None:
    uploads.expect("acme", "van-7", Wanted("cam-1", "one.ts", len(DATA), SUM))
    with (
        uploads.intake("acme", "van-7", "cam-1", "one.ts", 0),
        pytest.raises(UploadRefusedError, match="already"),
        uploads.intake("acme", "van-7", "cam-1", "one.ts", 0),
    ):
        pass
