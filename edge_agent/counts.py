"""What a stream's summary, metrics and preview count: numbers only, never pixels or text."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from edge_agent.boxes import LABELS


@dataclass(slots=True)
class Counts:
    """Totals since the stream began; written by the pipeline's thread alone."""

    frames_in: int = 0
    protected: int = 0
    veiled: int = 0
    slates: int = 0
    rescued: int = 0
    dropped_in: int = 0
    dropped_out: int = 0
    damaged_packets: int = 0
    discarded_by_panic: int = 0
    looks: int = 0
    second_looks: int = 0
    looks_failed: int = 0
    looks_late: int = 0
    look_seconds: float = 0.0
    decision_age_seconds: float = 0.0
    av_offset_seconds: float = 0.0  # no total: so much later than picture sound leaves now
    detector_restarts: int = 0
    tracking_failures: int = 0
    veil_reasons: Counter[str] = field(default_factory=Counter)
    tracks: dict[int, int] = field(default_factory=dict)

    @property
    def objects(self) -> dict[str, int]:
        """How many different objects of each class were covered."""
        by_label = Counter(self.tracks.values())
        return {name: by_label[i] for i, name in enumerate(LABELS)}

    def summary(self) -> dict[str, Any]:
        """Everything but the track table, ready for JSON."""
        totals = asdict(self)
        del totals["tracks"]
        totals["veil_reasons"] = dict(self.veil_reasons)
        return {**totals, "objects": self.objects}
