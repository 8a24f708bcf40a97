"""The model repository as a device sees it: with TUF's own client, after every kind of change."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.exceptions import ExpiredMetadataError, RepositoryError

from cloud_control.errors import ModelsError
from cloud_control.tuf.keys import KeyFolder
from cloud_control.tuf.model_files import read_model_files
from cloud_control.tuf.repository import DAYS, ModelRepository, RepositoryKeys
from tests.cloud_control.tuf_models import (
    Eyes,
    new_repository,
    repository_in,
    small_model,
    write_model,
)


@pytest.fixture
def repository(tmp_path: Path) -> ModelRepository:
    return new_repository(tmp_path / "data")


@pytest.fixture
def eyes(repository: ModelRepository, tmp_path: Path) -> Eyes:
    return Eyes(repository, tmp_path / "cache")


def test_keys_are_their_owners_alone_and_not_among_what_is_served(
    repository: ModelRepository, tmp_path: Path
) -> None:
    keys = list((tmp_path / "data" / "keys").rglob("*.pem"))
    assert len(keys) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in keys} == {0o700}
    served = {path.name for path in repository.folder.rglob("*") if path.is_file()}
    assert served == {"1.root.json", "1.targets.json", "1.snapshot.json", "timestamp.json", ".lock"}
    assert b"PRIVATE" not in b"".join(p.read_bytes() for p in repository.folder.rglob("*.json"))


def test_a_published_model_can_be_fetched_with_all_its_files(
    repository: ModelRepository, eyes: Eyes, tmp_path: Path
) -> None:
    card = write_model(tmp_path / "model", int8=True)
    published = repository.publish(read_model_files(card))
    assert published.wanted.target == "veil/1.0.0/veil.json"
    assert published.channel == "canary"
    assert eyes.targets() == {
        f"veil/1.0.0/{path.name}": path.read_bytes() for path in card.parent.iterdir()
    }


def test_models_are_listed_by_name_newest_first_with_their_channel(
    repository: ModelRepository,
) -> None:
    for version in ("1.9.0", "1.10.0"):
        repository.publish(small_model(version))
    repository.promote("veil", "1.9.0")
    found = [(one.wanted.version, one.channel) for one in repository.models()]
    assert found == [("1.10.0", "canary"), ("1.9.0", "stable")]


@pytest.mark.parametrize("version", ["1.2.0", "1.1.9", "0.9.0"])
def test_a_version_is_never_used_twice(repository: ModelRepository, version: str) -> None:
    repository.publish(small_model("1.2.0"))
    repository.revoke("veil", "1.2.0")
    with pytest.raises(ModelsError, match=r"not newer than 1\.2\.0"):
        repository.publish(small_model(version))


def test_a_revoked_model_is_gone_with_its_files(repository: ModelRepository, eyes: Eyes) -> None:
    repository.publish(small_model("1.0.0"))
    repository.publish(small_model("1.1.0"))
    repository.revoke("veil", "1.0.0")
    assert set(eyes.targets()) == {"veil/1.1.0/veil.json", "veil/1.1.0/veil.onnx"}
    assert not list((repository.folder / "targets" / "veil" / "1.0.0").glob("*"))
    for change in (repository.revoke, repository.promote):
        with pytest.raises(ModelsError, match="not published"):
            change("veil", "1.0.0")


def test_devices_follow_each_rotation_and_old_keys_are_gone(
    repository: ModelRepository, eyes: Eyes, tmp_path: Path
) -> None:
    repository.publish(small_model())
    before = {path.name for path in (tmp_path / "data" / "keys").rglob("*.pem")}
    for role in ("timestamp", "snapshot", "targets", "root"):
        repository.rotate(role)
        assert eyes.targets()
    after = {path.name for path in (tmp_path / "data" / "keys").rglob("*.pem")}
    assert len(after) == 4
    assert not before & after
    repository.publish(small_model("2.0.0"))
    assert len(eyes.targets()) == 4


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_lost_online_key_is_replaced_with_the_root_keys(
    repository: ModelRepository, eyes: Eyes, role: str
) -> None:
    repository.publish(small_model())
    for path in repository.keys.online.glob(f"{role}-*.pem"):
        path.unlink()
    with pytest.raises(ModelsError, match=f"rotate-key {role}"):
        repository.publish(small_model("1.1.0"))
    repository.rotate(role)
    repository.publish(small_model("1.1.0"))
    assert len(eyes.targets()) == 4


def test_everyday_work_needs_no_root_key_but_a_rotation_does(
    repository: ModelRepository, eyes: Eyes, tmp_path: Path
) -> None:
    root = repository.keys.root[0]
    root.rename(tmp_path / "in a safe")
    repository.publish(small_model())
    repository.refresh()
    for role in ("timestamp", "root"):
        with pytest.raises(ModelsError, match="--root-keys"):
            repository.rotate(role)
        assert eyes.targets()
    away = ModelRepository(
        repository.folder, RepositoryKeys(repository.keys.online, [tmp_path / "in a safe"])
    )
    away.rotate("timestamp")
    assert eyes.targets()


def test_a_threshold_of_root_keys_must_be_there(tmp_path: Path) -> None:
    repository = repository_in(tmp_path / "data")
    repository.create(root_keys=3, threshold=2)
    eyes = Eyes(repository, tmp_path / "cache")
    keys = sorted(repository.keys.root[0].glob("*.pem"))
    keys[0].unlink()
    repository.rotate("snapshot")
    assert eyes.targets() == {}
    keys[1].unlink()
    with pytest.raises(ModelsError, match="2 of the root keys"):
        repository.rotate("snapshot")
    with pytest.raises(ModelsError, match="threshold"):
        repository_in(tmp_path / "other").create(root_keys=1, threshold=2)


def test_a_refresh_renews_what_is_due_and_nothing_else(tmp_path: Path) -> None:
    repository = new_repository(tmp_path / "data", snapshot=0, root=0)
    before = repository.shelf.read()
    expires = repository.refresh()
    after = repository.shelf.read()
    assert after.timestamp.signed.version == before.timestamp.signed.version + 1
    assert after.snapshot.signed.version == before.snapshot.signed.version + 1
    assert after.targets.signed.version == before.targets.signed.version
    assert after.root.signed.version == before.root.signed.version + 1
    assert set(expires) == set(DAYS)
    left = expires["timestamp"] - datetime.now(UTC)
    assert timedelta(days=6) < left <= timedelta(days=7)


def test_a_repository_that_is_not_refreshed_is_distrusted(tmp_path: Path) -> None:
    repository = new_repository(tmp_path / "data", timestamp=0)
    with pytest.raises(ExpiredMetadataError):
        Eyes(repository, tmp_path / "cache").targets()


def test_a_device_of_another_repository_takes_nothing(
    repository: ModelRepository, tmp_path: Path
) -> None:
    other = new_repository(tmp_path / "other")
    eyes = Eyes(other, tmp_path / "cache")
    other.folder.rename(tmp_path / "gone")
    repository.folder.rename(other.folder)
    with pytest.raises(RepositoryError):
        eyes.targets()


def test_what_is_there_is_not_made_again(repository: ModelRepository) -> None:
    with pytest.raises(ModelsError, match="already"):
        repository.create()


def test_spoilt_metadata_or_keys_are_named(repository: ModelRepository, tmp_path: Path) -> None:
    with pytest.raises(ModelsError, match="models init"):
        repository_in(tmp_path / "nothing").publish(small_model())
    path = repository.folder / "metadata" / "1.targets.json"
    content = path.read_bytes()
    for spoilt in (content[:50], b"", b"[]"):
        path.write_bytes(spoilt)
        with pytest.raises(ModelsError, match=r"1\.targets\.json is missing or damaged"):
            repository.models()
    path.write_bytes(content)
    (key,) = repository.keys.online.glob("timestamp-*")
    key.write_text("no key", encoding="utf-8")
    with pytest.raises(ModelsError, match="no readable key"):
        KeyFolder(repository.keys.online).of_role("timestamp")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"version": "1.0"}, "version"),
        ({"name": "Veil Nano"}, "name"),
        ({"file": "../veil.onnx"}, "file"),
        ({"file": "veil.json"}, "file must name the network"),
        ({"sha256": "0" * 64}, "not the file of its card"),
        ({"labels": ["license_plate"]}, "labels"),
        ({"labels": ["id_card", "license_plate", "shipping_label"]}, "labels must be"),
        ({"thresholds": {"id_card": 0.3}}, "thresholds"),
        ({"nms_iou": 7}, "nms_iou"),
        ({"file": "other.onnx"}, "Cannot read"),
    ],
)
def test_a_card_that_devices_would_refuse_is_not_published(
    tmp_path: Path, fields: dict[str, object], words: str
) -> None:
    card = write_model(tmp_path, **fields)
    with pytest.raises(ModelsError, match=words):
        read_model_files(card)


def test_an_int8_form_of_another_model_is_not_published(tmp_path: Path) -> None:
    card = write_model(tmp_path, int8=True)
    write_model(tmp_path, "1.1.0")
    with pytest.raises(ModelsError, match="not made from"):
        read_model_files(card)
