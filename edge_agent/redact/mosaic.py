"""Hides boxes and zones of a frame, in place, on its Y, U and V planes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.boxes import IntArray
from edge_agent.redact.cells import Cells, Planes, averages, noise_table, noisy
from edge_agent.redact.cover import Cover
from edge_agent.redact.ring import ring_colours, ring_means
from edge_agent.redact.zones import Mask, Polygons, zone_mask

CROWD = 64  # above this many boxes each gets one flat colour: the cost must not run away
SOLID_LUMA = 40


class Style(StrEnum):
    """How hidden pixels look.

    mosaic: cells in the colours around the box, free of anything hidden; solid: one dark tone;
    average: the classic look, whose cells average what they hide. Text under `average` can
    sometimes be read back, the more so from many frames: it is the weaker choice.
    """

    MOSAIC = "mosaic"
    SOLID = "solid"
    AVERAGE = "average"


@dataclass(frozen=True, slots=True)
class Mosaic:
    """A way of hiding: its style, and the zones that are always hidden."""

    style: Style = Style.MOSAIC
    zones: Polygons = ()

    def paint(self, planes: Planes, cover: Cover, seed: int) -> None:
        """Hide the covered boxes and the zones; `planes` (Y, U, V of one frame) are written to.

        The same seed, track and box size give the same noise in every frame.
        Raises ValueError when the cover was made for another frame size.
        """
        if planes[0].shape != (cover.height, cover.width):
            raise ValueError(f"cover of {cover.width}x{cover.height}, frame {planes[0].shape}")
        masks = [zone_mask(zone, cover.width, cover.height) for zone in self.zones]
        masks = [mask for mask in masks if mask.any()]
        if not len(cover) and not masks:
            return
        boxes = np.concatenate([cover.xyxy, *[_bounds(mask) for mask in masks]])
        tracks = np.concatenate([cover.track, -1 - np.arange(len(masks), dtype=np.int32)])
        if self.style is Style.MOSAIC:
            hidden = _hidden(cover, masks)
            noise = noise_table(seed)
            cells = _ring_cells(planes, boxes, tracks, hidden=hidden, noise=noise)
        elif self.style is Style.AVERAGE:
            cells = [averages(planes, box) for box in boxes.tolist()]
        else:
            cells = [np.array([[[SOLID_LUMA, 128, 128]]], np.uint8)] * len(boxes)
        only: list[Mask | None] = [*([None] * len(cover)), *masks]
        for box, cell, mask in zip(boxes.tolist(), cells, only, strict=True):
            _fill(planes, box, cell, mask)


def _ring_cells(
    planes: Planes,
    boxes: IntArray,
    tracks: IntArray,
    *,
    hidden: NDArray[np.uint8],
    noise: NDArray[np.float32],
) -> list[Cells]:
    """The cells of every box, from the colours around it; all read before anything is painted."""
    if len(boxes) > CROWD:
        flat = ring_means(planes, boxes, hidden) + noise[tracks % len(noise), 0]
        return list(np.clip(flat, 0, 255).astype(np.uint8)[:, None, None])
    colours = ring_colours(planes, boxes, hidden)
    return [
        noisy(colour, noise, box, track)
        for colour, box, track in zip(colours, boxes.tolist(), tracks.tolist(), strict=True)
    ]


def _hidden(cover: Cover, masks: list[Mask]) -> NDArray[np.uint8]:
    """Everything that is covered, by box or zone: (H/2, W/2), 1 where hidden."""
    hidden = np.zeros((cover.height // 2, cover.width // 2), np.uint8)
    for x1, y1, x2, y2 in (cover.xyxy >> 1).tolist():
        hidden[y1:y2, x1:x2] = 1
    for mask in masks:
        hidden |= mask.view(np.uint8)
    return hidden


def _bounds(mask: Mask) -> IntArray:
    """The luma box around a half-resolution mask: (1, 4)."""
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    return np.array([[2 * x, 2 * y, 2 * (x + w), 2 * (y + h)]], np.int32)


def _fill(planes: Planes, box: list[int], cells: Cells, mask: Mask | None) -> None:
    """Enlarge the cells over a luma box; with a mask, only where it is set."""
    x1, y1, x2, y2 = box
    for plane, colour, shift in zip(planes, cv2.split(cells), (0, 1, 1), strict=True):
        target = plane[y1 >> shift : y2 >> shift, x1 >> shift : x2 >> shift]
        if mask is None and colour.size == 1:
            target[:] = colour[0, 0]
            continue
        size = (target.shape[1], target.shape[0])
        paint = cv2.resize(colour, size, interpolation=cv2.INTER_NEAREST)
        if mask is None:
            target[:] = paint
        else:
            part = mask[y1 >> 1 : y2 >> 1, x1 >> 1 : x2 >> 1]
            wide = part if shift else part.repeat(2, axis=0).repeat(2, axis=1)
            np.copyto(target, paint, where=wide)
