"""The model repository in a bucket: as devices see it, and with two publishers at once."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cloud_control.adapters.aws import models
from cloud_control.adapters.aws.models import BucketFiles
from cloud_control.errors import ModelsError
from cloud_control.tuf.files import OvertakenError, persistently
from cloud_control.tuf.keys import KeyFolder
from cloud_control.tuf.model_files import ModelFiles
from cloud_control.tuf.repository import ModelRepository, RepositoryKeys
from tests.cloud_control.aws.front import Call, Front
from tests.cloud_control.aws.moto_server import Cloud
from tests.cloud_control.tuf_models import Eyes, small_model


class Bucket:
    """One repository's place; `here` is what a publisher with all keys works with."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.name = cloud.bucket()
        self.s3 = cloud.client("s3")
        self._cloud, self._folder = cloud, folder
        self.here = self.publisher()

    def publisher(self, cloud: Cloud | None = None, keys: RepositoryKeys | None = None) -> Any:
        files = BucketFiles((cloud or self._cloud).client("s3"), self.name)
        return ModelRepository(files, keys or self.keys)

    @property
    def keys(self) -> RepositoryKeys:
        return RepositoryKeys(self._folder / "online", [self._folder / "root"])

    def paths(self, below: str = "") -> set[str]:
        found = self.s3.list_objects_v2(Bucket=self.name, Prefix=below)
        return {one["Key"] for one in found.get("Contents", [])}

    def shown(self) -> set[str]:
        """All that a device could install, each file fetched and checked by TUF's own client."""
        return set(Eyes(self.here, self._folder / "cache").targets())


@pytest.fixture
def bucket(cloud: Cloud, tmp_path: Path) -> Bucket:
    made = Bucket(cloud, tmp_path)
    made.here.create()
    return made


def test_devices_see_what_was_published_promoted_and_revoked(bucket: Bucket) -> None:
    bucket.here.publish(small_model("1.0.0"))
    bucket.here.publish(small_model("1.1.0"))
    bucket.here.promote("veil", "1.0.0")
    assert [(one.wanted.version, one.channel) for one in bucket.here.models()] == [
        ("1.1.0", "canary"),
        ("1.0.0", "stable"),
    ]
    bucket.here.revoke("veil", "1.1.0")
    assert bucket.shown() == {"veil/1.0.0/veil.json", "veil/1.0.0/veil.onnx"}


def test_all_keys_can_be_changed(bucket: Bucket) -> None:
    bucket.here.publish(small_model("1.0.0"))
    for role in ("timestamp", "snapshot", "targets", "root"):
        bucket.here.rotate(role)
        assert "veil/1.0.0/veil.onnx" in bucket.shown()


def test_there_is_one_repository_in_a_bucket(bucket: Bucket) -> None:
    with pytest.raises(ModelsError, match="already"):
        bucket.here.create()


def test_who_holds_only_some_keys_keeps_it_fresh(bucket: Bucket, tmp_path: Path) -> None:
    bucket.here.publish(small_model("1.0.0"))
    folder = KeyFolder(tmp_path / "online")
    held = [*folder.of_role("timestamp"), *folder.of_role("snapshot")]
    keeper = bucket.publisher(keys=RepositoryKeys(tmp_path / "nowhere", held=held))
    before = bucket.here.shelf.read().timestamp.signed.version
    keeper.refresh()
    assert bucket.here.shelf.read().timestamp.signed.version == before + 1
    with pytest.raises(ModelsError, match="Too few keys"):
        keeper.publish(small_model("1.1.0"))
    assert bucket.shown() == {"veil/1.0.0/veil.json", "veil/1.0.0/veil.onnx"}


def overtaken_at(path: str, rival: Any, model: ModelFiles) -> Any:
    """A rule: just before the first write of a path, another publisher publishes."""
    done = threading.Event()

    def rule(call: Call) -> None:
        if call.method == "PUT" and call.path.endswith(path) and not done.is_set():
            done.set()
            rival.publish(model)

    return rule


@pytest.mark.parametrize("path", ["veil.json", ".targets.json", ".snapshot.json", "timestamp.json"])
def test_of_two_publishers_one_wins_and_the_other_begins_anew(
    bucket: Bucket, front: Front, path: str
) -> None:
    rival = bucket.publisher()
    slow = bucket.publisher(front.cloud)
    front.rules.append(overtaken_at(path, rival, small_model("1.0.0")))
    with pytest.raises(OvertakenError):
        slow.publish(small_model("1.1.0"))
    assert bucket.shown() == {"veil/1.0.0/veil.json", "veil/1.0.0/veil.onnx"}
    slow.publish(small_model("1.1.0"))
    assert len(bucket.shown()) == 4


def test_many_publishers_at_once_lose_nothing(bucket: Bucket) -> None:
    failed: list[BaseException] = []

    def publish(number: int) -> None:
        name = f"veil{number}"
        contents = {f"{name}.json": b"{}", f"{name}.onnx": name.encode()}
        try:
            persistently(lambda: bucket.publisher().publish(ModelFiles(name, "1.0.0", contents)))
        except BaseException as problem:  # noqa: BLE001
            failed.append(problem)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(bucket.shown()) == 6


def test_a_version_is_published_by_one_of_two(bucket: Bucket, front: Front) -> None:
    slow = bucket.publisher(front.cloud)
    front.rules.append(overtaken_at("timestamp.json", bucket.publisher(), small_model("1.0.0")))
    with pytest.raises(ModelsError, match="not newer"):
        persistently(lambda: slow.publish(small_model("1.0.0")))


def test_what_nothing_names_goes_once_nobody_can_be_about_to_name_it(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.here.publish(small_model("1.0.0"))
    bucket.here.revoke("veil", "1.0.0")
    assert len(bucket.paths("targets/")) == 2
    monkeypatch.setattr(models, "SETTLES", timedelta(seconds=-5))
    bucket.here.refresh()
    assert bucket.paths("targets/") == set()
