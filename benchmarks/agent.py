"""The agent's whole path on a clip, its packets thrown away. Prints its figures as JSON.

Arguments: CLIP PRESET [LIVE_SECONDS]. Without the last, the clip is taken as fast as it goes.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from fractions import Fraction

import numpy as np

from edge_agent.build import build_pipeline, load_model
from edge_agent.media.audio import AudioPacket
from edge_agent.media.encode import Encoder, EncoderSettings
from edge_agent.media.source import open_source
from edge_agent.redact.protected import ProtectedFrame
from edge_agent.settings import load_settings

LOOKS = {"looks_per_second": 8.0, "second_looks": 2.0}  # ten detections a second


class Discard:
    """Encodes as a live stream is encoded, notes when each frame was done, and keeps nothing."""

    def __init__(self, preset: str) -> None:
        self._settings = EncoderSettings(preset=preset, live=True)
        self._encoder: Encoder | None = None
        self.delays_ns: list[int] = []

    def video(self, frame: ProtectedFrame) -> None:
        if self._encoder is None:
            self._encoder = Encoder(frame, Fraction(30), self._settings)
        self._encoder.encode(frame)
        self.delays_ns.append(time.monotonic_ns() - frame.captured_ns)

    def audio(self, packet: AudioPacket) -> None: ...
    def discard(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


def main(clip: str, preset: str, live_seconds: str = "0") -> None:
    settings = load_settings(None, {"protect": LOOKS})
    model = load_model(settings)
    live = float(live_seconds) > 0
    cpu, wall = time.process_time(), time.monotonic()
    source = open_source(clip, live=live, loop=live, threads=1)
    target = Discard(preset)
    pipeline, outlet = build_pipeline(source, target, settings, model, live=live)
    if live:
        timer = threading.Timer(float(live_seconds), pipeline.stop)
        timer.start()
    counts = pipeline.run()
    outlet.close()
    looks = counts.looks + counts.second_looks
    added_ms = np.array(target.delays_ns) / 1e6 - settings.protect.look_ahead * 1e3
    figures = {
        "cpu": time.process_time() - cpu,
        "wall": time.monotonic() - wall,
        "frames": counts.frames_in,
        "veiled": counts.veiled,
        "dropped": counts.dropped_in + counts.dropped_out,
        "looks": looks,
        "look_ms": 1000 * counts.look_seconds / max(1, looks),
        "objects": sum(counts.objects.values()),
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "unverified": pipeline.gate.counts.unverified_sent,
        "added_ms_median": float(np.median(added_ms)),
        "added_ms_p95": float(np.percentile(added_ms, 95)),
    }
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
