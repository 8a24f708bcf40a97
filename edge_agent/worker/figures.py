"""A stream's counts as a worker reports them: totals, and rates of the last seconds."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from edge_agent.live_stream import LiveStream
from edge_agent.worker.report import CountsReport

WINDOW_S = 3.0
FRESH_S = 2.0  # a source that gave a frame within this time is connected


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    looks: int
    look_seconds: float
    protected: int
    age_seconds: float


class Figures:
    """Reads one stream, again and again, from one thread."""

    def __init__(self, stream: LiveStream) -> None:
        self._stream = stream
        self._samples: deque[_Sample] = deque()
        self._frames_in = 0
        self._came_at = float("-inf")

    @property
    def source_connected(self) -> bool:
        """Whether frames come, as of the last reading."""
        return time.monotonic() - self._came_at < FRESH_S

    def read(self) -> CountsReport:
        counts, gate = self._stream.pipeline.counts, self._stream.pipeline.gate
        now = time.monotonic()
        if counts.frames_in != self._frames_in:
            self._frames_in, self._came_at = counts.frames_in, now
        looks = counts.looks + counts.second_looks
        self._samples.append(
            _Sample(now, looks, counts.look_seconds, counts.protected, counts.decision_age_seconds)
        )
        while len(self._samples) > 2 and now - self._samples[0].at > WINDOW_S:
            self._samples.popleft()
        old, new = self._samples[0], self._samples[-1]
        sinks = self._stream.sinks
        return CountsReport(
            fps=self._stream.state.feed.fps(),
            looks_per_second=self._stream.state.looks_per_second(),
            look_seconds=(new.look_seconds - old.look_seconds) / max(new.looks - old.looks, 1),
            decision_age=(new.age_seconds - old.age_seconds)
            / max(new.protected - old.protected, 1),
            av_offset=counts.av_offset_seconds,
            frames_in=counts.frames_in,
            frames_protected=counts.protected,
            frames_veiled=counts.veiled,
            frames_dropped=counts.dropped_in + counts.dropped_out,
            frames_rescued=counts.rescued,
            unverified_frames_sent=gate.counts.unverified_sent,
            looks_failed=counts.looks_failed,
            detector_restarts=counts.detector_restarts,
            reconnects=sum(sink.reconnects for sink in sinks),
            bytes_out=sum(sink.sent for sink in sinks),
            objects=counts.objects,
        )
