"""The detector network: plain Conv-BN-ReLU, strides 8/16/32, a light top-down and bottom-up neck.

ReLU and dense 3x3 convolutions because ONNX Runtime fuses and runs them best on one core.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (8, 16, 32)
LOG_SIZE_RANGE = (-4.0, 5.5)


@dataclass(frozen=True, slots=True)
class Widths:
    """Channels: after strides 2, 4, 8, 16, 32, and of the neck's three levels."""

    body: tuple[int, int, int, int, int]
    neck: tuple[int, int, int]


NETWORKS = {
    "veil-nano": Widths((16, 24, 48, 80, 128), (32, 40, 64)),
    "veil-small": Widths((16, 24, 80, 144, 208), (64, 80, 128)),
}


class ConvUnit(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
            nn.ReLU(inplace=True),
        )
        self.outputs = outputs


class CrossStage(nn.Module):
    """Two 3x3 convolutions on half of the channels beside the untouched rest, then mixed by 1x1."""

    def __init__(self, inputs: int, outputs: int, *, residual: bool = True) -> None:
        super().__init__()
        half = outputs // 2
        self.split = ConvUnit(inputs, 2 * half, 1)
        self.inner = nn.Sequential(ConvUnit(half, half), ConvUnit(half, half))
        self.mix = ConvUnit(3 * half, outputs, 1)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.split(x).chunk(2, 1)
        deep = self.inner(right)
        mixed: Tensor = self.mix(
            torch.cat([left, right, deep + right if self.residual else deep], 1)
        )
        return mixed


