"""A device's spool goes straight into a bucket, by addresses that its control plane signs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloud_control.adapters.aws.uploads import BucketUploads
from edge_agent.fleet.home import Home
from edge_agent.upload.enrolled import enrolled_uploader
from tests.cloud_control.aws.front import Answer, Call, Front, fronted
from tests.cloud_control.aws.moto_server import running_moto
from tests.cloud_control.aws.object_checks import object_checks
from tests.cloud_control.serving import serving
from tests.edge_agent.media_tools import free_port
from tests.edge_agent.spool.coded import FPS, segments, spool, ticks
from tests.edge_agent.spool.test_segments import film
from tests.fleet.test_spool_upload import control_plane, enrolled


@dataclass
class Place:
    """A device, its control plane, and the bucket."""

    front: Front
    s3: Any
    bucket: str
    home: Home

    def upload(self) -> int:
        """How many segments were taken."""
        return enrolled_uploader(self.home).drain(threading.Event()).sent

    def pictures(self, folder: Path) -> list[int]:
        """Of all segments in the bucket."""
        folder.mkdir()
        found = []
        for one in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", []):
            path = folder / one["Key"].rpartition("/")[2]
            path.write_bytes(self.s3.get_object(Bucket=self.bucket, Key=one["Key"])["Body"].read())
            assert one["Key"].startswith("acme/van-7/cam-1/")
            found += ticks(path)
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    port = free_port()
    home = enrolled(tmp_path / "home", f"http://127.0.0.1:{port}")
    with running_moto() as moto, fronted(moto) as front:
        front.rules.append(object_checks)
        s3, bucket = front.cloud.client("s3"), front.cloud.bucket()
        app = control_plane(BucketUploads(s3, bucket), home.key.read_bytes())
        with serving(app, port):
            yield Place(front, s3, bucket, home)


def test_an_enrolled_device_uploads_its_spool(place: Place, tmp_path: Path) -> None:
    film(spool(place.home.spool / "cam-1"), 12.0)
    assert place.upload() == 2
    assert place.pictures(tmp_path / "seen") == list(range(12 * FPS))
    assert segments(place.home.spool / "cam-1") == []


def test_what_broke_off_is_taken_whole_the_next_time(place: Place, tmp_path: Path) -> None:
    """First nothing arrives, then the answer is lost, then something else arrives."""
    left = iter(["nothing", "answer", "bytes"])

    def bad_day(call: Call) -> Answer | None:
        if call.method != "PUT" or "X-Amz-Signature" not in call.query:
            return None
        what = next(left, "")
        if what == "answer":
            call.send()
        if what == "bytes":
            call.body = call.body[:-1] + b"x"
        return Answer(503, b"") if what in {"nothing", "answer"} else None

    place.front.rules.insert(0, bad_day)
    film(spool(place.home.spool / "cam-1"), 6.0)
    assert place.upload() == 0 or segments(place.home.spool / "cam-1") == []
    while segments(place.home.spool / "cam-1"):
        place.upload()
    assert place.pictures(tmp_path / "seen") == list(range(6 * FPS))
