"""One picture of a whole protected video, that a person can look over in seconds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge_agent.errors import SettingsError, SinkError
from edge_agent.redact.protected import ProtectedFrame, State
from edge_agent.thumbnail import Picture, thumbnail

MOST_MOMENTS = 24
COLUMNS = 4
THUMB = 320
FIRST_STEP_NS = 250_000_000
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})

_RIM, _GAP, _CAPTION = 5, 10, 26
_PAPER, _INK = (250, 249, 247), (40, 36, 32)
_COLOURS = {  # blue, green, red
    State.PROTECTED: (84, 140, 26),
    State.DEGRADED: (0, 130, 230),
    State.HELD: (120, 112, 106),
    State.OFF: (40, 40, 214),
}


Kind = tuple[State, bool, bool]  # covered, rescued by the look-ahead
PLAIN: Kind = (State.PROTECTED, False, False)


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A frame as it left, made small."""

    time_ns: int
    state: State
    covered: int
    kind: Kind
    picture: Picture


def check_suffix(path: Path) -> None:
    """Raise SettingsError unless a sheet can be written under this name: ask before a long run."""
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(sorted(SUFFIXES))
        raise SettingsError(f"--contact-sheet {path}: the name must end in one of {known}")


class ContactSheet:
    """Keeps small pictures of at most `MOST_MOMENTS` moments, spread over the video.

    Time is cut into equal steps, and of each step one frame is kept: of the rarest kind, such as
    veiled or just rescued, and a plain one only if nothing was hidden. When there are too many,
    steps are joined in pairs, so memory does not grow with the video.
    """

    def __init__(self) -> None:
        self._step_ns = FIRST_STEP_NS
        self._start_ns: int | None = None
        self._moments: dict[int, Moment] = {}
        self._seen: Counter[Kind] = Counter()

    def see(self, frame: ProtectedFrame, rescued: bool) -> None:
        """Take in a frame that has left the gate."""
        if self._start_ns is None:
            self._start_ns = frame.time_ns
        since_ns = frame.time_ns - self._start_ns
        step = since_ns // self._step_ns
        kind = (frame.state, len(frame.cover) > 0, rescued)
        self._seen[kind] += 1
        kept = self._moments.get(step)
        if kept is not None and self._interest(kept.kind) >= self._interest(kind):
            return
        small = thumbnail(frame, THUMB)
        self._moments[step] = Moment(since_ns, frame.state, len(frame.cover), kind, small)
        while len(self._moments) > MOST_MOMENTS:
            self._join_steps()

    def write(self, path: Path) -> None:
        """Draw the sheet; the suffix says how (see `check_suffix`). Raises SinkError."""
        _, encoded = cv2.imencode(path.suffix.lower(), self._draw())
        part = path.with_name(path.name + ".part")
        try:
            part.write_bytes(encoded.tobytes())
            part.replace(path)
        except OSError as error:
            raise SinkError(f"--contact-sheet {path}: {error.strerror}") from error

    def _interest(self, kind: Kind) -> float:
        return 0.0 if kind == PLAIN else 1 / self._seen[kind]

    def _join_steps(self) -> None:
        self._step_ns *= 2
        joined: dict[int, Moment] = {}
        for moment in self._moments.values():
            step = moment.time_ns // self._step_ns
            if step not in joined or self._interest(moment.kind) > self._interest(
                joined[step].kind
            ):
                joined[step] = moment
        self._moments = joined

    def _draw(self) -> Picture:
        moments = sorted(self._moments.values(), key=lambda moment: moment.time_ns)
        columns = min(COLUMNS, max(1, len(moments)))
        rows = max(1, -(-len(moments) // columns))
        cell_height = max((m.picture.shape[0] for m in moments), default=THUMB) + _CAPTION
        cell_width = max((m.picture.shape[1] for m in moments), default=THUMB)
        across, down = cell_width + 2 * _RIM + _GAP, cell_height + 2 * _RIM + _GAP
        sheet = np.full((rows * down + _GAP, columns * across + _GAP, 3), _PAPER, np.uint8)
        for i, moment in enumerate(moments):
            row, column = divmod(i, columns)
            _paste(sheet, moment, column * across + _GAP, row * down + _GAP)
        return sheet


def _paste(sheet: Picture, moment: Moment, x: int, y: int) -> None:
    """Put a moment at x, y: its state's colour as a rim, the picture, the words below."""
    height, width = moment.picture.shape[:2]
    right, bottom = x + width + 2 * _RIM, y + height + 2 * _RIM
    sheet[y:bottom, x:right] = _COLOURS[moment.state]
    sheet[y + _RIM : bottom - _RIM, x + _RIM : right - _RIM] = moment.picture
    words = f"{_clock(moment.time_ns)}  {moment.state}"
    if moment.covered:
        words += f"  {moment.covered} hidden"
    corner = (x + 2, bottom + _CAPTION - 8)
    cv2.putText(sheet, words, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)


def _clock(time_ns: int) -> str:
    minutes, seconds = divmod(time_ns / 1e9, 60)
    return f"{int(minutes)}:{seconds:04.1f}"
