"""What the looks come to under the rules in force, and so what is to be hidden on a frame."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_agent.boxes import Detections, FloatArray
from edge_agent.detect.detector import Region
from edge_agent.detect.evidence import Witnessed, strong_thresholds, weak_thresholds
from edge_agent.frame import Frame
from edge_agent.looker import Look
from edge_agent.options import Options
from edge_agent.redact.cover import Cover, cover_from
from edge_agent.redact.zones import drop_ignored
from edge_agent.second_looks import uncut
from edge_agent.track.tracker import Tracker


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """A successful look, as long as it can matter: what it found of a picture of that size.

    `region` is None when it covered the whole picture; `adds`: what it did not find may be there.
    """

    time_ns: int
    width: int
    height: int
    region: Region | None
    adds: bool
    found: Detections


@dataclass(frozen=True, slots=True, eq=False)
class Ruling:
    """What counts of a look; strong: (N,) what covers by itself."""

    found: Detections
    strong: NDArray[np.bool_]


class Judge:
    """Tells the tracker what counts of each look. When the rules change, all looks that still
    matter are judged anew: what waits to leave is covered as the new rules say."""

    def __init__(self, tracker: Tracker, options: Options) -> None:
        self._tracker = tracker
        self._options = options
        self._told: deque[Told] = deque()

    def use(self, options: Options) -> None:
        """Judge by other rules, also what was looked at before."""
        self._options = options
        settings = replace(
            self._tracker.settings,
            window_ns=int(options.look_ahead * 1e9),
            hold_ns=int(options.hold * 1e9),
        )
        self._tracker.use(settings)
        rulings = [(told, self._ruling(told)) for told in self._told]
        self._tracker.observe_anew(
            (told.time_ns, ruling.found, not told.adds, ruling.strong) for told, ruling in rulings
        )

    def see(self, frame: Frame) -> None:
        """Take note of the next frame."""
        self._tracker.see(frame)

    def hear(self, look: Look, *, adds: bool = False) -> Ruling:
        """Take note of a successful look at a frame that is held. `adds`: it says nothing about
        what is not there, as no look at a region does."""
        assert look.found is not None
        request, frame = look.request, look.request.frame
        adds = adds or request.region is not None
        told = Told(frame.time_ns, frame.width, frame.height, request.region, adds, look.found)
        self._told.append(told)
        ruling = self._ruling(told)
        self._tracker.observe(told.time_ns, ruling.found, not adds, ruling.strong)
        return ruling

    def cover(self, frame: Frame) -> tuple[Cover, bool]:
        """What to hide in a frame, and whether only later evidence says so."""
        boxes = self._tracker.boxes_at(frame.time_ns)
        cover = cover_from(
            boxes.xyxy, boxes.track, boxes.label, boxes.score,
            width=frame.width, height=frame.height, margin=self._options.margin,
        )  # fmt: skip
        return cover, bool(np.any(boxes.rescued))

    def forget_before(self, time_ns: int) -> None:
        """No frame before this time will be asked for again."""
        self._tracker.forget_before(time_ns)
        oldest_ns = time_ns - self._tracker.keep_ns
        while self._told and self._told[0].time_ns < oldest_ns:
            self._told.popleft()

    def reset(self) -> None:
        """Forget everything: after a jump in time, a panic, or a failure."""
        self._tracker.reset()
        self._told.clear()

    def _ruling(self, told: Told) -> Ruling:
        wanted, found = self._options.wanted, told.found
        if isinstance(found, Witnessed):
            strong = strong_thresholds(found.evidence.own, wanted)
            found = found.evidence.under(strong)
        else:
            strong = strong_thresholds(np.array(self._tracker.settings.strong, np.float32), wanted)
            found = _kept(found, strong, np.array([asked is not None for asked in wanted]))
        found = drop_ignored(found, self._options.ignore_zones, told.width, told.height)
        if told.region is not None:
            found = uncut(found, told.region, told.width, told.height)
        return Ruling(found, np.asarray(found.score >= strong[found.label], np.bool_))


def _kept(found: Detections, strong: FloatArray, asked: NDArray[np.bool_]) -> Detections:
    """Without what is too weak for the thresholds asked for; of other classes the detector's word
    is taken."""
    least = np.where(asked, weak_thresholds(strong), 0.0)
    keep = found.score >= least[found.label]
    return Detections(found.xyxy[keep], found.score[keep], found.label[keep])
