"""The models kept on the device: a folder each, whole or not there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from edge_agent.detect.card import ModelCard, load_card, read_model
from edge_agent.detect.variant import variant_for_this_cpu
from edge_agent.errors import ModelError
from edge_agent.fleet.home import sync_folder, write_private
from edge_agent.fleet.models.outcomes import NotNowError
from edge_agent.fleet.models.package import Package

BUILT_IN = ""  # the key of the model that came with the software; it is never removed


class ModelStore:
    """Below `folder`: `kept/KEY/` for each model, `incoming/` for downloads, `metadata/` for what
    was seen of the repository. A key is name, version and hash."""

    def __init__(self, folder: Path, built_in: Path) -> None:
        self.folder, self._built_in = folder, built_in
        self.incoming, self.metadata = folder / "incoming", folder / "metadata"
        self._kept = folder / "kept"
        self._kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        for half in self._kept.glob(".*"):
            shutil.rmtree(half, ignore_errors=True)

    def keep(self, package: Package) -> str:
        """Take a verified model in, under its key. Raises NotNowError when the disk is full."""
        card = package.card
        key = f"{card.name}-{card.version}-{card.sha256[:16]}"
        if self.is_whole(key):
            return key
        half = self._kept / f".{key}"
        try:
            shutil.rmtree(half, ignore_errors=True)
            shutil.rmtree(self._kept / key, ignore_errors=True)
            half.mkdir(mode=0o700)
            for name, path in package.files.items():
                write_private(half / name, path.read_bytes())
            half.replace(self._kept / key)
            sync_folder(self._kept)
        except OSError as problem:
            raise NotNowError(f"the model cannot be stored: {problem.strerror}") from None
        return key

    def card_path(self, key: str) -> Path:
        """Where the card of a kept model lies."""
        if key == BUILT_IN:
            return self._built_in
        return self._kept / key / f"{key.rsplit('-', 2)[0]}.json"

    def is_whole(self, key: str) -> bool:
        """Whether card and network, and those of the form for this processor, are undamaged."""
        try:
            card = load_card(self.card_path(key))
            read_model(card)
            read_model(variant_for_this_cpu(card))
        except ModelError:
            return False
        return True

    def find(self, name: str, version: str) -> str | None:
        """The key of a kept, undamaged model; the built-in one counts."""
        for key in (BUILT_IN, *sorted(path.name for path in self._kept.iterdir())):
            card = self.card(key)
            if card and (card.name, card.version) == (name, version) and self.is_whole(key):
                return key
        return None

    def card(self, key: str) -> ModelCard | None:
        """The card of a kept model; None if it cannot be read."""
        try:
            return load_card(self.card_path(key))
        except ModelError:
            return None

    def sha256s(self, key: str) -> frozenset[str]:
        """Hashes by which a kept model may be running: its own, and that of the form for this
        processor."""
        card = self.card(key)
        if card is None:
            return frozenset()
        try:
            return frozenset({card.sha256, variant_for_this_cpu(card).sha256})
        except ModelError:
            return frozenset({card.sha256})

    def drop_others(self, keys: Iterable[str]) -> None:
        """Remove all models but these, and all downloads."""
        kept = set(keys)
        for path in self._kept.iterdir():
            if path.name not in kept:
                gone = path.with_name(f".{path.name}")
                path.replace(gone)  # never half a model under its own name
                shutil.rmtree(gone, ignore_errors=True)
        shutil.rmtree(self.incoming, ignore_errors=True)
