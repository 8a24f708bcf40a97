"""A wider network that answers as a narrow one does: what was learnt is not learnt again.

The narrow network's channels keep their weights; nobody listens to the new ones at first, as in
Net2Net (Chen et al. 2015), but the new ones start at random instead of as copies.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edge_agent.errors import SettingsError
from training.model import ConvUnit, CrossStage, Detector, Head, PyramidPool

# A convolution, and how many channels lie together in what it reads and in what it writes.
Layer = tuple[nn.Module, Sequence[int], Sequence[int]]


def widen(narrow: Detector, wide: Detector) -> None:
    """Give `wide` the weights of `narrow`, in place; its own first ones should be random.

    In evaluation both answer the same. Raises SettingsError where a layer of `wide` is narrower.
    """
    pairs = list(zip(_layers(narrow), _layers(wide), strict=True))
    if any(
        theirs > ours
        for (*_, outs), (*_, mine) in pairs
        for theirs, ours in zip(outs, mine, strict=True)
    ):
        raise SettingsError(f"{wide.network} is narrower than {narrow.network}: start from another")
    for (small, ins, outs), (large, wide_ins, wide_outs) in pairs:
        reads = _places(tuple(zip(ins, wide_ins, strict=True)))
        writes = _places(tuple(zip(outs, wide_outs, strict=True)))
        _give(small, large, reads, writes)


def _layers(model: Detector) -> list[Layer]:
    body, neck = model.body, model.neck
    found: list[Layer] = []

    def unit(module: nn.Module, *ins: int) -> int:
        assert isinstance(module, ConvUnit)
        found.append((module, ins, (module.outputs,)))
        return module.outputs

    def stage(module: nn.Module, *ins: int) -> int:
        assert isinstance(module, CrossStage)
        half = module.split.outputs // 2
        found.append((module.split, ins, (half, half)))
        for inner in module.inner:
            unit(inner, half)
        return unit(module.mix, half, half, half)

    def pool(module: nn.Module, ins: int) -> int:
        assert isinstance(module, PyramidPool)
        return unit(module.mix, *[unit(module.squeeze, ins)] * 4)

    four = unit(body.stem[1], unit(body.stem[0], 3))
    eight = stage(body.eight[1], unit(body.eight[0], four))
    sixteen = stage(body.sixteen[1], unit(body.sixteen[0], eight))
    deep = pool(body.thirty_two[2], stage(body.thirty_two[1], unit(body.thirty_two[0], sixteen)))
    top = unit(neck.enter, deep)
    middle = stage(neck.down_middle, sixteen, top)
    fine = stage(neck.down_fine, eight, unit(neck.narrow, middle))
    middle = stage(neck.up_middle, unit(neck.shrink_fine, fine), middle)
    coarse = stage(neck.up_coarse, unit(neck.shrink_middle, middle), top)
    for head, ins in zip(model.heads, (fine, middle, coarse), strict=True):
        assert isinstance(head, Head)
        channels = unit(head.stem, ins)
        answers = (head.scores, head.boxes)
        found += [(answer, (channels,), (answer.out_channels,)) for answer in answers]
    return found


def _places(together: Sequence[tuple[int, int]]) -> Tensor:
    """Where the narrow network's channels lie in the wide one, each stretch at its own start.

    together: how many lie together in the narrow and in the wide network, stretch by stretch.
    """
    start, places = 0, []
    for narrow, wide in together:
        places.append(torch.arange(start, start + narrow))
        start += wide
    return torch.cat(places)


@torch.no_grad()
def _give(small: nn.Module, large: nn.Module, reads: Tensor, writes: Tensor) -> None:
    kernel, into = (m[0] if isinstance(m, ConvUnit) else m for m in (small, large))
    assert isinstance(kernel, nn.Conv2d)
    assert isinstance(into, nn.Conv2d)
    rows = torch.zeros(len(writes), *into.weight.shape[1:])
    rows[:, reads] = kernel.weight
    into.weight[writes] = rows
    if kernel.bias is not None and into.bias is not None:
        into.bias[writes] = kernel.bias
    if isinstance(small, ConvUnit) and isinstance(large, ConvUnit):
        theirs = large[1].state_dict()
        for name, values in small[1].state_dict().items():
            if values.ndim:
                theirs[name][writes] = values
