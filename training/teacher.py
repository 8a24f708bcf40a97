"""A larger network's answers to imitate, on every anchor and not only where objects were labelled.

Knowledge distillation (Hinton et al. 2015) between networks that share their grid of anchors: the
teacher also says which look-alike is nearly one, and what nobody labelled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.loss import BOX_WEIGHT, complete_iou
from training.model import ConvUnit, averaged_detector, decode

LEAST_SURE = 0.1  # the teacher's box is worth imitating where its best score reaches this


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the teacher answers. probability: (B, A, classes); boxes: (B, A, 4) raw, as its own."""

    probability: Tensor
    boxes: Tensor


class Teacher:
    """The averaged network of a checkpoint, frozen, its normalisation folded into its kernels."""

    def __init__(
        self, checkpoint: Path, device: torch.device, *, half: bool, compiled: bool
    ) -> None:
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        model = folded(averaged_detector(saved)).requires_grad_(requires_grad=False)
        self.dtype = torch.bfloat16 if half else torch.float32
        # torch's overloads lack memory_format.
        model.to(device, self.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload, unused-ignore]
        self.answer: Callable[[Tensor], tuple[Tensor, Tensor]] = model
        if compiled:
            self.answer = torch.compile(model, dynamic=False)

    @torch.no_grad()
    def teach(self, pictures: Tensor) -> Lesson:
        """pictures: (B, 3, H, W) float in 0..1, as the student sees them."""
        scores, boxes = self.answer(pictures.to(self.dtype))
        return Lesson(scores.float().sigmoid(), boxes.float())


def folded(model: nn.Module) -> nn.Module:
    """Fold every normalisation into the convolution before it, in place; answers stay the same."""
    for unit in model.modules():
        if isinstance(unit, ConvUnit):
            kernel, normalisation = unit[0], unit[1]
            assert isinstance(kernel, nn.Conv2d)
            assert isinstance(normalisation, nn.BatchNorm2d)
            unit[0], unit[1] = fuse_conv_bn_eval(kernel, normalisation), nn.Identity()
    return model


def imitation_loss(scores: Tensor, raw: Tensor, grid: Tensor, lesson: Lesson) -> Tensor:
    """Scalar, 0 where the student answers as the teacher does.

    Divergence of the scores on every anchor, and of the boxes where the teacher is sure; per unit
    of the teacher's sureness, as `detection_loss` is per unit of assigned quality.
    """
    scores, wanted = scores.float(), lesson.probability
    sure = wanted.amax(-1)
    sure = sure * (sure >= LEAST_SURE)
    total = sure.sum().clamp(min=1.0)
    entropy = functional.binary_cross_entropy_with_logits(scores, wanted, reduction="sum")
    own = functional.binary_cross_entropy(wanted, wanted, reduction="sum")
    picture, anchor = sure.nonzero(as_tuple=True)
    where, weight = grid[anchor], sure[picture, anchor]
    ours = decode(raw.float()[picture, anchor], where)
    theirs = decode(lesson.boxes[picture, anchor], where)
    box_loss = ((1 - complete_iou(ours, theirs)) * weight).sum()
    return (entropy - own + BOX_WEIGHT * box_loss) / total
