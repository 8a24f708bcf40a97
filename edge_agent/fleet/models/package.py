"""All files of one model: the card that was asked for, the network that it names, and the int8 form
where this processor runs it. They fit each other, or nothing is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tuf.api.metadata import TargetFile

from edge_agent.detect.card import ModelCard, load_card
from edge_agent.detect.variant import runs_here
from edge_agent.errors import ModelError
from edge_agent.fleet.models.catalog import Catalog
from edge_agent.fleet.models.download import KeepOn, download
from edge_agent.fleet.models.outcomes import RefusedError
from edge_agent.fleet.models.transfer import Transfer
from fleet_contract.wanted_model import WantedModel

MOST_CARD_BYTES = 2**20
MOST_NETWORK_BYTES = 512 * 2**20


@dataclass(frozen=True, slots=True)
class Package:
    """A verified model, not yet kept. `files` is where each lies now, by its own name."""

    card: ModelCard
    files: Mapping[str, Path]


def fetch_package(
    wanted: WantedModel, catalog: Catalog, into: Path, transfer: Transfer, keep_on: KeepOn
) -> Package:
    """Download what is missing in the folder `into`. Raises RefusedError and NotNowError."""

    def get(file: TargetFile, most: int) -> Path:
        if file.length > most:
            raise RefusedError("too_large")
        return download(file, catalog.url(file), into, transfer, keep_on)

    folder = wanted.target.rpartition("/")[0]

    def beside(name: str) -> str:
        return f"{folder}/{name}" if folder else name

    def get_network(card: ModelCard) -> Path:
        file = catalog.need(beside(card.file))
        if file.hashes.get("sha256") != card.sha256:
            raise RefusedError("mixed_files")
        return get(file, MOST_NETWORK_BYTES)

    path = get(catalog.need(wanted.target), MOST_CARD_BYTES)
    card = _read(path)
    if (card.name, card.version) != (wanted.name, wanted.version):
        raise RefusedError("not_the_model_wanted")
    files = {f"{card.name}.json": path, card.file: get_network(card)}
    form_file = catalog.find(beside(f"{card.name}-int8.json"))
    if form_file is not None:
        form_path = get(form_file, MOST_CARD_BYTES)
        form = _read(form_path)
        if form.made_from != card.sha256 or form.version != card.version:
            raise RefusedError("mixed_files")
        if runs_here(form):
            files |= {f"{card.name}-int8.json": form_path, form.file: get_network(form)}
    if len(files) not in {2, 4}:
        raise RefusedError("mixed_files")
    return Package(card, files)


def _read(path: Path) -> ModelCard:
    try:
        return load_card(path)
    except ModelError:
        raise RefusedError("bad_card") from None
