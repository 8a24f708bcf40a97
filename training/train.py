"""The training loop: one page, resumable, on the CPU or one GPU.

The schedule runs in hours of training, not in steps: a shared machine's speed is not known.
"""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from edge_agent.errors import SettingsError
from training.loss import Targets, detection_loss
from training.mixture import Batch, Mixture, Places
from training.model import Detector, anchor_grid, averaged_detector
from training.teacher import Teacher, imitation_loss
from training.widen import widen

BATCH = 32
RATE = 1.5e-3
WARM_UP_STEPS = 100
FINISH = 0.2  # of the schedule: whole pictures at the native input, no mosaic
CHECKPOINT_SECONDS = 180
REPORT_STEPS = 50
CROP, NATIVE = (384, 256), (640, 384)
WEIGHT_DECAY = 0.02
AVERAGE_DECAY = 0.998


@dataclass(frozen=True, slots=True)
class Run:
    """One training run in `folder`.

    hours: what the whole schedule takes, earlier sittings included; rate: the highest learning
    rate; start: a checkpoint whose weights a new schedule begins with, of this or of a narrower
    network; held: leave the first two layers as they are, which saves a fifth of the time where
    they have long settled.
    """

    folder: Path
    places: Places
    hours: float
    workers: int = 1
    device: str = "cpu"
    compiled: bool = False
    rate: float = RATE
    batch: int = BATCH
    held: bool = False
    start: Path | None = None
    network: str = "veil-nano"
    teacher: Path | None = None


def train(run: Run) -> None:
    """Train until the schedule ends, from `run.folder/latest.pt` where that exists.

    Ctrl-C and SIGTERM save first, so that nothing is lost. Several processes started by torchrun
    train one network: each on pictures of its own, by the mean of their gradients.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if distributed.is_torchelastic_launched():
        distributed.init_process_group("gloo")
    state = State(run)
    try:
        _until_the_end(run, state)
    finally:
        state.save()


def _until_the_end(run: Run, state: State) -> None:
    began, saved = time.monotonic() - state.seconds, time.monotonic()
    while state.progress < 1:
        finishing = state.progress >= 1 - FINISH
        for pictures, targets in batches(run, state.steps, finishing=finishing):
            state.seconds = agreed(time.monotonic() - began)
            state.progress = state.seconds / (run.hours * 3600)
            if state.progress >= 1 or finishing != (state.progress >= 1 - FINISH):
                break
            state.step(pictures, targets)
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                state.save()
                saved = time.monotonic()


def batches(run: Run, seed: int, *, finishing: bool) -> Iterator[Batch]:
    size, batch = (NATIVE, max(run.batch // 3, 8)) if finishing else (CROP, run.batch)
    if rank():
        distributed.barrier()  # until the first process has decoded the sets for all
    mixture = Mixture(run.places, size, batch, (seed, rank()), finishing=finishing)
    if distributed.is_initialized() and not rank():
        distributed.barrier()
    return iter(DataLoader(mixture, None, num_workers=run.workers, worker_init_fn=one_thread))


def rank() -> int:
    """Which of the processes that train together this one is; the first one reports and saves."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def agreed(seconds: float) -> float:
    """The first process's clock, so that all change and end at the same step."""
    if not distributed.is_initialized():
        return seconds
    told = torch.tensor(seconds, dtype=torch.float64)
    distributed.broadcast(told, 0)
    return float(told.item())


def one_thread(_worker: int) -> None:
    torch.set_num_threads(1)


