"""The network learns, a run resumes where it stood, and the export says what training says."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import distributed, multiprocessing

from edge_agent.detect.card import load_card
from edge_agent.errors import ModelError, SettingsError
from training import export, mining
from training.augment import (
    Sample,
    Window,
    add_tracer_band,
    cut,
    ignore_unseen,
    keep_visible,
)
from training.data import IGNORED, NOTHING, PLATE
from training.loss import LOWEST_QUALITY, Targets, assign, detection_loss
from training.mixture import Batch, Places, collate
from training.model import Detector, Head, anchor_grid, averaged_detector, decode, gigaflops
from training.teacher import Lesson, Teacher, folded, imitation_loss
from training.train import Run, State, train


def tiny_batch(seed: int, count: int = 4) -> tuple[torch.Tensor, Targets]:
    """Grey noise with a tracer, 128 x 96."""
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(count):
        picture = rng.integers(60, 140, (96, 128, 3)).astype(np.uint8)
        nothing = Sample(picture, np.zeros((0, 4), np.float32), np.zeros(0, np.int32))
        samples.append(add_tracer_band(rng, nothing))
    return collate(samples)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    torch.manual_seed(3)
    places = Places(tmp_path / "data", tmp_path / "store", tmp_path / "banks")
    return Run(tmp_path / "run", places, hours=1.0)


def make_state(run: Run) -> State:
    run.folder.mkdir(exist_ok=True)
    return State(run)


def test_the_loss_falls_on_a_few_pictures(run: Run) -> None:
    state = make_state(run)
    state.warmed = 1000  # past the warm-up
    batch = tiny_batch(1)
    for _ in range(12):
        state.step(*batch)
    assert np.mean(state.losses[-3:]) < 0.7 * np.mean(state.losses[:3])


def test_a_new_schedule_takes_over_the_averaged_weights_and_what_was_spent(run: Run) -> None:
    first = make_state(run)
    first.step(*tiny_batch(1))
    first.seconds = 60.0
    first.save()
    second = State(replace(run, folder=run.folder / "second", start=run.folder / "latest.pt"))
    assert (second.pictures, second.earlier, second.seconds) == (4, 60.0, 0.0)
    ours, theirs = second.model.state_dict(), first.average.module.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_wider_network_begins_with_what_the_narrow_one_knows(run: Run) -> None:
    first = make_state(run)
    first.step(*tiny_batch(1))
    first.save()
    wide = replace(run, folder=run.folder / "wide", network="veil-small")
    second = make_state(replace(wide, start=run.folder / "latest.pt"))
    picture = torch.rand(1, 3, 96, 128)
    narrow_answer = first.average.module.eval()(picture)
    for ours, theirs in zip(second.model.eval()(picture), narrow_answer, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    second.model.train()
    second.step(*tiny_batch(2))
    second.save()  # and a wide run's checkpoint knows that it is wide
    saved = torch.load(wide.folder / "latest.pt", weights_only=True)
    assert averaged_detector(saved).network == "veil-small"
    with pytest.raises(SettingsError, match="trains veil-small"):
        make_state(replace(wide, network="veil-nano"))
    back = replace(run, folder=run.folder / "back", start=wide.folder / "latest.pt")
    with pytest.raises(SettingsError, match="veil-nano is narrower than veil-small"):
        make_state(back)


def settled(network: str) -> Detector:
    """A network that answers differently from anchor to anchor, its normalisation not trivial."""
    model = Detector(network)
    with torch.no_grad():
        for head in model.heads:
            assert isinstance(head, Head)
            assert head.scores.bias is not None
            head.scores.weight.normal_(std=0.3)
            head.scores.bias.fill_(-1.0)
            head.boxes.weight.normal_(std=0.1)
        for _ in range(3):
            model.train()(tiny_batch(5)[0].float() / 255)
    return model.eval()


def kept(model: Detector, path: Path) -> Path:
    average = {f"module.{name}": value for name, value in model.state_dict().items()}
    torch.save({"average": average, "network": model.network}, path)
    return path


def test_a_folded_network_answers_the_same() -> None:
    torch.manual_seed(3)
    model = settled("veil-nano")
    pictures = tiny_batch(1)[0].float() / 255
    with torch.no_grad():
        expected = model(pictures)
        answered = folded(model)(pictures)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in model.modules())
    for ours, theirs in zip(answered, expected, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)


def test_nothing_is_left_to_imitate_where_student_and_teacher_agree(tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = settled("veil-small")
    path = kept(model, tmp_path / "teacher.pt")
    teacher = Teacher(path, torch.device("cpu"), half=False, compiled=False)
    pictures = tiny_batch(1)[0].float() / 255
    lesson = teacher.teach(pictures)
    with torch.no_grad():
        scores, raw = model(pictures)
    grid = anchor_grid(96, 128)
    assert float(lesson.probability.max()) > 0.5
    assert float(imitation_loss(scores, raw, grid, lesson)) == pytest.approx(0, abs=1e-3)
    assert float(imitation_loss(scores + 1, raw, grid, lesson)) > 0.05
    assert float(imitation_loss(scores, raw + 0.5, grid, lesson)) > 0.05


def test_only_a_teacher_that_is_sure_teaches_boxes() -> None:
    grid = anchor_grid(96, 128)
    raw, scores = torch.zeros(1, len(grid), 4), torch.full((1, len(grid), 3), -4.0)
    lesson = Lesson(scores.sigmoid(), raw)
    assert float(imitation_loss(scores, raw + 1, grid, lesson)) == pytest.approx(0, abs=1e-4)
    scores[0, 7, 1] = 2.0
    lesson = Lesson(scores.sigmoid(), raw)
    student = raw.clone().requires_grad_()
    imitation_loss(scores, student + 0.2, grid, lesson).backward()
    assert student.grad is not None
    assert student.grad.abs().sum(-1)[0].nonzero().flatten().tolist() == [7]


def test_a_student_comes_to_answer_as_its_teacher(run: Run, tmp_path: Path) -> None:
    path = kept(settled("veil-small"), tmp_path / "teacher.pt")
    pictures, targets = tiny_batch(1)
    grid, apart = anchor_grid(96, 128), {}
    for teacher in (path, None):
        torch.manual_seed(4)
        state = make_state(replace(run, teacher=teacher))
        state.warmed = 1000  # past the warm-up
        for _ in range(40):
            state.step(pictures, targets)
        lesson = Teacher(path, torch.device("cpu"), half=False, compiled=False).teach(
            pictures.float() / 255
        )
        with torch.no_grad():
            scores, raw = state.model(pictures.float() / 255)
        apart[teacher] = float(imitation_loss(scores, raw, grid, lesson))
    assert apart[path] < 0.8 * apart[None]


def test_held_layers_stay_as_they_are(run: Run) -> None:
    state = make_state(replace(run, held=True))
    state.warmed = 1000  # past the warm-up
    before = {name: p.clone() for name, p in state.model.named_parameters()}
    state.step(*tiny_batch(1))
    moved = {n for n, p in state.model.named_parameters() if not torch.equal(p, before[n])}
    assert moved
    assert not any(name.startswith("body.stem") for name in moved)


def test_a_run_that_is_told_to_stop_saves_first(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_step_then_stop(*_: object, **__: object) -> Iterator[Batch]:
        yield tiny_batch(1)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("training.train.batches", one_step_then_stop)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(run)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert make_state(run).steps == 1


def test_a_resumed_run_takes_the_same_steps(run: Run) -> None:
    whole = make_state(run)
    whole.step(*tiny_batch(1))
    whole.save()
    resumed = make_state(run)
    assert (resumed.steps, resumed.pictures) == (1, 4)
    for state in (whole, resumed):
        state.step(*tiny_batch(2))
    for ours, theirs in zip(
        whole.average.state_dict().values(), resumed.average.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)


def step_with_others(rank: int, port: int, run: Run) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(rank)  # each begins with weights of its own
    address = f"tcp://127.0.0.1:{port}"
    distributed.init_process_group("gloo", address, world_size=2, rank=rank)
    state = State(run)
    state.step(*tiny_batch(rank))
    torch.save((state.pictures, state.model.state_dict()), run.folder / f"rank_{rank}.pt")
    state.save()
    distributed.destroy_process_group()


def test_two_processes_train_one_network(run: Run) -> None:
    run.folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    multiprocessing.spawn(step_with_others, (port, run), nprocs=2)
    (seen, first), (_, second) = (torch.load(run.folder / f"rank_{i}.pt") for i in range(2))
    assert seen == 8
    learnt = dict(Detector().named_parameters())
    assert all(torch.equal(first[name], second[name]) for name in learnt)
    torch.manual_seed(0)
    alone = State(replace(run, folder=run.folder / "alone"))
    alone.step(*tiny_batch(0))
    ours = alone.model.state_dict()
    assert not all(torch.equal(first[name], ours[name]) for name in learnt)


def test_a_packed_run_goes_on_from_nearly_the_same_weights(run: Run, tmp_path: Path) -> None:
    state = make_state(run)
    state.step(*tiny_batch(1))
    state.save()
    export.pack(run.folder / "latest.pt", tmp_path / "packed.pt")
    (tmp_path / "packed.pt").replace(run.folder / "latest.pt")
    resumed = make_state(run)
    assert (resumed.steps, resumed.warmed) == (1, 0)  # the optimiser begins anew, gently
    for ours, theirs in zip(state.model.parameters(), resumed.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)


def test_small_objects_get_anchors_and_ignored_ones_none() -> None:
    grid = anchor_grid(96, 128)
    boxes = torch.tensor([[[40.0, 40, 56, 46], [80, 10, 110, 40], [0, 0, 0, 0]]])
    labels = torch.tensor([[PLATE, IGNORED, NOTHING]])
    targets = Targets(boxes, labels)
    score = torch.full((1, len(grid), 3), 0.01)
    found = assign(score, decode(torch.zeros(1, len(grid), 4), grid), grid, targets)
    assert found.positive.any()
    assert (found.target[found.positive] == 0).all()


def test_an_object_that_no_box_fits_well_yet_is_asked_for_all_the_same() -> None:
    grid = anchor_grid(96, 128)
    wide = torch.tensor([[[4.0, 4, 124, 92]]])  # the boxes below are 8, 16 and 32 px wide
    targets = Targets(wide, torch.tensor([[PLATE]]))
    score, boxes = torch.full((1, len(grid), 3), 0.3), decode(torch.zeros(1, len(grid), 4), grid)
    quality = assign(score, boxes, grid, targets).quality
    assert quality.max().item() == pytest.approx(LOWEST_QUALITY)


def test_nothing_is_punished_in_an_ignored_region() -> None:
    grid = anchor_grid(96, 128)
    scores = torch.full((1, len(grid), 3), -9.0)
    scores[0, 0, PLATE] = 3.0
    raw, corner = torch.zeros(1, len(grid), 4), torch.tensor([[[0.0, 0, 8, 8]]])
    ignored, punished = (
        detection_loss(scores, raw, grid, Targets(corner, torch.tensor([[label]]))).item()
        for label in (IGNORED, NOTHING)
    )
    assert ignored < 0.1
    assert punished > 2.0


def test_cut_boxes_follow_the_picture_and_slivers_are_ignored() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[40:60, 100:140] = 255
    sample = Sample(picture, np.array([[100, 40, 140, 60]], np.float32), np.array([2], np.int32))
    shown = cut(sample, Window(90, 30, 2.0, 2.0), np.zeros((80, 120, 3), np.uint8))
    x1, y1, x2, y2 = shown.boxes[0].astype(int)
    assert (x1, y1, x2, y2) == (20, 20, 100, 60)
    assert shown.picture[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].min() > 250
    _, labels = keep_visible(sample.boxes, sample.labels, (0, 0, 110, 100))
    assert labels.tolist() == [IGNORED]


def test_what_noise_and_dark_have_wiped_out_is_not_asked_for() -> None:
    rng = np.random.default_rng(4)
    noise = rng.normal(20, 9, (80, 120, 3))
    printed = np.zeros((80, 120, 1))
    printed[20:40:8, 70:110] = printed[24:40:8, 70:110] = 60
    picture = np.clip(noise + printed, 0, 255).astype(np.uint8)
    boxes = np.array([[10, 20, 50, 40], [70, 20, 110, 40]], np.float32)
    seen = ignore_unseen(Sample(picture, boxes, np.array([2, 2], np.int32)))
    assert seen.labels.tolist() == [IGNORED, 2]


def test_mining_before_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="start `train` first"):
        mining.mine_hard(Detector("veil-nano"), tmp_path)


def test_the_network_keeps_to_its_budget() -> None:
    assert gigaflops(Detector("veil-nano")) <= 1.0
    assert gigaflops(Detector("veil-small")) <= 2.6


def test_an_exported_model_has_a_valid_card_and_a_wrong_one_is_refused(
    run: Run, tmp_path: Path
) -> None:
    state = make_state(run)
    state.save()
    export.release(run.folder / "latest.pt", tmp_path / "veil.json", "1.2.3")
    card = load_card(tmp_path / "veil.json")
    assert card.version == "1.2.3"
    other = Detector().eval()
    with pytest.raises(ModelError, match="does not say what training says"):
        export.check_parity(other, tmp_path / "veil.onnx")
