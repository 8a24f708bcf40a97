"""Whether a model may take over: by how it did beside the old one, and then by itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_agent.worker.report import TrialReport, WorkerReport

MOST_FAILED = 0.02  # share of looks
MOST_DISAGREED = 0.5  # two honest models differ on weak objects, not on every second look
MOST_SLOWER = 2.0  # times the old one's seconds a look
ALWAYS_FAST = 0.05  # seconds a look that are never too slow
MORE_RESCUED = 0.1  # share: objects that it saw only later than it should

MOST_FAILED_LOOKS = 20
MOST_RESTARTS = 2  # of the detector
MOST_ENDS = 3  # of a worker by a fault


def fault_of_trial(trial: TrialReport | None) -> str | None:
    """Why a model must not take over, as a token; None if it may, or if nothing was live to try it
    on."""
    if trial is None:
        return None
    if trial.failed > MOST_FAILED:
        return "trial_failed"
    if trial.looks and trial.seconds_new > max(ALWAYS_FAST, MOST_SLOWER * trial.seconds_old):
        return "trial_slow"
    if trial.disagreed > MOST_DISAGREED:
        return "trial_disagreed"
    if trial.rescued_new > trial.rescued_old + MORE_RESCUED:
        return "trial_late"
    return None


@dataclass(slots=True)
class Probation:
    """The first minutes of a model, seen through the reports of every stream that looks with it."""

    sha256s: frozenset[str]  # of the model, and of its form for this processor
    _first: dict[str, WorkerReport] = field(default_factory=dict)
    _failed: set[str] = field(default_factory=set)
    _ends: int = 0

    def fault(self, stream: str, report: WorkerReport) -> str | None:
        """Why the model must go, as a token; None while nothing speaks against it.

        Counts are compared with the stream's first report of this model, and after a restart of its
        worker with its new first one.
        """
        if report.run == "failed" and stream not in self._failed:
            self._failed.add(stream)
            self._ends += 1
        elif report.run == "running":
            self._failed.discard(stream)
        if self._ends >= MOST_ENDS:
            return "worker_ends"
        if report.model_sha256 not in self.sha256s:
            return None
        first = self._first.setdefault(stream, report)
        if report.counts.frames_in < first.counts.frames_in:
            first = self._first[stream] = report
        now, then = report.counts, first.counts
        if now.unverified_frames_sent > then.unverified_frames_sent:
            return "unverified"
        if now.detector_restarts - then.detector_restarts >= MOST_RESTARTS:
            return "detector_restarts"
        if now.looks_failed - then.looks_failed > MOST_FAILED_LOOKS:
            return "looks_failed"
        return None