class State:
    """All that a run carries from step to step and from sitting to sitting."""

    def __init__(self, run: Run) -> None:
        self.run, self.device = run, torch.device(run.device)
        self.half = has_half_precision(self.device)
        self.steps = self.pictures = self.warmed = 0
        self.seconds = self.progress = self.earlier = 0.0
        self.losses: list[float] = []
        self.model = Detector(run.network)
        # torch's overloads lack memory_format.
        self.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload, unused-ignore]
        if run.start:
            self.begin(torch.load(run.start, map_location="cpu", weights_only=True))
        self.model.train().body.stem.requires_grad_(not run.held)
        self.average = AveragedModel(
            self.model, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE_DECAY), use_buffers=True
        )
        self.optimiser = torch.optim.AdamW(decay_groups(self.model), lr=RATE)
        latest = run.folder / "latest.pt"
        if latest.exists():
            self.load(torch.load(latest, map_location=self.device, weights_only=True))
        self.forward: Callable[..., tuple[torch.Tensor, torch.Tensor]] = self.model
        self.ranks = 1
        if distributed.is_initialized():
            self.ranks = distributed.get_world_size()
            self.forward = DistributedDataParallel(self.model, broadcast_buffers=False)
        if run.compiled:
            self.forward = torch.compile(self.forward, dynamic=False)
        self.teacher = (
            Teacher(run.teacher, self.device, half=self.half, compiled=run.compiled)
            if run.teacher
            else None
        )

    def step(self, pictures: torch.Tensor, targets: Targets) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        pictures = pictures.to(self.device, memory_format=torch.channels_last).float() / 255
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            scores, raw = self.forward(pictures)
        height, width = pictures.shape[2:]
        grid = anchor_grid(height, width, self.device)
        loss = detection_loss(scores, raw, grid, targets.to(self.device))
        if self.teacher:
            loss = loss + imitation_loss(scores, raw, grid, self.teacher.teach(pictures))
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 10.0)
        self.optimiser.step()
        self.average.update_parameters(self.model)
        self.steps += 1
        self.warmed += 1
        self.pictures += len(pictures) * self.ranks
        self.losses.append(loss.item())
        if len(self.losses) == REPORT_STEPS:
            self.report()

    def rate(self) -> float:
        """Rises slowly at the start, and anew where the optimiser's moments were left behind."""
        warm = min(1.0, (self.warmed + 1) / WARM_UP_STEPS)
        return self.run.rate * warm * (0.01 + 0.99 * (1 + math.cos(math.pi * self.progress)) / 2)

    def report(self) -> None:
        figures = {
            "steps": self.steps,
            "pictures": self.pictures,
            "seconds": round(self.seconds),
            "loss": round(sum(self.losses) / REPORT_STEPS, 4),
            "rate": round(self.rate(), 7),
        }
        self.losses.clear()
        if rank():
            return
        with (self.run.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(figures) + "\n")

    def save(self) -> None:
        """Write `latest.pt` whole or not at all."""
        if rank():
            return
        counts = {name: getattr(self, name) for name in ("steps", "pictures", "seconds", "earlier")}
        counts["network"] = self.run.network
        parts = {
            name: getattr(self, name).state_dict() for name in ("model", "average", "optimiser")
        }
        draft = self.run.folder / "latest.tmp"
        torch.save({**counts, **parts}, draft)
        draft.replace(self.run.folder / "latest.pt")

    def begin(self, saved: dict[str, Any]) -> None:
        """A new schedule: it takes over the averaged weights and what was spent on them."""
        start = averaged_detector(saved)
        if start.network == self.run.network:
            self.model.load_state_dict(start.state_dict())
        else:
            widen(start, self.model)
        self.pictures = saved["pictures"]
        self.earlier = saved["seconds"] + saved.get("earlier", 0.0)

    def load(self, saved: dict[str, Any]) -> None:
        network = saved.get("network", "veil-nano")
        if network != self.run.network:
            raise SettingsError(f"{self.run.folder} trains {network}: name it, or another folder")
        for name in ("model", "average", "optimiser"):
            if name in saved:  # a packed checkpoint has left the optimiser's moments behind
                getattr(self, name).load_state_dict(saved[name])
        self.steps, self.pictures = saved["steps"], saved["pictures"]
        self.warmed = self.steps if "optimiser" in saved else 0
        self.seconds, self.earlier = saved["seconds"], saved.get("earlier", 0.0)
        self.progress = self.seconds / (self.run.hours * 3600)


def has_half_precision(device: torch.device) -> bool:
    """Whether bfloat16 is quick here; a CPU without instructions for it is nine times slower."""
    able = torch.cpu.get_capabilities() if device.type == "cpu" else {"amx_bf16": True}
    return bool(able.get("amx_bf16") or able.get("avx512_bf16"))


def decay_groups(model: nn.Module) -> list[dict[str, object]]:
    """Weight decay on kernels only: not on biases, not on normalisation."""
    kernels = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    return [
        {"params": kernels, "weight_decay": WEIGHT_DECAY},
        {"params": rest, "weight_decay": 0.0},
    ]
