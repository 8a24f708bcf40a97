"""Small models to publish, and a look at a repository with a device's eyes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuf.api.exceptions import DownloadHTTPError
from tuf.api.metadata import Metadata, Targets
from tuf.ngclient import FetcherInterface, Updater

from cloud_control.tuf.model_files import ModelFiles
from cloud_control.tuf.repository import DAYS, ModelRepository, RepositoryKeys

LABELS = ["license_plate", "id_card", "shipping_label"]


def write_model(folder: Path, version: str = "1.0.0", *, int8: bool = False, **fields: Any) -> Path:
    """A card and its network, and an int8 form of both; returns the card's path."""
    network = f"network {version}".encode()
    card = _write(folder, "veil", version, network, **fields)
    if int8:
        made_from = hashlib.sha256(network).hexdigest()
        _write(folder, "veil-int8", version, b"small " + network, made_from=made_from)
    return card


def _write(folder: Path, stem: str, version: str, network: bytes, **fields: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    card = {
        "name": stem, "version": version, "file": f"{stem}.onnx",
        "sha256": hashlib.sha256(network).hexdigest(), "labels": LABELS,
        "decoding": "anchor_free_v1", "nms_iou": 0.5, "thresholds": dict.fromkeys(LABELS, 0.3),
    }  # fmt: skip
    (folder / f"{stem}.onnx").write_bytes(network)
    path = folder / f"{stem}.json"
    path.write_text(json.dumps(card | fields), encoding="utf-8")
    return path


def small_model(version: str = "1.0.0") -> ModelFiles:
    return ModelFiles("veil", version, {"veil.json": b"{}" + version.encode(), "veil.onnx": b"n"})


def repository_in(folder: Path, root: Path | None = None) -> ModelRepository:
    keys = RepositoryKeys(folder / "keys" / "online", [root or folder / "keys" / "root"])
    return ModelRepository(folder / "models", keys)


def new_repository(folder: Path, **days: int) -> ModelRepository:
    repository = repository_in(folder)
    repository.create(days={**DAYS, **days})
    return repository


PLACE = "https://models.example/"


class Fetch(FetcherInterface):
    """Fetches what a repository shows."""

    def __init__(self, repository: ModelRepository) -> None:
        self._repository = repository

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            yield self._repository.files.read(url.removeprefix(PLACE))
        except FileNotFoundError:
            raise DownloadHTTPError("not there", 404) from None


class Eyes:
    """A device that trusts a root, and what it can fetch."""

    def __init__(self, repository: ModelRepository, cache: Path) -> None:
        self._repository, self._cache = repository, cache
        self._root = repository.shelf.root_bytes()

    def targets(self) -> dict[str, bytes]:
        """Every file that is offered, each verified. Raises what TUF's client raises."""
        self._cache.mkdir(parents=True, exist_ok=True)
        updater = Updater(
            str(self._cache), f"{PLACE}metadata/", str(self._cache),
            f"{PLACE}targets/", fetcher=Fetch(self._repository), bootstrap=self._root,
        )  # fmt: skip
        updater.refresh()
        targets = Metadata[Targets].from_file(str(self._cache / "targets.json"))
        found = {}
        for path in targets.signed.targets:
            info = updater.get_targetinfo(path)
            assert info
            found[path] = Path(updater.download_target(info)).read_bytes()
        return found
