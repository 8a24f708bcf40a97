"""How a live stream stands, as one document for the preview page, scripts and metrics."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from edge_agent.counts import Counts
from edge_agent.media.sink import SinkState
from edge_agent.preview import PreviewFeed
from edge_agent.redact.gate import Gate
from edge_agent.report import frame_line

RATE_WINDOW_NS = 3_000_000_000
RATE_SAMPLES = 16


class Stream(Protocol):
    """A running pipeline, as seen from outside its thread."""

    @property
    def counts(self) -> Counts: ...
    @property
    def gate(self) -> Gate: ...
    def wake(self) -> None: ...


class LiveState:
    """Reads a stream, its preview and its sinks; never changes them. Callable from any thread."""

    def __init__(
        self,
        stream: Stream,
        feed: PreviewFeed,
        sinks: Callable[[], Sequence[SinkState]],
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.stream = stream
        self.feed = feed
        self.sinks = sinks
        self._clock_ns = clock_ns
        self._asking = threading.Lock()
        self._looks = deque([(clock_ns(), stream.counts.looks)], maxlen=RATE_SAMPLES)

    def document(self) -> dict[str, Any]:
        """Plain values, ready for JSON: the state, live figures, covered boxes, totals, sinks."""
        stream, feed = self.stream, self.feed
        standing, frame = feed.standing(stream.gate), feed.newest
        delay = feed.delay_seconds()
        boxes = frame_line(frame, rescued=False)["boxes"] if frame else []
        return {
            "state": standing.state.value,
            "reason": standing.reason,
            "panic": stream.gate.panicking,
            "veiled": stream.gate.veiled,
            "fps": round(feed.fps(), 1),
            "looks_per_second": round(self.looks_per_second(), 1),
            "delay_seconds": None if delay is None else round(delay, 3),
            "width": frame.width if frame else 0,
            "height": frame.height if frame else 0,
            "boxes": boxes,
            "av_offset_seconds": round(stream.counts.av_offset_seconds, 4),
            "unverified_frames_sent": stream.gate.counts.unverified_sent,
            "counts": _totals(stream.counts),
            "sinks": [asdict(sink) for sink in self.sinks()],
        }

    def looks_per_second(self) -> float:
        """Looks at whole pictures, over the last few seconds, from one asking to the next."""
        with self._asking:
            now_ns, looks = self._clock_ns(), self.stream.counts.looks
            if now_ns - self._looks[-1][0] >= RATE_WINDOW_NS // RATE_SAMPLES:
                self._looks.append((now_ns, looks))
            while len(self._looks) > 2 and now_ns - self._looks[0][0] > RATE_WINDOW_NS:
                self._looks.popleft()
            since_ns, before = self._looks[0]
        return (looks - before) / max((now_ns - since_ns) / 1e9, 1e-3)


def _totals(counts: Counts) -> dict[str, Any]:
    """The totals that people read. The stream's thread goes on counting meanwhile: everything is
    copied in one step."""
    return {
        "frames_in": counts.frames_in,
        "protected": counts.protected,
        "rescued": counts.rescued,
        "veiled": counts.veiled,
        "veil_reasons": dict(counts.veil_reasons),
        "objects": counts.objects,
        "dropped": counts.dropped_in + counts.dropped_out,
        "discarded_by_panic": counts.discarded_by_panic,
        "looks_failed": counts.looks_failed,
        "detector_restarts": counts.detector_restarts,
    }
