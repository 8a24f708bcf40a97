"""The detector: ONNX Runtime on one CPU thread, and a proof of life in every look."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edge_agent.boxes import FloatArray
from edge_agent.detect.card import ModelCard, read_model
from edge_agent.detect.detector import Region
from edge_agent.detect.evidence import FLOOR, WEAK_SHARE, Evidence, Witnessed
from edge_agent.detect.heads import candidates, select
from edge_agent.detect.letterbox import BAND, Letterbox, fit, write_frame, write_picture
from edge_agent.detect.tracer import PLATE, TRACER_SCORE, Tracer, proved
from edge_agent.detect.variant import runs_here
from edge_agent.errors import DetectError, ModelError
from edge_agent.frame import Frame


class OnnxDetector:
    """Finds plates, cards and labels. For one thread at a time.

    thresholds: (3,) by `LABELS`, 1 or more switches a class off; by default half of the card's,
    so that weak detections can support strong ones. Raises ModelError when the model is damaged,
    does not load or does not answer.
    """

    def __init__(
        self, card: ModelCard, *, thresholds: FloatArray | None = None, seed: int = 0
    ) -> None:
        self.card = card
        weak = card.threshold_array() * np.float32(WEAK_SHARE)
        self._thresholds = weak if thresholds is None else np.asarray(thresholds, np.float32)
        self._raw_thresholds = self._thresholds.copy()
        self._raw_thresholds[PLATE] = min(self._thresholds[PLATE], TRACER_SCORE)
        self._least = min(FLOOR, float(self._thresholds.min()))
        self._tracer = Tracer(seed)
        self._tensors: dict[tuple[int, int], FloatArray] = {}
        self._session: ort.InferenceSession | None = _open(card)
        self._warm_up()

    def look(
        self, frame: Frame, region: Region | None = None, *, input_scale: float = 1.0
    ) -> Witnessed:
        """See `Detector.look`. What is found comes with its evidence, for other thresholds."""
        box = fit(region or Region(0, 0, frame.width, frame.height), input_scale)
        return self._look(box, lambda tensor: write_frame(frame, box, tensor))

    def look_rgb(self, picture: NDArray[np.uint8]) -> Witnessed:
        """Find objects in a still RGB picture (H, W, 3); boxes in its pixels."""
        box = fit(Region(0, 0, picture.shape[1], picture.shape[0]))
        return self._look(box, lambda tensor: write_picture(picture, box, tensor))

    def close(self) -> None:
        """Drop the session and its memory."""
        self._session = None
        self._tensors.clear()

    def _look(self, box: Letterbox, write: Callable[[FloatArray], None]) -> Witnessed:
        if self._session is None:
            raise DetectError("the detector is closed")
        size = (box.width, box.height)
        if size not in self._tensors:
            self._tensors[size] = np.empty((1, 3, box.height, box.width), np.float32)
        tensor = self._tensors[size]
        write(tensor)
        slot = self._tracer.paste(tensor)
        try:
            scores, boxes = self._session.run(["scores", "boxes"], {"image": tensor})
        except Exception as problem:  # ONNX Runtime has no common class for its errors
            raise DetectError(f"the model failed: {problem}") from problem
        xyxy, logits = candidates(scores, boxes, size, self._least)
        raw = select(xyxy, logits, self._raw_thresholds, self.card.nms_iou)
        found = proved(raw, slot, *size)
        strong = found.score >= self._thresholds[found.label]
        scene = xyxy[:, 1::2].mean(axis=1) < box.height - BAND
        own, nms_iou = self.card.threshold_array(), self.card.nms_iou
        return Witnessed(
            box.to_frame(found.xyxy[strong]),
            found.score[strong],
            found.label[strong],
            Evidence(box.to_frame(xyxy[scene]), logits[scene], own, nms_iou),
        )

    def _warm_up(self) -> None:
        grey = np.full((360, 640, 3), 114, np.uint8)
        try:
            self.look_rgb(grey)
        except DetectError as problem:
            raise ModelError(f"{self.card.file} does not work: {problem}") from problem


def _open(card: ModelCard) -> ort.InferenceSession:
    if not runs_here(card):
        raise ModelError(
            f"{card.name} needs a processor with {' or '.join(card.needs)}; choose another model"
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    model = read_model(card)
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as problem:  # ONNX Runtime has no common class for its errors
        raise ModelError(f"{card.file} cannot be loaded: {problem}") from problem
