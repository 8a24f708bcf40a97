"""Moves time stamps so that they start near zero, rise, and keep sound and video together."""

from __future__ import annotations

import time
from dataclasses import dataclass

SECOND = 1_000_000_000
JUMP = SECOND
"""A step further than this from the expected time is a break in the picture's story."""


@dataclass(slots=True)
class Track:
    """Where one stream stands: the shift it uses and where its next stamp is due, in ns."""

    shift: int
    due: int
    step: int


class Rebase:
    """One for all streams of a source, so that a jump moves sound and video by the same amount.

    `reach` is how far (ns) a stamp may run ahead before it counts as a jump of the clock rather
    than a pause in the picture; None trusts every step ahead, as files with an index deserve.
    Live sources place what follows a jump by the wall clock.
    """

    def __init__(self, *, live: bool, reach: int | None) -> None:
        self._live = live
        self._reach = reach
        self._shift: int | None = None
        self._tracks: dict[str, Track] = {}
        self._restart = False
        self._seen = 0

    def start(self, first: int | None) -> None:
        """A source has been opened; `first` (ns; None: its first stamp) becomes zero.

        Opened again, it goes on where it left off: its own stamps no longer tell.
        """
        if self._tracks:
            self._restart = True
        elif first is not None:
            self._shift = -first

    def place(self, name: str, stamp: int, step: int) -> tuple[int, bool]:
        """How far (ns) to move `stamp` of stream `name`, and whether it broke with the one before.

        step: the stamp's own duration in ns, or 0 when unknown.
        """
        now = time.monotonic_ns()
        if self._shift is None:
            self._shift = -stamp
        if self._restart:
            self._restart = False
            dues = [track.due for track in self._tracks.values()]
            self._shift = max(dues, default=0) + (now - self._seen) - stamp
            for other in self._tracks.values():
                other.shift, other.due = self._shift, stamp + self._shift
        track = self._tracks.get(name)
        if track is None:
            track = Track(self._shift, stamp + self._shift, step)
            self._tracks[name] = track
        ahead = stamp + track.shift - track.due
        jumped = not self._plausible(ahead)
        if jumped:
            self._move(track, stamp, now)
        self._seen = now
        track.step = step or track.step
        track.due = stamp + track.shift + track.step
        return track.shift, jumped or ahead > JUMP

    def due(self, name: str) -> int | None:
        """The source stamp (ns) expected next on stream `name`, None before its first."""
        track = self._tracks.get(name)
        return None if track is None else track.due - track.shift

    def _plausible(self, ahead: int) -> bool:
        return ahead >= -JUMP and (self._reach is None or ahead <= self._reach)

    def _move(self, track: Track, stamp: int, now: int) -> None:
        """Follow the jump that another stream has already made, or make the first move."""
        assert self._shift is not None
        if not self._plausible(stamp + self._shift - track.due):
            waited = max(0, now - self._seen) if self._live else 0
            self._shift = track.due + waited - stamp
        track.shift = self._shift
