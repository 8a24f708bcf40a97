"""What a worker tells: one JSON line on its output, on every change and at least each second."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge_agent.worker.job import Part


class SinkReport(Part):
    """One destination, in the order of the job."""

    connected: bool
    reconnects: int


class TrialReport(Part):
    """How a model did beside the running one. Shares lie in 0..1; `failed` is one of `looks`.

    looks: those of the new model; failed: the share of them that failed; disagreed: looks in which
    one of the two found a strong object that the other did not find even weakly, of those that
    could be compared; rescued: looks that missed a strong object which the same model's next look
    found, so that the look-ahead has to cover it. Seconds are means of one look.
    """

    card: str
    finished: bool
    looks: int
    failed: float
    disagreed: float
    rescued_old: float
    rescued_new: float
    seconds_old: float
    seconds_new: float


class CountsReport(Part):
    """Totals since the worker began, and rates of the last seconds."""

    fps: float = 0.0
    looks_per_second: float = 0.0
    look_seconds: float = 0.0
    decision_age: float = 0.0
    av_offset: float = 0.0
    frames_in: int = 0
    frames_protected: int = 0
    frames_veiled: int = 0
    frames_dropped: int = 0
    frames_rescued: int = 0
    unverified_frames_sent: int = 0
    looks_failed: int = 0
    detector_restarts: int = 0
    reconnects: int = 0
    bytes_out: int = 0
    objects: dict[str, int] = Field(default_factory=dict)


class WorkerReport(Part):
    """How the stream stands.

    run: as in the fleet's stream state; state: the gate's, HELD unless running; reason: a token of
    lower-case letters and `_`, why it is not PROTECTED or why it failed; done: the number up to
    which all orders are in force or refused; refused: why, by the number of each that failed;
    camera: SHA-256 (hexadecimal) of the certificate that is shown to a browser that brings its
    camera, empty where none is waited for.
    """

    run: Literal["waiting", "starting", "running", "stopped", "failed"]
    state: Literal["PROTECTED", "DEGRADED", "HELD", "OFF"]
    reason: str | None = None
    done: int = 0
    refused: dict[int, str] = Field(default_factory=dict)
    veiled: bool = False
    model_sha256: str = ""
    camera: str = ""
    delay: float = 0.0
    source_connected: bool = False
    sinks: tuple[SinkReport, ...] = ()
    counts: CountsReport = CountsReport()
    trial: TrialReport | None = None
