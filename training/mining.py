"""What a trained network sees beyond the labels: hard negatives, and plates nobody labelled."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from edge_agent.boxes import FloatArray, iou_matrix
from training.augment import GREY, Sample, Window, cut
from training.data import PLATE, Picture, PictureStore
from training.model import Detector, anchor_grid, decode

HARD, DOUBTS = "hard.json", "doubts.json"
SHOW_NOTHING = ("backgrounds", "parcels_negative")
# Only the main plate of a picture is labelled in these: another find there may be a real one.
INCOMPLETE = ("openlpr", "robertlucian")
HARD_SCORE, DOUBT_SCORE = 0.12, 0.4
SCALES = (0.5, 0.8, 1.25)
MOST_PER_PICTURE = 8
Mined = dict[str, list[list[float]]]


def mine_hard(model: Detector, store: Path) -> dict[str, int]:
    """False boxes on every set that shows nothing, into `HARD`; how many by set."""
    return _mine_sets(model, store, SHOW_NOTHING, HARD, HARD_SCORE)


def mine_doubts(model: Detector, store: Path) -> dict[str, int]:
    """Confident plates without a label in incomplete sets, into `DOUBTS`; how many by set.

    Marked once by a network that stands apart, not by the one in training: that one would excuse
    its own mistakes, and did, with headlights and wheels.
    """
    return _mine_sets(model, store, INCOMPLETE, DOUBTS, DOUBT_SCORE)


def read_mined(path: Path, name: str, store: PictureStore) -> list[FloatArray]:
    """Per picture of the store, the mined boxes (K, 4); none where nothing was mined."""
    mined = json.loads(path.read_text()).get(name, {}) if path.exists() else {}
    return [np.array(mined.get(n, []), np.float32).reshape(-1, 4) for n in store.names]


def _mine_sets(
    model: Detector, store: Path, names: tuple[str, ...], file: str, lowest: float
) -> dict[str, int]:
    mined = {name: _mine(model, PictureStore(store / name), lowest) for name in names}
    (store / file).write_text(json.dumps(mined))
    return {name: sum(map(len, boxes.values())) for name, boxes in mined.items()}


def _mine(model: Detector, store: PictureStore, lowest: float) -> Mined:
    """Name of picture -> boxes away from every labelled one, the most confident first."""
    model.eval()
    mined = {}
    for i, name in enumerate(store.names):
        rows = np.concatenate([_find(model, store.picture(i), s, lowest) for s in SCALES])
        if len(store.boxes[i]):
            away = iou_matrix(rows[:, :4], store.boxes[i]).max(axis=1) < 0.1
            rows = rows[away & (rows[:, 5] == PLATE)]
        worst = rows[np.argsort(-rows[:, 4])][:MOST_PER_PICTURE]
        if len(worst):
            mined[name] = worst[:, :4].round(1).tolist()
    return mined


def _find(model: Detector, picture: Picture, scale: float, lowest: float) -> FloatArray:
    """(K, 6): corners, score and class of the best box in each neighbourhood of 64 px."""
    height, width = (max(32, int(n * scale) // 32 * 32) for n in picture.shape[:2])
    nothing = Sample(picture, np.zeros((0, 4), np.float32), np.zeros(0, np.int32))
    view = cut(nothing, Window(0, 0, scale, scale), np.full((height, width, 3), GREY, np.uint8))
    image = torch.from_numpy(view.picture).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        scores, raw = model(image.to(memory_format=torch.channels_last))
        boxes = decode(raw, anchor_grid(height, width))[0].numpy()
    score, label = scores[0].sigmoid().max(1)
    rows = np.concatenate([boxes / scale, score[:, None].numpy(), label[:, None].numpy()], 1)
    rows = rows[rows[:, 4] > lowest]
    rows = rows[np.argsort(-rows[:, 4])]
    cell = ((rows[:, :2] + rows[:, 2:4]) / 2 * scale / 64).astype(int)
    return np.asarray(rows[np.unique(cell, axis=0, return_index=True)[1]], np.float32)
