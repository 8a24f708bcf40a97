"""Attacks on the way of a model, each named after what it tries. None of them changes what runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Timestamp

from cloud_control.tuf.keys import KeyFolder
from cloud_control.tuf.repository import ModelRepository
from edge_agent.errors import FleetError
from edge_agent.fleet.models.transfer import ModelSource, Transfer
from tests.fleet.models.server import Site, cut_after, drip, endless, redirect_to, send
from tests.fleet.models.workshop import (
    AT_ONCE_GOOD,
    QUICK,
    SHIPPED,
    Device,
    make_repository,
    model,
    wait_for,
    wanted,
)

pytestmark = pytest.mark.usefixtures("quick_test")

RETRYING = replace(QUICK, again=0.1)


@pytest.fixture(autouse=True)
def _nothing_changed(device: Device) -> Iterator[None]:
    """The repository has a sound model; whatever the test did, no other one was ever used."""
    yield
    assert set(device.host.used) <= {"9.0.0", "9.1.0", SHIPPED}
    for card in device.folder.glob("kept/*/veil-nano.json"):
        assert json.loads(card.read_text(encoding="utf-8"))["version"] in {"9.0.0", "9.1.0"}


def refusal(device: Device, version: str = "9.0.0") -> str | None:
    reason = device.run(version, until="refused").reason
    assert device.runs != version
    return reason


def swap_in(folder: Path, other: Path) -> None:
    """Let a server show other files from now on."""
    shutil.rmtree(folder)
    shutil.copytree(other, folder)


def network_of(repository: ModelRepository, version: str) -> Path:
    (network,) = (repository.folder / "targets" / "veil-nano" / version).glob("*.onnx")
    return network


def test_forged_a_repository_with_an_attackers_keys(
    repository: ModelRepository, device: Device, tmp_path: Path
) -> None:
    attacker = make_repository(tmp_path / "attacker")
    attacker.publish(model("9.0.0"))
    swap_in(repository.folder, attacker.folder)
    assert refusal(device) in {"metadata_unsigned", "metadata_invalid"}


def test_forged_a_timestamp_without_a_signature(
    repository: ModelRepository, device: Device, site: Site
) -> None:
    repository.publish(model("9.0.0"))
    path = repository.folder / "metadata" / "timestamp.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    site.faults["timestamp"] = send(json.dumps(content | {"signatures": []}).encode())
    assert refusal(device) == "metadata_unsigned"


def test_forged_a_network_with_another_content_of_the_same_length(
    repository: ModelRepository, device: Device
) -> None:
    repository.publish(model("9.0.0"))
    network = network_of(repository, "9.0.0")
    content = bytearray(network.read_bytes())
    content[1000] ^= 1
    network.write_bytes(content)
    assert refusal(device) == "wrong_hash"
    assert not list(device.folder.rglob("*.part"))


def test_older_metadata_replayed_after_newer_was_seen(
    repository: ModelRepository, device: Device, tmp_path: Path
) -> None:
    repository.publish(model("9.0.0"))
    shutil.copytree(repository.folder, tmp_path / "yesterday")
    repository.publish(model("9.1.0"))
    device.run("9.1.0")
    swap_in(repository.folder, tmp_path / "yesterday")
    assert refusal(device, "9.0.0") == "older_version"
    device.stop()
    (device.folder / "record.json").unlink()
    assert refusal(device, "9.0.0") == "metadata_older"


def test_older_model_wanted_that_is_not_kept(repository: ModelRepository, device: Device) -> None:
    repository.publish(model("9.0.0"))
    repository.publish(model("9.1.0"))
    device.run("9.1.0")
    assert refusal(device, "9.0.0") == "older_version"


def test_truncated_a_download_that_breaks_off_goes_on_where_it_stopped(
    repository: ModelRepository, device: Device, site: Site
) -> None:
    repository.publish(model("9.0.0"))
    site.faults[r"\.onnx"] = cut_after(900_000)
    device.run("9.0.0")
    ranges = [asked for path, asked in site.requests if path.endswith(".onnx")]
    assert ranges == [None, "bytes=900000-", "bytes=1800000-"]


def test_truncated_a_file_that_is_shorter_than_signed_is_never_stored(
    repository: ModelRepository, device: Device, site: Site
) -> None:
    repository.publish(model("9.0.0"))
    whole = network_of(repository, "9.0.0").read_bytes()
    site.faults[r"\.onnx"] = send(whole[:-1])
    device.run("9.0.0", until="downloading")
    wait_for(lambda: len(site.requests) > 12, lambda: "it gave up")
    assert device.kept() == []
    assert device.runs == SHIPPED
    site.faults.clear()
    device.wait("9.0.0", "done")


def test_swapped_the_beginning_of_another_file_is_thrown_away(
    repository: ModelRepository, device: Device, site: Site
) -> None:
    repository.publish(model("9.0.0"))
    site.faults[r"\.onnx"] = lambda handler: handler.answer(200, b"x" * 5000)
    device.run("9.0.0", until="downloading")
    wait_for(lambda: list(device.folder.rglob("*.part")), lambda: "no part")
    site.faults.clear()
    device.wait("9.0.0", "done")


def test_swapped_two_files_of_the_repository(
    repository: ModelRepository, device: Device, site: Site
) -> None:
    repository.publish(model("9.0.0"))
    repository.publish(model("9.1.0"))
    site.faults[r"9\.0\.0/.*onnx"] = send(network_of(repository, "9.1.0").read_bytes())
    assert refusal(device) == "wrong_hash"


def test_swapped_a_card_that_is_not_the_model_wanted(
    repository: ModelRepository, device: Device
) -> None:
    repository.publish(model("9.0.0"))
    other = wanted("9.0.0").model_copy(update={"version": "9.5.0"})
    device.start().want(other, False)
    assert device.wait("9.5.0", "refused").reason == "not_the_model_wanted"


def test_mixed_a_card_with_another_models_network(
    repository: ModelRepository, device: Device
) -> None:
    files = model("9.0.0")
    other = model("9.1.0").contents["veil-nano.onnx"]
    repository.publish(replace(files, contents={**files.contents, "veil-nano.onnx": other}))
    assert refusal(device) == "mixed_files"


@pytest.mark.parametrize("part", ["snapshot", "targets"])
def test_mixed_metadata_of_different_moments(
    repository: ModelRepository, device: Device, site: Site, part: str
) -> None:
    repository.publish(model("9.0.0"))
    repository.publish(model("9.1.0"))
    repository.revoke("veil-nano", "9.1.0")
    earlier = (repository.folder / "metadata" / f"3.{part}.json").read_bytes()
    site.faults[rf"4\.{part}"] = send(earlier)
    assert refusal(device) in {"metadata_mixed", "metadata_too_long"}


def test_freeze_a_repository_that_nobody_refreshes(
    site: Site, device: Device, tmp_path: Path
) -> None:
    frozen = make_repository(tmp_path / "frozen", timestamp=0)
    frozen.publish(model("9.0.0"))
    swap_in(site.folder, frozen.folder)
    (device.folder.parent / "root.json").write_bytes(frozen.shelf.root_bytes())
    assert refusal(device) == "metadata_expired"


def test_freeze_ends_by_itself_once_the_repository_is_refreshed(
    repository: ModelRepository, device: Device, site: Site
) -> None:
    repository.publish(model("9.0.0"))
    path = repository.folder / "metadata" / "timestamp.json"
    old = Metadata[Timestamp].from_file(str(path))
    old.signed.expires = old.signed.expires.replace(year=2020)
    old.sign(KeyFolder(repository.keys.online).of_role("timestamp")[0])
    site.faults["timestamp"] = send(old.to_bytes())
    device.start(RETRYING)
    assert refusal(device) == "metadata_expired"
    site.faults.clear()
    device.wait("9.0.0", "done")


def test_endless_metadata(repository: ModelRepository, device: Device, site: Site) -> None:
    repository.publish(model("9.0.0"))
    site.faults["timestamp"] = endless
    assert refusal(device) == "metadata_too_long"


def test_endless_model(repository: ModelRepository, device: Device, site: Site) -> None:
    repository.publish(model("9.0.0"))
    site.faults[r"\.onnx"] = endless
    assert refusal(device) == "too_long"
    assert not list(device.folder.rglob("*.part"))


@pytest.mark.parametrize("what", ["timestamp", r"\.onnx"])
def test_slow_retrieval_ends_and_is_tried_again(
    repository: ModelRepository, device: Device, site: Site, what: str
) -> None:
    repository.publish(model("9.0.0"))
    site.faults[what] = drip
    device.run("9.0.0", until="downloading")

    def again() -> bool:
        return sum(what.strip("\\") in path for path, _ in site.requests) > 1

    wait_for(again, lambda: "it hangs on the first request")
    site.faults.clear()
    device.wait("9.0.0", "done")


def test_a_stolen_key_is_of_no_use_after_its_rotation(
    repository: ModelRepository, device: Device
) -> None:
    stolen = KeyFolder(repository.keys.online).of_role("timestamp")[0]
    repository.publish(model("9.0.0"))
    repository.rotate("timestamp")
    path = repository.folder / "metadata" / "timestamp.json"
    forged = Metadata[Timestamp].from_file(str(path))
    forged.signed.version += 100
    forged.sign(stolen)
    path.write_bytes(forged.to_bytes())
    assert refusal(device) == "metadata_unsigned"


def test_a_revoked_model(repository: ModelRepository, device: Device) -> None:
    repository.publish(model("9.0.0"))
    repository.revoke("veil-nano", "9.0.0")
    assert refusal(device) == "not_in_repository"


def test_a_redirect_is_not_followed(
    repository: ModelRepository, device: Device, site: Site, tmp_path: Path
) -> None:
    repository.publish(model("9.0.0"))
    with Site(tmp_path) as elsewhere:
        site.faults["timestamp"] = redirect_to(elsewhere.url)
        device.run("9.0.0", until="downloading")
        wait_for(lambda: len(site.requests) > 4, lambda: "it gave up")
        assert elsewhere.requests == []


@pytest.mark.parametrize("url", ["http://models.example/", "ftp://x/", "file:///etc/"])
def test_an_address_that_is_not_https_is_refused(device: Device, url: str) -> None:
    source: ModelSource = replace(device.source, targets_url=url)
    with pytest.raises(FleetError, match="https"):
        Transfer(source)
    assert Transfer(replace(device.source, targets_url="https://models.example/"))


def test_devices_follow_every_rotation_without_noticing(
    repository: ModelRepository, device: Device
) -> None:
    device.start(AT_ONCE_GOOD)
    repository.publish(model("9.0.0"))
    repository.rotate("root")
    device.run("9.0.0")
    for role in ("timestamp", "snapshot", "targets", "root", "timestamp"):
        repository.rotate(role)
    repository.publish(model("9.1.0"))
    device.run("9.1.0")


def test_a_repository_restored_from_an_old_backup_recovers_by_rotation(
    repository: ModelRepository, device: Device, tmp_path: Path
) -> None:
    shutil.copytree(repository.folder, tmp_path / "backup")
    repository.publish(model("9.0.0"))
    device.start(RETRYING)
    device.run("9.0.0")
    swap_in(repository.folder, tmp_path / "backup")
    repository.refresh()
    assert refusal(device, "9.1.0") in {"metadata_older", "not_in_repository"}
    repository.rotate("timestamp")
    repository.rotate("snapshot")
    repository.publish(model("9.1.0"))
    device.wait("9.1.0", "done")
