"""Which form of a model this processor runs: the model itself anywhere, its int8 form where apt."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2

from edge_agent.detect.card import ModelCard, load_card

_MOST_FEATURES = 64  # OpenCV numbers those of single processors below, families above


def variant_for_this_cpu(card: ModelCard) -> ModelCard:
    """The card of the int8 form beside `card` where this processor gains by it, else `card`.

    Only a form made from this very model file counts. Raises ModelError when its card is spoilt.
    """
    path = int8_card(card.folder / f"{card.name}.json")
    if not path.is_file():
        return card
    variant = load_card(path)
    return variant if variant.made_from == card.sha256 and runs_here(variant) else card


def int8_card(card: Path) -> Path:
    """Where the card of the int8 form of this card's model lies."""
    return card.with_name(f"{card.stem}-int8.json")


def runs_here(card: ModelCard) -> bool:
    """Whether this processor has one of the features that the model needs, if it needs any."""
    return not card.needs or not cpu_features().isdisjoint(card.needs)


@lru_cache(maxsize=1)
def cpu_features() -> frozenset[str]:
    """What this processor can do, in OpenCV's words, for instance AVX2 or AVX512VNNI."""
    known = (i for i in range(_MOST_FEATURES) if cv2.checkHardwareSupport(i))
    return frozenset(cv2.getHardwareFeatureName(i) for i in known)
