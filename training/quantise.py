"""The int8 form of an exported model: faster where a processor multiplies bytes, and as good."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from edge_agent.boxes import FloatArray
from edge_agent.detect.card import load_card
from edge_agent.detect.detector import Region
from edge_agent.detect.letterbox import fit, write_picture
from edge_agent.detect.onnx_detector import OnnxDetector
from edge_agent.detect.self_test import self_test
from edge_agent.detect.tracer import Tracer
from edge_agent.detect.variant import int8_card
from edge_agent.errors import ModelError
from training.data import read_picture, read_yolo
from training.evaluate import evaluate
from training.export import write_card
from training.halves import part_halves

MOST_PICTURES = 150
TIMED_LOOKS = 50
# Without one of these, pairs of products are summed in 16 bits, which clips, and nothing is gained.
NEEDS = ["AVX512VNNI", "AVX_VNNI"]
WEAK = "processors without VNNI: it is refused there, and the model it was made from runs"

_IN_BYTES = ["Conv", "Relu", "Add", "Concat", "MaxPool"]
# The stem has too few channels for int8 to be faster; logits and raw boxes share no scale.
_IN_FLOATS = re.compile(r"/body/stem/|/heads\.\d+/(?!stem/)|/Concat")


class Calibration(CalibrationDataReader):
    """Hands the quantiser the inputs that show which values occur."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._inputs = inputs(folders)
        self.count = 0

    def get_next(self) -> dict[str, FloatArray] | None:
        tensor = next(self._inputs, None)
        if tensor is None:
            return None
        self.count += 1
        return {"image": tensor}


def inputs(folders: Sequence[Path]) -> Iterator[FloatArray]:
    """Pictures of these sets, as many of each, as the device hands them to the network."""
    tracer = Tracer()
    for folder in folders:
        for note in islice(read_yolo(folder), MOST_PICTURES // len(folders)):
            picture = read_picture(note.path)
            box = fit(Region(0, 0, picture.shape[1], picture.shape[0]))
            tensor = np.empty((1, 3, box.height, box.width), np.float32)
            write_picture(picture, box, tensor)
            tracer.paste(tensor)
            yield tensor


def quantise_card(card: Path, folders: Sequence[Path], judges: Sequence[Path]) -> Path:
    """Write NAME-int8.onnx and its card beside `card`; returns the path of that card.

    folders: sets of pictures like those to come, from which the ranges are read; judges: sets on
    which the loss is measured. Raises SourceError without pictures, and ModelError, leaving
    nothing behind, when the result fails the device's self-test.
    """
    facts, target = json.loads(card.read_text()), int8_card(card)
    shown = quantise(card.with_name(facts["file"]), target.with_suffix(".onnx"), folders)
    known = {
        "thresholds": facts["thresholds"],
        "thresholds_why": facts["thresholds_why"],
        "trained": {**facts["trained"], "calibration_pictures": shown},
        "weak_at": [*facts["weak_at"], WEAK],
        "made_from": facts["sha256"],
        "needs": NEEDS,
    }
    written = partial(write_card, target.with_suffix(".onnx"), facts["version"])
    written(known)
    try:
        self_test(load_card(target))
    except ModelError:
        target.unlink()
        target.with_suffix(".onnx").unlink()
        raise
    return written({**known, "measured": compare(card, target, judges)})


def quantise(source: Path, target: Path, folders: Sequence[Path]) -> int:
    """Write the int8 form of the model `source`; returns how many pictures set its ranges."""
    shown = Calibration(folders)
    with tempfile.TemporaryDirectory() as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(prepared)
        part_halves(model)
        onnx.save(model, prepared)
        quantize_static(
            str(prepared),
            str(target),
            shown,
            op_types_to_quantize=_IN_BYTES,
            nodes_to_exclude=[n.name for n in model.graph.node if _IN_FLOATS.match(n.name)],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    return shown.count


def compare(card: Path, variant: Path, judges: Sequence[Path]) -> dict[str, object]:
    """What the variant costs and gains: its figures, what it lost to the original, and the time."""
    before: dict[str, Any] = evaluate(card, judges)[1]
    after: dict[str, Any] = evaluate(variant, judges)[1]
    lost = {
        name: {
            label: {key: round(was[key] - figures[label][key], 4) for key in ("ap50", "recall")}
            for label, was in before[name].items()
            if isinstance(was, dict) and "ap50" in was
        }
        for name, figures in after.items()
    }
    return {**after, "lost_to_int8": lost, "milliseconds_a_look": milliseconds(card, variant)}


def milliseconds(card: Path, variant: Path) -> dict[str, float]:
    """Median time on one thread of this processor, by turns, for a whole look at a 720p picture."""
    picture = np.random.default_rng(1).integers(0, 255, (720, 1280, 3)).astype(np.uint8)
    detectors = {path.stem: OnnxDetector(load_card(path)) for path in (card, variant)}
    taken: dict[str, list[float]] = {name: [] for name in detectors}
    for _ in range(TIMED_LOOKS):
        for name, detector in detectors.items():
            start = time.thread_time()
            detector.look_rgb(picture)
            taken[name].append((time.thread_time() - start) * 1000)
    return {name: round(float(np.median(times)), 2) for name, times in taken.items()}
