"""Which pictures are shown how often: real sets, negatives, and scenes with rendered objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from edge_agent.boxes import FloatArray
from training.augment import (
    GREY,
    Sample,
    add_tracer_band,
    choose_window,
    cut,
    filling_window,
    ignore_unseen,
    keep_visible,
    mirror,
    quarter_turn,
    vary_look,
    whole_window,
)
from training.data import (
    IGNORED,
    NOTHING,
    PLATE,
    Annotation,
    Picture,
    PictureStore,
    held_out,
    read_yolo,
)
from training.loss import Targets
from training.mining import DOUBTS, HARD, read_mined
from training.render.bank import Banks, load_banks
from training.render.scene import compose
from training.render.swap import swap_plate

TRACER_SHARE = 0.15
MOSAIC_SHARE = 0.25
WHOLE_SHARE = 0.15
SWAP_SHARE = 0.35
SCENES_SHARE = 0.5
Batch = tuple[torch.Tensor, Targets]


@dataclass(frozen=True, slots=True)
class Source:
    """One set: how often it is drawn, and how often as the ground of a rendered scene.

    tallest: px, to which its objects are scaled; turns: it may stand on any side; scarce: every
    picture is trained on, none held out.
    """

    name: str
    share: float
    ground: float = 0.0
    tallest: float = 110.0
    turns: bool = False
    scarce: bool = False


SOURCES = (
    Source("openlpr", 0.13, tallest=180.0),
    Source("egypt_moto", 0.06),
    Source("robertlucian", 0.05),
    Source("chirag_anpr", 0.01),
    Source("sethu_plates", 0.03, tallest=200.0),
    Source("jaya_plates", 0.025),
    Source("nischay20", 0.005, scarce=True),
    Source("korea_hand", 0.005, scarce=True),
    Source("parcels", 0.14, tallest=220.0, turns=True, scarce=True),
    Source("parcels_negative", 0.06, ground=0.35, turns=True),
    Source("backgrounds", 0.2, ground=0.65),
)


@dataclass(frozen=True, slots=True)
class Places:
    """Folders: of the labelled sets, of the store of decoded pictures, of the banks of patches."""

    data: Path
    cache: Path
    banks: Path


def trained_on(source: Source, data: Path) -> Iterator[Annotation]:
    notes = read_yolo(data / source.name)
    return (note for note in notes if source.scarce or not held_out(note))


class Mixture(IterableDataset[Batch]):
    """An endless stream of batches: pictures (B, 3, H, W) uint8 RGB and their targets.

    Every loader process draws its own; `seed` should change when a run resumes.
    """

    def __init__(
        self,
        places: Places,
        size: tuple[int, int],
        batch: int,
        seed: tuple[int, ...],
        *,
        finishing: bool,
    ) -> None:
        self.sources = [s for s in SOURCES if (places.data / s.name).is_dir()]
        self.stores = [
            PictureStore.build(trained_on(s, places.data), places.cache / s.name)
            for s in self.sources
        ]
        named = list(zip(self.sources, self.stores, strict=True))
        self.hard = [read_mined(places.cache / HARD, s.name, store) for s, store in named]
        self.doubts = [read_mined(places.cache / DOUBTS, s.name, store) for s, store in named]
        self.banks: Banks = load_banks(places.banks, "train")
        self.mined = [any(len(boxes) for boxes in hard) for hard in self.hard]
        self.size, self.batch, self.seed, self.finishing = size, batch, seed, finishing

    def __iter__(self) -> Iterator[Batch]:
        cv2.setNumThreads(1)
        worker = get_worker_info()
        rng = np.random.default_rng([*self.seed, worker.id if worker else 0])
        while True:
            yield collate([self.sample(rng) for _ in range(self.batch)])

    def sample(self, rng: np.random.Generator) -> Sample:
        draw = rng.random()
        if draw < SCENES_SHARE:
            sample = self._scene(rng)
        elif not self.finishing and draw < SCENES_SHARE + MOSAIC_SHARE * (1 - SCENES_SHARE):
            sample = self._mosaic(rng)
        else:
            sample = self._view(rng, self.size)
        if rng.random() < 0.3:
            sample = mirror(sample)
        strength = 0.5 if draw < SCENES_SHARE else 1.0  # scenes bring some of it along
        sample = ignore_unseen(replace(sample, picture=vary_look(rng, sample.picture, strength)))
        band = rng.random() < (0.5 if self.finishing else TRACER_SHARE)
        return add_tracer_band(rng, sample) if band else sample

    def _scene(self, rng: np.random.Generator) -> Sample:
        """Rendered objects on a real picture that shows none."""
        grounds = np.array([s.ground for s in self.sources])
        kind = int(rng.choice(len(grounds), p=grounds / grounds.sum()))
        ground = self._pick(rng, kind)[0]
        size = self.size
        view = cut(ground, filling_window(rng, ground, size), self._canvas(rng, size))
        picture, boxes, labels = compose(rng, view.picture, self.banks)
        boxes, labels = keep_visible(boxes, labels.astype(np.int32), (0, 0, *size))
        return Sample(picture, boxes, labels)

    def _view(self, rng: np.random.Generator, size: tuple[int, int]) -> Sample:
        shares = np.array([s.share for s in self.sources])
        kind = int(rng.choice(len(shares), p=shares / shares.sum()))
        source, (sample, interest) = self.sources[kind], self._pick(rng, kind)
        if source.turns and not len(interest) and rng.random() < 0.3:
            sample = quarter_turn(sample)
        if rng.random() < (0.6 if self.finishing else WHOLE_SHARE):
            window = whole_window(rng, sample, size)
        else:
            window = choose_window(rng, sample, interest, size, source.tallest)
        view = cut(sample, window, self._canvas(rng, size))
        plates = np.flatnonzero(view.labels == PLATE)
        if len(plates) and rng.random() < SWAP_SHARE:
            chosen = rng.choice(plates)
            picture, box = swap_plate(rng, view.picture, view.boxes[chosen], self.banks)
            boxes = view.boxes.copy()
            boxes[chosen] = box
            view = replace(view, picture=picture, boxes=boxes)
        return view

    def _pick(self, rng: np.random.Generator, kind: int) -> tuple[Sample, FloatArray]:
        """A picture of the set and the boxes to look at: its objects, or mined false ones."""
        store, hard = self.stores[kind], self.hard[kind]
        i = int(rng.integers(len(store)))
        if rng.random() < 0.5 and self.mined[kind]:
            weights = np.array([len(boxes) for boxes in hard], np.float64)
            i = int(rng.choice(len(store), p=weights / weights.sum()))
        doubts = self.doubts[kind][i]
        boxes = np.concatenate([store.boxes[i], doubts])
        labels = np.append(store.labels[i], np.full(len(doubts), IGNORED)).astype(np.int32)
        interest = hard[i] if len(hard[i]) else store.boxes[i]
        return Sample(store.picture(i), boxes, labels), interest

    def _mosaic(self, rng: np.random.Generator) -> Sample:
        """Four views beside each other: more scales and neighbours in one picture."""
        width, height = self.size
        x, y = int(rng.uniform(0.3, 0.7) * width), int(rng.uniform(0.3, 0.7) * height)
        picture = np.empty((height, width, 3), np.uint8)
        boxes, labels = [], []
        for x1, y1, x2, y2 in (
            (0, 0, x, y),
            (x, 0, width, y),
            (0, y, x, height),
            (x, y, width, height),
        ):
            view = self._view(rng, (x2 - x1, y2 - y1))
            picture[y1:y2, x1:x2] = view.picture
            boxes.append(view.boxes + np.array([x1, y1, x1, y1], np.float32))
            labels.append(view.labels)
        return Sample(picture, np.concatenate(boxes), np.concatenate(labels))

    def _canvas(self, rng: np.random.Generator, size: tuple[int, int]) -> Picture:
        """What shows where a picture ends: grey as at the edge, a colour, or another picture."""
        canvas = np.empty((size[1], size[0], 3), np.uint8)
        draw = rng.random()
        canvas[:] = GREY if draw < 0.4 else rng.integers(0, 256, 3)
        if draw > 0.6:
            kind = int(rng.choice(np.flatnonzero([s.ground > 0.5 for s in self.sources])))
            ground = self._pick(rng, kind)[0]
            canvas = cut(ground, filling_window(rng, ground, size), canvas).picture
        return canvas


def collate(samples: list[Sample]) -> Batch:
    most = max(1, *(len(s.labels) for s in samples))
    boxes = torch.zeros(len(samples), most, 4)
    labels = torch.full((len(samples), most), NOTHING, dtype=torch.int64)
    for i, sample in enumerate(samples):
        boxes[i, : len(sample.labels)] = torch.from_numpy(sample.boxes)
        labels[i, : len(sample.labels)] = torch.from_numpy(sample.labels)
    pictures = torch.from_numpy(np.stack([s.picture for s in samples])).permute(0, 3, 1, 2)
    return pictures, Targets(boxes, labels)
