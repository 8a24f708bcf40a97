"""What the fault tests rest on: the plate is seen when bare, found by the model, and hidden."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.faults.command import redact
from tests.faults.street import assert_plate_hidden, lumas, shows_plate, shows_scene


def test_every_bare_picture_shows_plate_and_scene(street: Path) -> None:
    pictures = list(lumas(street))
    assert len(pictures) == 50
    assert all(shows_plate(luma) and shows_scene(luma) for luma in pictures)


def test_a_grey_picture_shows_neither() -> None:
    grey = np.random.default_rng(1).normal(128, 20, (360, 640)).clip(0, 255).astype(np.uint8)
    assert not shows_plate(grey)
    assert not shows_scene(grey)


def test_the_shipped_model_hides_the_plate_and_shows_the_rest(street: Path, tmp_path: Path) -> None:
    target = tmp_path / "safe.mp4"
    assert redact(street, target).returncode == 0
    pictures = list(lumas(target))
    assert len(pictures) == 50
    assert_plate_hidden(pictures)
    assert all(shows_scene(luma) for luma in pictures)
