"""From a checkpoint to a model and its card, checked against the edge's reading."""

from __future__ import annotations

import hashlib
import json
import subprocess
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch

from edge_agent.boxes import LABELS, FloatArray
from edge_agent.detect.detector import Region
from edge_agent.detect.heads import decode as edge_decode
from edge_agent.detect.letterbox import fit, write_picture
from edge_agent.errors import ModelError
from training.augment import GREY, TRACER_BAND, tracer_picture
from training.model import Detector, anchor_grid, averaged_detector, decode

OPSET = 17
NMS_IOU = 0.55
FIRST_THRESHOLDS = dict(zip(LABELS, (0.4, 0.3, 0.3), strict=True))
LICENCES = {
    "openlpr": "Apache-2.0",
    "egypt_moto": "CC BY 4.0",
    "robertlucian": "MIT",
    "chirag_anpr": "Apache-2.0 repository, source unstated",
    "sethu_plates": "none stated",
    "jaya_plates": "CC BY 4.0",
    "nischay20": "none stated",
    "korea_hand": "none stated",
    "parcels": "Apache-2.0 and none stated",
    "parcels_negative": "Apache-2.0 and none stated",
    "backgrounds": "mixed, for research",
    "rendered plates, cards, labels and look-alikes": "Apache-2.0, made by training.render",
}


def pack(checkpoint: Path, target: Path) -> None:
    """A checkpoint small enough to keep beside the code: kernels in half precision, no optimiser.

    Training goes on from it where it is put as RUN/latest.pt.
    """
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    for name in ("model", "average"):
        saved[name] = {
            key: value.half() if value.ndim > 1 else value for key, value in saved[name].items()
        }
    del saved["optimiser"]
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(saved, target)


def release(checkpoint: Path, card: Path, version: str) -> None:
    """Write model and card; thresholds and what was measured stay until they are made anew."""
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model, path = averaged_detector(saved), card.with_suffix(".onnx")
    export_onnx(model, path)
    check_parity(model, path)
    old = json.loads(card.read_text()) if card.exists() else {}
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    facts: dict[str, object] = {
        "thresholds": old.get("thresholds", FIRST_THRESHOLDS),
        "thresholds_why": old.get("thresholds_why", "first guess, not yet chosen"),
        "trained": {
            "commit": commit or "unknown",
            "date": datetime.now(UTC).date().isoformat(),
            "pictures_seen": saved["pictures"],
            "hours": round((saved["seconds"] + saved.get("earlier", 0.0)) / 3600, 2),
            "data": [{"name": name, "licence": licence} for name, licence in LICENCES.items()],
        },
        "measured": old.get("measured", {}),
        "weak_at": old.get("weak_at", []),
    }
    write_card(path, version, facts)


def export_onnx(model: Detector, path: Path) -> None:
    """Write the network with `image` in and `scores`, `boxes` out; height and width are free."""
    with warnings.catch_warnings():
        # The older exporter folds normalisation into the convolutions.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            model.eval(),
            (torch.zeros(1, 3, 384, 640),),
            str(path),
            input_names=["image"],
            output_names=["scores", "boxes"],
            dynamic_axes={
                "image": {2: "height", 3: "width"},
                "scores": {1: "anchors"},
                "boxes": {1: "anchors"},
            },
            opset_version=OPSET,
            dynamo=False,
        )


def check_parity(model: Detector, path: Path) -> None:
    """The exported graph, read by the edge's letterbox and heads, must say what training says.

    Landscape, portrait and a small input. Raises ModelError.
    """
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(1)
    for shape, scale in (((720, 1280), 1.0), ((1280, 720), 1.0), ((480, 640), 0.65)):
        picture = np.full((*shape, 3), GREY, np.uint8)
        tracer = np.kron(tracer_picture(), np.ones((3, 3, 1), np.uint8))
        picture[90 : 90 + len(tracer), 80 : 80 + tracer.shape[1]] = tracer
        picture = np.clip(picture + rng.normal(0, 8, picture.shape), 0, 255).astype(np.uint8)
        box = fit(Region(0, 0, shape[1], shape[0]), scale)
        tensor = np.empty((1, 3, box.height, box.width), np.float32)
        write_picture(picture, box, tensor)
        with torch.no_grad():
            scores, raw = model(torch.from_numpy(tensor))
            ours = decode(raw, anchor_grid(box.height, box.width))[0].numpy()
        outputs = session.run(["scores", "boxes"], {"image": tensor})
        pairs = zip((scores.numpy(), raw.numpy()), outputs, strict=True)
        apart = max(float(np.abs(a - b).max()) for a, b in pairs)
        lowest = np.full(len(LABELS), float(scores.sigmoid().max()) / 2, np.float32)
        found = edge_decode(outputs[0], outputs[1], (box.width, box.height), lowest, NMS_IOU).xyxy
        drift = _furthest(found, ours)
        if apart > 1e-3 or drift > 0.05 or not len(found):
            raise ModelError(
                f"{path.name} does not say what training says at {box.width}x{box.height}: outputs"
                f" differ by {apart:.2g}, boxes by {drift:.2g} px; mend training/export.py"
            )


def write_card(path: Path, version: str, facts: dict[str, object]) -> Path:
    """Write NAME.json beside NAME.onnx. `facts`: thresholds, how trained, what was measured."""
    card = {
        "name": path.stem,
        "version": version,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "labels": list(LABELS),
        "input": {"width": 640, "height": 384, "tracer_band": TRACER_BAND, "pad": GREY},
        "decoding": "anchor_free_v1",
        "nms_iou": NMS_IOU,
        **facts,
    }
    target = path.with_suffix(".json")
    save_card(target, card)
    return target


def save_card(path: Path, card: dict[str, object]) -> None:
    path.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n")


def _furthest(found: FloatArray, ours: FloatArray) -> float:
    """How far, in pixels, the worst found box is from the nearest of ours."""
    if not len(found):
        return 0.0
    return float(np.abs(found[:, None] - ours[None]).max(axis=2).min(axis=1).max())
