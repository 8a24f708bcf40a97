"""The composition root: settings in, wired parts out. Nothing else builds more than itself."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2

from edge_agent.boxes import LABELS, FloatArray
from edge_agent.detect.card import ModelCard, find_model, load_card
from edge_agent.detect.detector import Detector
from edge_agent.detect.evidence import NEVER, Wanted, strong_thresholds, weak_thresholds
from edge_agent.detect.onnx_detector import OnnxDetector
from edge_agent.detect.self_test import self_test
from edge_agent.detect.variant import variant_for_this_cpu
from edge_agent.media.encode import EncoderSettings
from edge_agent.media.source import Source
from edge_agent.media.whip.terms import Terms, untold
from edge_agent.options import Observer, Options
from edge_agent.outlet import Outlet, Target
from edge_agent.pipeline import Pipeline
from edge_agent.redact.gate import Gate
from edge_agent.redact.mosaic import Mosaic, Style
from edge_agent.settings import Camera, Classes, Live, Protect, Settings
from edge_agent.track.tracker import Tracker, TrackSettings


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A verified model and the scores from which on it counts.

    strong, weak: (3,) float32 by label; a strong detection covers by itself, a weak one only
    beside a strong one of the same track. A class that is switched off is never reached.
    """

    card: ModelCard
    strong: FloatArray
    weak: FloatArray


def load_model(settings: Settings) -> Model:
    """Find, verify and self-test the model that the settings name. Raises ModelError."""
    card = verified(find_model(settings.protect.model))
    return model_from(card, settings.protect.classes)


def model_from(card: ModelCard, classes: Classes) -> Model:
    """A verified card's model, with the scores that these settings want."""
    strong = strong_thresholds(card.threshold_array(), wanted_scores(classes))
    return Model(card, strong, weak_thresholds(strong))


def verified(path: Path) -> ModelCard:
    """The card of a model, in the form that suits this processor, after a self-test. Raises
    ModelError.

    OpenCV is told to stay in the caller's thread: on small pictures its pool only costs CPU.
    """
    cv2.setNumThreads(1)
    card = variant_for_this_cpu(load_card(path))
    self_test(card)
    return card


def wanted_scores(classes: Classes) -> Wanted:
    """From which scores on each class is hidden, by label."""
    each = [getattr(classes, label) for label in LABELS]
    return tuple(one.thresh if one.hide else NEVER for one in each)


def detector_factory(model: Model) -> Callable[[], Detector]:
    """Builds a fresh detector each time it is called: the looker needs a new one after a hang."""
    return lambda: OnnxDetector(model.card, thresholds=model.weak)


def warm_factory(model: Model) -> Callable[[], Detector]:
    """Like `detector_factory`, but the first detector is built here and now. Raises ModelError."""
    build = detector_factory(model)
    ready = [build()]
    return lambda: ready.pop() if ready else build()


def build_pipeline(
    source: Source,
    target: Target,
    settings: Settings,
    model: Model,
    *,
    live: bool,
    observers: tuple[Observer, ...] = (),
) -> tuple[Pipeline, Outlet]:
    """Wire one stream: its own tracker, gate and threads, with a noise seed nobody knows."""
    gate = Gate(mosaic_for(settings.protect), seed=secrets.randbits(32))
    options = options_for(settings.protect, settings.live, live=live, observers=observers)
    tracker = Tracker(
        TrackSettings(
            strong=tuple(model.strong.tolist()),
            window_ns=int(options.look_ahead * 1e9),
            hold_ns=int(options.hold * 1e9),
        )
    )
    outlet = Outlet(target, live=live)
    pipeline = Pipeline(source, detector_factory(model), tracker, gate, outlet, options)
    return pipeline, outlet


def options_for(
    protect: Protect, settings: Live, *, live: bool, observers: tuple[Observer, ...] = ()
) -> Options:
    """The settings as the pipeline needs to know them."""
    return Options(
        live=live,
        look_ahead=protect.look_ahead,
        looks_per_second=protect.looks_per_second,
        second_looks_per_second=protect.second_looks,
        margin=(protect.mask_scale - 1) / 2,
        hold=protect.hold,
        wanted=wanted_scores(protect.classes),
        ignore_zones=protect.ignore_zones,
        slate_seconds=settings.slate_seconds,
        observers=observers,
    )


def mosaic_for(protect: Protect) -> Mosaic:
    """How covers are painted, and the zones that always are."""
    return Mosaic(Style(protect.replacewith), protect.zones)


def camera_terms(camera: Camera, told: Callable[[str], None] = untold) -> Terms:
    """How a browser's camera may come in; `told` is given the fingerprint that it will see."""
    return Terms(camera.origins, camera.certificate, camera.key, told)


def encoder_settings(settings: Settings, *, live: bool) -> EncoderSettings:
    encode = settings.encode
    return EncoderSettings(preset=encode.preset, bitrate=encode.bitrate, crf=encode.crf, live=live)
