"""Which anchor answers for which object, and what its error costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.data import IGNORED
from training.model import decode

BOX_WEIGHT = 4.0
TOP_ANCHORS = 9
SCORE_POWER, OVERLAP_POWER = 0.5, 4.0
LOWEST_QUALITY = 0.5  # asked for at an object's best anchor, however badly its box still fits
MIN_HALF_REACH = 8.0  # pixels: an 8 px plate still gets a 16 px region of candidate anchors


@dataclass(frozen=True, slots=True)
class Targets:
    """What a batch truly shows.

    boxes: (B, M, 4) corners in input pixels; labels: (B, M) class, `IGNORED` for a region where
    nothing is punished, `NOTHING` for padding.
    """

    boxes: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> Targets:
        return Targets(self.boxes.to(device), self.labels.to(device))


@dataclass(frozen=True, slots=True)
class Assignment:
    """positive: (B, A) bool; target: (B, A) index of the object; quality: (B, A) float 0..1."""

    positive: Tensor
    target: Tensor
    quality: Tensor


def detection_loss(scores: Tensor, raw: Tensor, grid: Tensor, targets: Targets) -> Tensor:
    """Scalar: classification plus weighted box loss, per unit of assigned quality."""
    scores, boxes = scores.float(), decode(raw.float(), grid)
    probability = scores.detach().sigmoid()
    wanted = torch.zeros_like(scores)
    assigned = assign(probability, boxes.detach(), grid, targets)
    picture, anchor = assigned.positive.nonzero(as_tuple=True)
    chosen = assigned.target[picture, anchor]
    quality = assigned.quality[picture, anchor]
    wanted[picture, anchor, targets.labels[picture, chosen]] = quality
    total = quality.sum().clamp(min=1.0)
    overlap = complete_iou(boxes[picture, anchor], targets.boxes[picture, chosen])
    box_loss = ((1 - overlap) * quality).sum() / total
    weight = _score_weights(probability, wanted, grid, targets)
    entropy = functional.binary_cross_entropy_with_logits(scores, wanted, reduction="none")
    return (entropy * weight).sum() / total + BOX_WEIGHT * box_loss


@torch.no_grad()
def assign(probability: Tensor, boxes: Tensor, grid: Tensor, targets: Targets) -> Assignment:
    """Task-aligned assignment (TOOD, Feng et al. 2021): the anchors that both score and fit best.

    A tiny prior by distance and size settles the cold start, when nothing scores or fits yet. The
    paper's target is the best overlap itself, which teaches a network to doubt what is hard and
    gives its box little weight: `LOWEST_QUALITY` is a floor under it.
    """
    real = targets.labels >= 0
    inside, distance = _candidates(grid, targets.boxes)
    inside &= real[..., None]
    overlap = iou(targets.boxes[:, :, None], boxes[:, None]).clamp(min=0)
    index = targets.labels.clamp(min=0)[:, None].expand(-1, probability.shape[1], -1)
    score = probability.gather(2, index).transpose(1, 2)
    fit = score.clamp(min=1e-6) ** SCORE_POWER * overlap**OVERLAP_POWER * inside
    sides = (targets.boxes[..., 2:] - targets.boxes[..., :2]).clamp(min=1)
    level = torch.log2(sides.prod(-1).sqrt()[..., None] / 4 / grid[:, 2]).abs()
    prior = torch.exp(-distance - level) * 1e-6 * inside
    best, at = (fit + prior).topk(min(TOP_ANCHORS, fit.shape[-1]), -1)
    positive = torch.zeros_like(inside).scatter_(-1, at, best > 0) & inside
    contested = positive.sum(1, keepdim=True) > 1
    winner = torch.where(positive, overlap + 1e-6, -1.0).argmax(1, keepdim=True)
    owns = torch.zeros_like(positive).scatter_(1, winner, value=True)
    positive &= owns | ~contested
    fit = fit * positive
    peak = fit.amax(-1, keepdim=True).clamp(min=1e-9)
    reach = (overlap * positive).amax(-1, keepdim=True).clamp(min=LOWEST_QUALITY)
    quality = (fit / peak * reach).amax(1)
    return Assignment(positive.any(1), positive.float().argmax(1), quality)


def _candidates(grid: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """(B, M, A) whether an anchor may answer for an object, and its distance in strides."""
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    half = ((boxes[..., 2:] - boxes[..., :2]) / 2).clamp(min=MIN_HALF_REACH)
    offset = (grid[:, :2] - centre[:, :, None]).abs()
    inside = (offset < half[:, :, None]).all(-1)
    return inside, offset.square().sum(-1).sqrt() / grid[:, 2]


def _score_weights(probability: Tensor, wanted: Tensor, grid: Tensor, targets: Targets) -> Tensor:
    """How much each score counts (B, A, classes).

    Negatives keep nearly their full weight: weights that fade with the score, as in varifocal
    loss, left more than one false box a picture.
    """
    negative = (1.5 * probability + 0.2).clamp(max=1.0)
    negative = negative * ~_ignored(grid, targets)[..., None]
    return torch.where(wanted > 0, 1.0, negative)


def _ignored(grid: Tensor, targets: Targets) -> Tensor:
    """(B, A) whether an anchor's centre lies where nothing is punished."""
    centre = grid[:, :2]
    low, high = targets.boxes[:, :, None, :2], targets.boxes[:, :, None, 2:]
    inside = ((centre >= low) & (centre <= high)).all(-1)
    return (inside & (targets.labels == IGNORED)[..., None]).any(1)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Overlap of corner boxes, pair by pair; broadcasts."""
    top_left = torch.maximum(a[..., :2], b[..., :2])
    bottom_right = torch.minimum(a[..., 2:], b[..., 2:])
    inner = (bottom_right - top_left).clamp(min=0).prod(-1)
    area_a = (a[..., 2:] - a[..., :2]).prod(-1)
    area_b = (b[..., 2:] - b[..., :2]).prod(-1)
    return inner / (area_a + area_b - inner + 1e-7)


def complete_iou(a: Tensor, b: Tensor) -> Tensor:
    """Complete IoU (Zheng et al. 2020): overlap less centre distance less difference of aspect."""
    overlap = iou(a, b)
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    apart = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]).square().sum(-1) / 4
    side_a, side_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    angle = torch.atan2(side_b[..., 0], side_b[..., 1] + 1e-7) - torch.atan2(
        side_a[..., 0], side_a[..., 1] + 1e-7
    )
    aspect = 4 / math.pi**2 * angle.square()
    with torch.no_grad():
        trade = aspect / (aspect - overlap + 1 + 1e-7)
    return overlap - apart / (hull.square().sum(-1) + 1e-7) - trade * aspect
