"""What a person sees while a stream runs: the picture as it leaves, and what can be said of it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import cv2

from edge_agent.redact.gate import Gate
from edge_agent.redact.protected import ProtectedFrame, State
from edge_agent.report import label_name
from edge_agent.thumbnail import Picture, thumbnail

LONGEST_SIDE = 960
JPEG_QUALITY = 78
STALE_NS = 2_000_000_000
TROUBLE_SHOWS_NS = 1_000_000_000
RATE_FRAMES = 60

OUTLINE_COLOURS = {  # blue, green, red
    "license_plate": (40, 190, 250),
    "id_card": (250, 180, 60),
    "shipping_label": (190, 120, 250),
    "whole_frame": (60, 60, 240),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How the stream stands now, as a person is told: a state and, where it has one, the reason."""

    state: State
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """The newest frame that left, and when: `at_ns` in monotonic time."""

    frame: ProtectedFrame
    at_ns: int


class PreviewFeed:
    """Keeps the newest protected frame for whoever watches; pictures are drawn only on request.

    `see` belongs to the pipeline's thread and costs it next to nothing. Everything else may be
    called from any thread. A picture is drawn once for all who watch.
    """

    def __init__(self, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock_ns = clock_ns
        self._shown: Shown | None = None
        self._trouble: tuple[int, Standing] | None = None
        self._times_ns: deque[int] = deque(maxlen=RATE_FRAMES)
        self._drawing = threading.Lock()
        self._drawn: dict[bool, tuple[ProtectedFrame, bytes]] = {}

    def see(self, frame: ProtectedFrame, rescued: bool) -> None:  # noqa: ARG002
        """Take in a frame that has left the gate."""
        now_ns = self._clock_ns()
        self._times_ns.append(now_ns)
        if frame.state is not State.PROTECTED:
            self._trouble = (now_ns, Standing(frame.state, frame.reason))
        self._shown = Shown(frame, now_ns)

    @property
    def newest(self) -> ProtectedFrame | None:
        return self._shown.frame if self._shown else None

    def standing(self, gate: Gate) -> Standing:
        """The state to show. A single veiled frame shows for a second, or nobody would see it."""
        if gate.panicking:
            return Standing(State.HELD, "panic")
        shown, now_ns = self._shown, self._clock_ns()
        if shown is None:
            return Standing(State.HELD, "waiting for the first picture")
        if now_ns - shown.at_ns > STALE_NS:
            return Standing(State.HELD, "no picture is leaving")
        if self._trouble is not None and now_ns - self._trouble[0] < TROUBLE_SHOWS_NS:
            return self._trouble[1]
        return Standing(shown.frame.state, shown.frame.reason)

    def fps(self) -> float:
        """Frames that leave each second, over the last `RATE_FRAMES`."""
        times = list(self._times_ns)
        if len(times) < 2 or self._clock_ns() - times[-1] > STALE_NS:
            return 0.0
        return (len(times) - 1) / max((times[-1] - times[0]) / 1e9, 1e-9)

    def delay_seconds(self) -> float | None:
        """How long ago the newest frame was captured when it left; None before the first."""
        shown = self._shown
        return None if shown is None else (shown.at_ns - shown.frame.captured_ns) / 1e9

    def jpeg(self, frame: ProtectedFrame, *, outlines: bool) -> bytes:
        """A frame's picture, at most 960 pixels wide or high, with or without its outlines."""
        with self._drawing:
            kept = self._drawn.get(outlines)
            if kept is None or kept[0] is not frame:
                kept = (frame, _encode(frame, outlines=outlines))
                self._drawn[outlines] = kept
        return kept[1]


def _encode(frame: ProtectedFrame, *, outlines: bool) -> bytes:
    picture = thumbnail(frame, LONGEST_SIDE)
    if outlines:
        draw_outlines(picture, frame)
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return encoded.tobytes()


def draw_outlines(picture: Picture, frame: ProtectedFrame) -> None:
    """Outline and name, on a small copy of the frame (BGR, written to), the boxes that it hides."""
    scale = picture.shape[1] / frame.width
    for box, label in zip(
        (frame.cover.xyxy * scale).round().astype(int).tolist(),
        frame.cover.label.tolist(),
        strict=True,
    ):
        name = label_name(label)
        outline(picture, box, name.replace("_", " "), OUTLINE_COLOURS[name])


def outline(picture: Picture, box: list[int], words: str, colour: tuple[int, int, int]) -> None:
    """A named rectangle on a BGR picture; the name stands above the box, or inside at the top."""
    x1, y1, x2, y2 = box
    cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), colour, 2)
    (width, height), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)
    top = y1 - height - 8 if y1 > height + 8 else y1
    left = max(0, min(x1, picture.shape[1] - width - 8))
    cv2.rectangle(picture, (left, top), (left + width + 8, top + height + 8), colour, cv2.FILLED)
    corner = (left + 4, top + height + 3)
    cv2.putText(picture, words, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
