"""The hot loop: frames wait in the look-ahead, looks come back, protected frames leave."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from queue import Empty, SimpleQueue

import structlog

from edge_agent.counts import Counts
from edge_agent.detectors import Build, Detectors, TrialLook
from edge_agent.frame import Frame
from edge_agent.judge import Judge
from edge_agent.lookahead import LookAhead
from edge_agent.looker import Look
from edge_agent.lookout import Lookout
from edge_agent.media.audio import AudioPacket
from edge_agent.media.events import Discontinuity
from edge_agent.media.source import Source
from edge_agent.options import Options
from edge_agent.outlet import Outlet
from edge_agent.pace import SHORTEST_WAIT_NS, FilePace, LivePace
from edge_agent.reader import Ended, Reader
from edge_agent.redact.cover import Cover
from edge_agent.redact.gate import Gate
from edge_agent.redact.mosaic import Mosaic
from edge_agent.redact.protected import State
from edge_agent.sender import Sender
from edge_agent.track.tracker import Tracker
from edge_agent.trial import TrialFigures

log = structlog.get_logger()

SLACK_FRAMES = 6
FASTEST_FPS = 240
Done = Callable[[], None]
Item = Frame | AudioPacket | Discontinuity | Look | TrialLook | Ended | Done | None


class Pipeline:
    """Protects one stream, from a source to an outlet. All its state belongs to `run`'s thread;
    other threads only put things into its inbox: changes take effect between two frames."""

    def __init__(
        self,
        source: Source,
        build_detector: Build,
        tracker: Tracker,
        gate: Gate,
        outlet: Outlet,
        options: Options,
    ) -> None:
        self.counts = Counts()
        self.gate = gate
        self._options = options
        self._judge = Judge(tracker, options)
        self._sender = Sender(outlet, gate, self.counts, options)
        self._inbox: SimpleQueue[Item] = SimpleQueue()
        self._backlog: deque[Item] = deque()
        self._ahead = LookAhead(int(options.look_ahead * 1e9))
        period_ns = int(1e9 / options.looks_per_second)
        self._pace = LivePace(period_ns) if options.live else FilePace(period_ns)
        self._in_panic = False
        self._panics = 0
        self.gave_up = False  # whether it ended because the source was silent for too long
        self._detectors = Detectors(build_detector, self._inbox.put)
        self._lookout = Lookout(self._detectors, self._pace, options)
        self._fps = min(float(source.info.fps or 30), FASTEST_FPS)
        allowance = self._allowance(options)
        self._reader = Reader(source, self._inbox.put, allowance=allowance, live=options.live)

    def run(self) -> Counts:
        """Protect until the source ends or `stop` is called; raises what the source or the
        outlet raised."""
        try:
            while not isinstance(item := self._next(), Ended):
                self._take(item)
                self._ask()
                self._release_due()
                self._detectors.check()
                self._mind_silence()
            self._flush()
            self._sender.rest_of_sound()
        finally:
            self._reader.close()
            self._detectors.close()
            self._count_losses()
        if item.error is not None:
            raise item.error
        return self.counts

    def stop(self) -> None:
        """End the stream soon and cleanly. Callable from any thread."""
        self._reader.close()

    def wake(self) -> None:
        """Make the loop notice a change of the gate (panic) now. Callable from any thread."""
        self._inbox.put(None)

    def apply(
        self, options: Options, mosaic: Mosaic | None = None, then: Done = lambda: None
    ) -> None:
        """Protect by other rules from the next frame that leaves on; `then` is called when they
        are in force. Callable from any thread."""
        self._between_frames(lambda: self._apply(options, mosaic), then)

    def use_detector(self, build: Build, then: Done = lambda: None) -> None:
        """Look with another detector from the next look on: `build` returns one that is warm the
        first time it is called. Callable from any thread."""
        self._between_frames(lambda: self._detectors.use(build), then)

    def try_detector(self, build: Build, seconds: float, then: Done = lambda: None) -> None:
        """Look with a second detector too, and hide what either finds, for so long. A trial that
        is under way ends. Callable from any thread."""
        self._between_frames(lambda: self._detectors.try_out(build, seconds), then)

    @property
    def trial(self) -> TrialFigures | None:
        """How the newest trial goes, or went. From any thread."""
        return self._detectors.figures

    def _between_frames(self, act: Done, then: Done) -> None:
        def in_turn() -> None:
            act()
            then()

        self._inbox.put(in_turn)

    def _apply(self, options: Options, mosaic: Mosaic | None) -> None:
        self._lookout.use(options)
        self._ahead.window_ns = int(options.look_ahead * 1e9)
        self._reader.allow(self._allowance(options))
        if mosaic is not None:
            self.gate.use(mosaic)
        try:
            self._judge.use(options)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the tracks are in doubt
            self._distrust(problem)

    def _allowance(self, options: Options) -> int:
        wait = max(options.look_ahead, SHORTEST_WAIT_NS / 1e9) + 1 / options.looks_per_second
        return int(self._fps * wait) + SLACK_FRAMES

    def _next(self) -> Item:
        if self._backlog:
            return self._backlog.popleft()
        try:
            return self._inbox.get(
                timeout=self._pace.wait_seconds(self._ahead, time.monotonic_ns())
            )
        except Empty:
            return None

    def _take(self, item: Item) -> None:
        self._in_panic = self.gate.panicking
        if self.gate.panics != self._panics:
            self._panics = self.gate.panics
            self._discard_held()
        if isinstance(item, Frame):
            self._take_frame(item)
        elif isinstance(item, Look):
            self._take_look(item)
        elif isinstance(item, AudioPacket):
            if not self._in_panic:
                self._sender.sound(item)
        elif isinstance(item, Discontinuity):
            self._flush()
        elif isinstance(item, TrialLook):
            self._take_trial_look(item)
        elif callable(item):
            item()

    def _take_frame(self, frame: Frame) -> None:
        self.counts.frames_in += 1
        self._ahead.push(frame)
        if self._in_panic:
            self._release()
            return
        try:
            self._judge.see(frame)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the tracks are in doubt
            self._distrust(problem)

    def _take_look(self, look: Look) -> None:
        request, frame = look.request, look.request.frame
        whole = request.region is None
        self._lookout.answered(look)
        self.counts.looks += whole
        self.counts.second_looks += not whole
        self.counts.look_seconds += look.seconds
        if look.found is None:
            self.counts.looks_failed += 1
            log.warning("look_failed", reason=look.error)
        if not self._ahead.holds(frame):
            self.counts.looks_late += 1
            return
        if look.found is not None:
            try:
                ruling = self._judge.hear(look)
                if whole and self._detectors.trial is not None:
                    self._detectors.trial.note_old(look, ruling)
            except Exception as problem:  # noqa: BLE001 - whatever it is, the tracks are in doubt
                self._distrust(problem)
                return
        if whole:
            self._ahead.looked(frame, succeeded=look.found is not None)

    def _take_trial_look(self, item: TrialLook) -> None:
        """What the model on trial finds is hidden as well; it decides nothing."""
        ruling = None
        if item.look.found is not None and self._ahead.holds(item.look.request.frame):
            try:
                ruling = self._judge.hear(item.look, adds=True)
            except Exception as problem:  # noqa: BLE001 - whatever it is, the tracks are in doubt
                self._distrust(problem)
        item.trial.note_new(item.look, ruling)

    def _distrust(self, problem: Exception) -> None:
        """The tracker failed: what it knew is forgotten, and every frame that is held is veiled."""
        log.error("tracking_failed", error=type(problem).__name__)
        self.counts.tracking_failures += 1
        self._judge.reset()
        self._ahead.doubt()

    def _ask(self) -> None:
        newest = self._ahead.newest
        if newest is not None and not self._in_panic:
            self._lookout.ask(newest, at_once=self._full())

    def _full(self) -> bool:
        """Whether the source can give no more frames, and no answer is under way: only a look at
        the newest frame, or letting the oldest go, moves things on."""
        return not self._lookout.pending and len(self._ahead) >= self._reader.allowance

    def _release_due(self) -> None:
        while self._pace.due(
            self._ahead, time.monotonic_ns(), self._lookout.pending, full=self._full()
        ):
            self._release()

    def _release(self, *, patient: bool = False) -> None:
        """Let the oldest frame go, covered if a decision stands behind it and veiled if not."""
        frame = self._ahead.oldest
        assert frame is not None
        cover, rescued = self._cover(frame)
        verdict = self._ahead.verdict(frame)
        self._ahead.pop()
        self._judge.forget_before(frame.time_ns)
        pts, time_base = self._sender.stamp(frame.pts, frame.time_base)
        protected = self.gate.protect(replace(frame, pts=pts, time_base=time_base), cover, verdict)
        if protected.state is State.PROTECTED:
            self.counts.decision_age_seconds += verdict.decision_age_ns / 1e9
        rescued = rescued and protected.state is State.PROTECTED
        self._sender.frame(protected, rescued=rescued, patient=patient)
        self._sender.sound_until(frame.time_ns)
        self._reader.done()
        self._count_losses()

    def _cover(self, frame: Frame) -> tuple[Cover, bool]:
        """What to hide in a frame, and whether only later evidence says so."""
        if self._ahead.verdict(frame).fresh:
            try:
                return self._judge.cover(frame)
            except Exception as problem:  # noqa: BLE001 - whatever it is, the tracks are in doubt
                self._distrust(problem)
        return Cover.nothing(frame.width, frame.height), False

    def _count_losses(self) -> None:
        self.counts.dropped_in = self._reader.dropped
        self.counts.damaged_packets = self._reader.damaged
        self.counts.detector_restarts = self._detectors.restarts

    def _flush(self) -> None:
        """Let every held frame go at once: the source ends here, or jumps. One last look at the
        newest frame decides the ones before it."""
        newest = self._ahead.newest
        if newest is not None and not self._in_panic:
            self._lookout.ask_last(newest)
        while self._lookout.pending:
            item = self._wait()
            if isinstance(item, Look):
                self._take_look(item)
            elif item is not None:
                self._backlog.append(item)
            self._detectors.check()
        while self._ahead.oldest is not None:
            self._release(patient=True)
        self._ahead.clear()
        self._judge.reset()
        self._lookout.forget()

    def _wait(self) -> Item:
        try:
            return self._inbox.get(timeout=0.1)
        except Empty:
            return None

    def _discard_held(self) -> None:
        """Panic: what still waits is never shown."""
        for _ in self._ahead.clear():
            self.counts.discarded_by_panic += 1
            self._reader.done()
        self._sender.discard()
        self._judge.reset()
        self._lookout.forget()

    def _mind_silence(self) -> None:
        """Send slates when nothing is held and nothing comes; give up after the set time."""
        if self._ahead.oldest is None and not self._sender.slate_if_due():
            log.warning("source_lost", waited_seconds=self._options.slate_seconds)
            self.gave_up = True
            self.stop()
