"""What any door for uploads must do for a device: the control plane's own, and S3."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from fastapi import FastAPI

from cloud_control.adapters.aws.uploads import BucketUploads
from cloud_control.api.problems import explain
from cloud_control.api.uploads import PREFIX, tickets_router, uploads_router
from cloud_control.service.uploads import Uploads
from edge_agent.upload.answers import Checksums, confirmed, digest_header
from tests.cloud_control.aws.front import fronted
from tests.cloud_control.aws.object_checks import object_checks
from tests.cloud_control.serving import serving
from tests.cloud_control.test_uploads import device

DATA, OTHER = os.urandom(100_000), os.urandom(100_000)


@dataclass
class Door:
    """As an agent uses it. kept: what is there under a stream and a name."""

    http: httpx.Client
    kept: Callable[[str, str], bytes | None]

    def ask(self, data: bytes = DATA, agent: str = "van-7", **changes: Any) -> httpx.Response:
        body = {
            "stream": "cam-1", "name": "one.ts", "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(), **changes,
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {agent}"}
        return self.http.post(PREFIX, json=body, headers=headers)

    def put(self, asked: httpx.Response, data: bytes) -> httpx.Response:
        ticket = asked.json()
        headers = {
            "Content-Type": "application/octet-stream",
            "Repr-Digest": digest_header(hashlib.sha256(data).hexdigest()),
            "Content-MD5": base64.b64encode(hashlib.md5(data).digest()).decode(),
            **ticket["headers"],
        }
        url = urljoin(str(self.http.base_url), ticket["url"])
        if url.startswith(str(self.http.base_url)):
            headers["Authorization"] = "Bearer van-7"
        return httpx.put(url, content=data, headers=headers)


def confirms(answer: httpx.Response, data: bytes) -> bool:
    sums = Checksums(hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest())
    return answer.is_success and confirmed(answer, sums)


@pytest.fixture(params=["own", "s3"])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Door]:
    app = FastAPI()
    explain(app)
    if request.param == "own":
        app.include_router(uploads_router(Uploads(tmp_path, reserve=0), device))

        def kept(stream: str, name: str) -> bytes | None:
            path = tmp_path / "acme" / "van-7" / stream / name
            return path.read_bytes() if path.exists() else None

        with serving(app) as url, httpx.Client(base_url=url) as http:
            yield Door(http, kept)
        return
    with fronted(request.getfixturevalue("cloud")) as front:
        front.rules.append(object_checks)
        bucket, s3 = front.cloud.bucket(), front.cloud.client("s3")

        def stored(stream: str, name: str) -> bytes | None:
            try:
                found = s3.get_object(Bucket=bucket, Key=f"acme/van-7/{stream}/{name}")
            except s3.exceptions.NoSuchKey:
                return None
            return bytes(found["Body"].read())

        app.include_router(tickets_router(BucketUploads(s3, bucket), device))
        with serving(app) as url, httpx.Client(base_url=url) as http:
            yield Door(http, stored)


def test_what_was_announced_is_taken_and_confirmed(door: Door) -> None:
    asked = door.ask()
    assert asked.status_code == 201
    assert confirms(door.put(asked, DATA), DATA)
    assert door.kept("cam-1", "one.ts") == DATA


def test_the_same_again_is_confirmed_or_was(door: Door) -> None:
    """A device whose answer was lost asks once more."""
    door.put(door.ask(), DATA)
    asked = door.ask()
    assert asked.is_success
    again = door.put(asked, DATA)
    assert again.status_code == 409 or confirms(again, DATA)
    assert door.kept("cam-1", "one.ts") == DATA


def test_other_bytes_than_those_announced_are_not_taken(door: Door) -> None:
    assert not door.put(door.ask(), OTHER).is_success
    assert door.kept("cam-1", "one.ts") is None
    assert confirms(door.put(door.ask(), DATA), DATA)


def test_what_is_there_is_never_replaced(door: Door) -> None:
    early = door.ask(OTHER)
    assert confirms(door.put(door.ask(), DATA), DATA)
    assert door.ask(OTHER).status_code == 403
    assert not door.put(early, OTHER).is_success
    assert door.kept("cam-1", "one.ts") == DATA


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "../two.ts"}, {"name": "a/b"}, {"name": ".hidden"}, {"name": "one.json"},
        {"stream": "Cam 1"}, {"bytes": 0}, {"sha256": "00"},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_refused_at_once(door: Door, wrong: dict[str, Any]) -> None:
    assert door.ask(**wrong).status_code in {400, 422}


def test_strangers_get_no_ticket(door: Door) -> None:
    assert door.ask(agent="somebody").status_code == 401
