"""A second model beside the running one: what both find is hidden, and how it did is measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from edge_agent.boxes import FloatArray, iou_matrix
from edge_agent.detect.detector import Detector
from edge_agent.judge import Ruling
from edge_agent.looker import Look, Looker, Request

ONE_OF = 4  # whole looks that the new model takes, too, when the CPU is short
SAME_THING = 0.3  # overlap from which on two models speak of the same thing
STILL_THERE = 0.05  # overlap of one thing at two looks in a row...
IN_A_ROW_NS = 300_000_000  # ...that are no further apart


@dataclass(frozen=True, slots=True)
class TrialFigures:
    """How the new model did beside the old one. Shares lie in 0..1; `failed` is one of `looks`.

    disagreed: looks in which one of the two found a strong object that the other did not find even
    weakly, of those that could be compared; rescued: looks that missed a strong object which the
    same model's next look found, so that the look-ahead has to cover it, of those that another
    follows closely. Seconds are means of one look.
    """

    finished: bool = False
    looks: int = 0
    failed: float = 0.0
    disagreed: float = 0.0
    rescued_old: float = 0.0
    rescued_new: float = 0.0
    seconds_old: float = 0.0
    seconds_new: float = 0.0


@dataclass(slots=True)
class _Tally:
    looks: int = 0
    failed: int = 0
    seconds: float = 0.0
    rows: int = 0
    late: int = 0
    last_ns: int = -IN_A_ROW_NS
    last: FloatArray | None = None


class Trial:
    """Asks a model of its own for looks, in a thread of its own, and never waits for it: while it
    is busy, looks are left out; when it hangs, the trial is over. `deliver` gets its answers."""

    def __init__(
        self,
        build: Callable[[], Detector],
        seconds: float,
        deliver: Callable[[Look], None],
        *,
        hang_seconds: float = 2.0,
    ) -> None:
        self._looker = Looker(build, deliver, hang_seconds=hang_seconds)
        self._until_ns = time.monotonic_ns() + int(seconds * 1e9)
        self._pending = False
        self._turn = 0
        self._compared = self._disagreed = 0
        self._old, self._new = _Tally(), _Tally()
        self._unpaired: dict[tuple[int, bool], Ruling] = {}
        self.figures = TrialFigures()

    def ask(self, request: Request, *, spare: bool) -> None:
        """Let the new model look as well, if it is free and, without CPU to spare, now and then."""
        self._turn += 1
        if not self._pending and (spare or self._turn % ONE_OF == 0):
            self._pending = True
            self._unpaired.clear()
            self._looker.ask(request)

    def check(self) -> bool:
        """Whether the trial goes on; it is over when its time is, or when the new model hangs."""
        self._looker.check()
        if not self._looker.restarts and time.monotonic_ns() < self._until_ns:
            return True
        self.end()
        return False

    def end(self) -> None:
        """Give up at once; a look under way is not waited for."""
        if self._pending and self._looker.restarts:
            self._new.looks += 1
            self._new.failed += 1
        self._looker.close(wait=False)
        self.figures = replace(self._measured(), finished=True)

    def close(self) -> None:
        """End with the stream: a look under way is waited for, as the stream's own are."""
        self._looker.close(wait=not self._looker.restarts)

    def note_old(self, look: Look, ruling: Ruling) -> None:
        """A look of the running model at a whole frame, and what counts of it."""
        self._note(self._old, look, ruling)

    def note_new(self, look: Look, ruling: Ruling | None) -> None:
        """An answer of the new model; no ruling when it failed or came too late to count."""
        self._pending = False
        self._note(self._new, look, ruling)
        self.figures = self._measured()

    def _note(self, tally: _Tally, look: Look, ruling: Ruling | None) -> None:
        tally.looks += 1
        tally.failed += look.found is None
        tally.seconds += look.seconds
        if ruling is None:
            tally.last = None
            return
        strong, time_ns = ruling.found.xyxy[ruling.strong], look.request.frame.time_ns
        if tally.last is not None and 0 < time_ns - tally.last_ns <= IN_A_ROW_NS:
            tally.rows += 1
            tally.late += _missing(strong, tally.last, STILL_THERE)
        tally.last, tally.last_ns = strong, time_ns
        index, is_new = look.request.frame.index, tally is self._new
        other = self._unpaired.pop((index, not is_new), None)
        if other is None:
            self._unpaired = {(index, is_new): ruling}
        else:
            self._compared += 1
            self._disagreed += _unseen(ruling, other) or _unseen(other, ruling)

    def _measured(self) -> TrialFigures:
        old, new = self._old, self._new
        return TrialFigures(
            looks=new.looks,
            failed=new.failed / max(new.looks, 1),
            disagreed=self._disagreed / max(self._compared, 1),
            rescued_old=old.late / max(old.rows, 1),
            rescued_new=new.late / max(new.rows, 1),
            seconds_old=old.seconds / max(old.looks, 1),
            seconds_new=new.seconds / max(new.looks, 1),
        )


def _unseen(one: Ruling, other: Ruling) -> bool:
    """Whether one found a strong thing that the other did not find even weakly."""
    return _missing(one.found.xyxy[one.strong], other.found.xyxy, SAME_THING)


def _missing(boxes: FloatArray, among: FloatArray, overlap: float) -> bool:
    """Whether one of the boxes (N, 4) overlaps none of the others (M, 4)."""
    return bool((iou_matrix(boxes, among).max(axis=1, initial=0.0) < overlap).any())