class PyramidPool(nn.Module):
    """Max pools of growing reach, so that the coarsest level sees most of the picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = ConvUnit(channels, channels // 2, 1)
        self.mix = ConvUnit(2 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        pools = [self.squeeze(x)]
        for _ in range(3):
            pools.append(functional.max_pool2d(pools[-1], 5, 1, 2))
        mixed: Tensor = self.mix(torch.cat(pools, 1))
        return mixed


class Body(nn.Module):
    """Picture to features at strides 8, 16 and 32."""

    def __init__(self, widths: tuple[int, int, int, int, int]) -> None:
        super().__init__()
        two, four, eight, sixteen, thirty_two = widths
        self.stem = nn.Sequential(ConvUnit(3, two, 3, 2), ConvUnit(two, four, 3, 2))
        self.eight = nn.Sequential(ConvUnit(four, eight, 3, 2), CrossStage(eight, eight))
        self.sixteen = nn.Sequential(ConvUnit(eight, sixteen, 3, 2), CrossStage(sixteen, sixteen))
        self.thirty_two = nn.Sequential(
            ConvUnit(sixteen, thirty_two, 3, 2),
            CrossStage(thirty_two, thirty_two),
            PyramidPool(thirty_two),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        eight = self.eight(self.stem(x))
        sixteen = self.sixteen(eight)
        return eight, sixteen, self.thirty_two(sixteen)


class Neck(nn.Module):
    """Carries context down to the fine level and detail back up to the coarse ones."""

    def __init__(self, body: tuple[int, int, int], widths: tuple[int, int, int]) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.enter = ConvUnit(body[2], middle, 1)
        self.down_middle = CrossStage(body[1] + middle, middle, residual=False)
        self.narrow = ConvUnit(middle, fine, 1)
        self.down_fine = CrossStage(body[0] + fine, fine, residual=False)
        self.shrink_fine = ConvUnit(fine, middle, 3, 2)
        self.up_middle = CrossStage(2 * middle, middle, residual=False)
        self.shrink_middle = ConvUnit(middle, coarse, 3, 2)
        self.up_coarse = CrossStage(coarse + middle, coarse, residual=False)

    def forward(self, levels: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        eight, sixteen, thirty_two = levels
        top = self.enter(thirty_two)
        middle = self.down_middle(torch.cat([sixteen, _double(top)], 1))
        fine = self.down_fine(torch.cat([eight, _double(self.narrow(middle))], 1))
        middle = self.up_middle(torch.cat([self.shrink_fine(fine), middle], 1))
        coarse = self.up_coarse(torch.cat([self.shrink_middle(middle), top], 1))
        return fine, middle, coarse


class Head(nn.Module):
    """Per level: one 3x3, then 1x1 to class logits and 1x1 to a raw box."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.stem = ConvUnit(channels, channels)
        self.scores = nn.Conv2d(channels, classes, 1)
        self.boxes = nn.Conv2d(channels, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.stem(x)
        return (
            self.scores(x).flatten(2).transpose(1, 2),
            self.boxes(x).flatten(2).transpose(1, 2),
        )


class Detector(nn.Module):
    """Picture (B, 3, H, W) float in 0..1, H and W multiples of 32 -> scores and boxes.

    scores: (B, A, classes) logits; boxes: (B, A, 4) raw dx, dy, log w, log h in strides. Anchors
    are the cells of strides 8, 16, 32 in that order, each row by row.
    """

    def __init__(self, network: str = "veil-nano", classes: int = 3) -> None:
        super().__init__()
        self.network, widths = network, NETWORKS[network]
        self.body = Body(widths.body)
        self.neck = Neck(widths.body[2:], widths.neck)
        self.heads = nn.ModuleList([Head(channels, classes) for channels in widths.neck])
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        rare = -math.log((1 - 0.01) / 0.01)  # at the start every cell says "almost surely nothing"
        for head in self.heads:
            assert isinstance(head, Head)
            assert head.scores.bias is not None
            assert head.boxes.bias is not None
            nn.init.normal_(head.scores.weight, std=0.01)
            nn.init.constant_(head.scores.bias, rare)
            nn.init.normal_(head.boxes.weight, std=0.01)
            head.boxes.bias.data = torch.tensor([0.0, 0.0, 1.0, 0.6])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        levels = self.neck(self.body(x))
        outputs = [head(level) for head, level in zip(self.heads, levels, strict=True)]
        return torch.cat([s for s, _ in outputs], 1), torch.cat([b for _, b in outputs], 1)


def anchor_grid(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """(A, 3): centre x, centre y and stride of every anchor in pixels, in the network's order."""
    parts = []
    for stride in STRIDES:
        y, x = torch.meshgrid(
            torch.arange(height // stride, device=device),
            torch.arange(width // stride, device=device),
            indexing="ij",
        )
        centres = (torch.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride
        parts.append(torch.cat([centres, torch.full_like(centres[:, :1], stride)], 1))
    return torch.cat(parts)


def decode(raw: Tensor, grid: Tensor) -> Tensor:
    """Raw boxes (B, A, 4) and their grid (A, 3) -> (B, A, 4) corners in input pixels."""
    centre = grid[:, :2] + raw[..., :2] * grid[:, 2:]
    half = raw[..., 2:].clamp(*LOG_SIZE_RANGE).exp() * grid[:, 2:] / 2
    return torch.cat([centre - half, centre + half], -1)


def gigaflops(model: Detector, height: int = 384, width: int = 640) -> float:
    """Multiply-adds counted as two, convolutions only."""
    total = 0.0

    def count(module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        total += 2 * module.weight.numel() * output.shape[-1] * output.shape[-2]

    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, nn.Conv2d)]
    was_training = model.training
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, height, width))
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    return total / 1e9


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0)


def averaged_detector(saved: dict[str, Any]) -> Detector:
    """The network of a loaded checkpoint, ready to answer.

    It has the running average of the weights, which scores better than the latest ones.
    """
    weights = {
        name.removeprefix("module."): value.float() if value.is_floating_point() else value
        for name, value in saved["average"].items()
        if name.startswith("module.")
    }
    model = Detector(saved.get("network", "veil-nano"))
    model.load_state_dict(weights)
    model.eval()
    return model
