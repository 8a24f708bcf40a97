"""One stream under orders: its job from start to end, and how it stands at any moment."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import structlog

from edge_agent.build import Model, camera_terms, model_from, mosaic_for, options_for, verified
from edge_agent.detectors import Build
from edge_agent.errors import ModelError, SettingsError, SinkError, SourceError, VeilcastError
from edge_agent.live_stream import LiveStream
from edge_agent.media.source import Source, open_source
from edge_agent.redact.gate import VEILED, LocalConsent
from edge_agent.redact.protected import State
from edge_agent.settings import Settings
from edge_agent.worker.figures import Figures
from edge_agent.worker.job import Apply, End, Job, Order, Protection, SetVeil, TryModel, UseModel
from edge_agent.worker.loader import Loader
from edge_agent.worker.progress import Progress
from edge_agent.worker.recordings import set_aside
from edge_agent.worker.report import CountsReport, SinkReport, TrialReport, WorkerReport

REASONS: dict[type[VeilcastError], str] = {
    SourceError: "source_failed",
    SinkError: "sinks_failed",
    ModelError: "model_failed",
    SettingsError: "settings_refused",
}

log = structlog.get_logger()


class Worker:
    """`run` does the job in the caller's thread; `obey`, `stop` and `report` belong to others.

    Orders that come before the source does are kept: the stream begins as the newest of them say.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._protection = job.protection
        self._veiled = job.veiled
        self._model: Model | None = None
        self._source: Source | None = None
        self._stream: LiveStream | None = None
        self._figures: Figures | None = None
        self._trial_card = ""
        self._camera = ""
        self._loader = Loader()
        self._progress = Progress()
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._ended: tuple[str, str | None] | None = None

    def run(self) -> int:
        """Protect until the source ends or `stop` is called; returns the exit status."""
        try:
            self._work()
        except VeilcastError as error:
            if not self._stopping.is_set():
                log.error("stream_failed", reason=str(error))
                self._ended = ("failed", REASONS.get(type(error), "failed"))
                return error.exit_code
        except Exception as error:  # noqa: BLE001 - no traceback: one could show what it held
            log.error("stream_failed", error=type(error).__name__)
            self._ended = ("failed", "internal_error")
            return 1
        self._ended = self._ended or ("stopped", None)
        return 0 if self._ended[0] == "stopped" else SourceError.exit_code

    def stop(self) -> None:
        """End the stream soon and cleanly, also while it waits for its source."""
        self._stopping.set()
        with self._lock:
            source, stream = self._source, self._stream
        if stream is not None:
            stream.pipeline.stop()
        elif source is not None:
            source.close()

    def obey(self, order: Order) -> None:
        """Take an order; when it is in force, or refused, the report says so."""
        self._progress.took(order.number)
        with self._lock:
            if isinstance(order, Apply):
                self._apply(order)
            elif isinstance(order, SetVeil):
                self._veiled = order.on
                if self._stream is not None:
                    self._stream.pipeline.gate.veil(order.on)
                self._progress.done(order.number)
            elif isinstance(order, UseModel | TryModel):
                self._loader.load(
                    order.card,
                    self._protection.protect.classes,
                    partial(self._loaded, order),
                    partial(self._progress.refuse, order.number),
                )
            elif isinstance(order, End):
                self._progress.done(order.number)
                self.stop()

    def report(self) -> WorkerReport:
        """How things stand. For one thread at a time."""
        with self._lock:
            stream, model, ended = self._stream, self._model, self._ended
        if stream is not None and self._figures is None:
            self._figures = Figures(stream)
        counts = self._figures.read() if self._figures else CountsReport()
        run, state, reason = self._standing(stream, model, ended)
        delay = stream.state.feed.delay_seconds() if stream else None
        return WorkerReport(
            run=run,
            state=state.value,
            reason=reason,
            done=self._progress.settled,
            refused=self._progress.refused,
            veiled=stream.pipeline.gate.veiled if stream else self._veiled,
            model_sha256=(model.card.made_from or model.card.sha256) if model else "",
            camera=self._camera,
            delay=max(delay or 0.0, 0.0),
            source_connected=run == "running"
            and self._figures is not None
            and self._figures.source_connected,
            sinks=tuple(
                SinkReport(connected=sink.connected, reconnects=sink.reconnects)
                for sink in (stream.sinks if stream else ())
            ),
            counts=counts,
            trial=self._trial(stream),
        )

    def _work(self) -> None:
        model = model_from(verified(Path(self._job.card)), self._protection.protect.classes)
        for kept in set_aside(self._job.sinks):
            log.info("recording_kept", name=kept.name)
        terms = camera_terms(self._job.camera, self._shows_to_cameras)
        source = open_source(self._job.source, live=True, loop=self._job.loop, camera=terms)
        try:
            with self._lock:
                self._model, self._source = self._model or model, source
            if self._stopping.is_set():
                return
            _ = source.info  # waits until it is there
            stream = self._begin(source)
            if self._stopping.is_set():
                stream.pipeline.stop()
            try:
                stream.run()
                if stream.pipeline.gave_up and not self._stopping.is_set():
                    self._ended = ("failed", "source_lost")
                if stream.given_up and not self._stopping.is_set():
                    raise SinkError(f"{stream.given_up[0].url}: {stream.given_up[0].failed}")
            finally:
                stream.close()
        finally:
            source.close()

    def _shows_to_cameras(self, fingerprint: str) -> None:
        self._camera = fingerprint

    def _begin(self, source: Source) -> LiveStream:
        """The stream, as the newest orders want it."""
        job = self._job
        with self._lock:
            assert self._model is not None
            settings = Settings.model_construct(
                protect=self._protection.protect, encode=job.encode, live=job.live, log="json"
            )
            model = model_from(self._model.card, self._protection.protect.classes)
            stream = LiveStream(source, job.sinks, settings, model, port=job.api_port)
            stream.pipeline.gate.veil(self._veiled)
            stream.pipeline.gate.allow(_consent(self._protection))
            self._stream = stream
            return stream

    def _apply(self, order: Apply) -> None:
        self._protection = order.protection
        if self._stream is None:
            self._progress.done(order.number)
            return
        pipeline, protect = self._stream.pipeline, order.protection.protect
        consent = _consent(order.protection)
        if consent is None:
            pipeline.gate.allow(None)

        def in_force() -> None:
            pipeline.gate.allow(consent)
            self._progress.done(order.number)

        options = options_for(protect, self._job.live, live=True)
        pipeline.apply(options, mosaic_for(protect), in_force)

    def _loaded(self, order: UseModel | TryModel, model: Model, build: Build) -> None:
        done = partial(self._progress.done, order.number)
        with self._lock:
            stream = self._stream
            if isinstance(order, UseModel):
                self._use(stream, model, build, done)
            elif stream is None:
                self._progress.refuse(order.number, "not_running")
            else:
                self._trial_card = order.card
                stream.pipeline.try_detector(build, order.seconds, done)

    def _use(
        self, stream: LiveStream | None, model: Model, build: Build, done: Callable[[], None]
    ) -> None:
        if stream is None:
            self._model = model
            done()
            return

        def in_use() -> None:
            self._model = model
            done()

        stream.pipeline.use_detector(build, in_use)

    def _standing(
        self, stream: LiveStream | None, model: Model | None, ended: tuple[str, str | None] | None
    ) -> tuple[str, State, str | None]:
        if ended is not None:
            return ended[0], State.HELD, ended[1]
        if model is None:
            return "starting", State.HELD, None
        if stream is None or stream.state.feed.newest is None:
            return "waiting", State.HELD, None
        shown = stream.state.feed.standing(stream.pipeline.gate)
        if stream.pipeline.gate.veiled and shown.state in {State.PROTECTED, State.OFF}:
            return "running", State.DEGRADED, VEILED  # that is what leaves next
        return (
            "running",
            shown.state,
            None if shown.state is State.PROTECTED else _token(shown.reason),
        )

    def _trial(self, stream: LiveStream | None) -> TrialReport | None:
        figures = stream.pipeline.trial if stream else None
        return TrialReport(card=self._trial_card, **asdict(figures)) if figures else None


def _consent(protection: Protection) -> LocalConsent | None:
    """The consent to a bare picture, as the gate's clock counts."""
    if protection.bare_until_ms is None:
        return None
    left_ns = protection.bare_until_ms * 1_000_000 - time.time_ns()
    return LocalConsent(time.monotonic_ns() + left_ns) if left_ns > 0 else None


def _token(words: str) -> str:
    """A gate's reason as a token: `no look after it` becomes `no_look_after_it`."""
    return re.sub(r"[^a-z]+", "_", words.partition(":")[0].lower()).strip("_")[:48] or "unknown"
