"""What was hidden where, frame by frame: a JSON Lines file for an audit. Numbers, never pixels."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge_agent.boxes import LABELS
from edge_agent.errors import SinkError
from edge_agent.redact.protected import ProtectedFrame

WHOLE_FRAME = "whole_frame"


class ReportWriter:
    """Writes one line a frame; the file has its own name only once `close` has been called.

    Opening raises SinkError where nothing can be written; so do `see` and `close` when the disk is
    full. Without `close` the half-written `NAME.part` is what stays; `abort` removes it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        try:
            self._file = self._part.open("w", encoding="utf-8")
        except OSError as error:
            raise self._failed(error) from error

    def see(self, frame: ProtectedFrame, rescued: bool) -> None:
        """Add a line for a frame that has left the gate."""
        line = json.dumps(frame_line(frame, rescued=rescued), separators=(",", ":"))
        try:
            self._file.write(line + "\n")
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        try:
            self._file.close()
            self._part.replace(self._path)
        except OSError as error:
            raise self._failed(error) from error

    def abort(self) -> None:
        """Leave nothing behind, whatever state the disk is in."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)

    def _failed(self, error: OSError) -> SinkError:
        return SinkError(f"--report {self._path}: {error.strerror or 'cannot be written'}")


def frame_line(frame: ProtectedFrame, *, rescued: bool) -> dict[str, Any]:
    """One frame's record: `time` in seconds of the stream, boxes as they were covered, in pixels.

    A box whose label is `whole_frame` stands for an object that could not be placed.
    """
    cover = frame.cover
    return {
        "pts": frame.pts,
        "time": round(frame.time_ns / 1e9, 6),
        "state": frame.state.value,
        "reason": frame.reason,
        "rescued": rescued,
        "boxes": [
            {
                "label": label_name(label),
                "track": track,
                "score": round(score, 3),
                **dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)),
            }
            for box, track, label, score in zip(
                cover.xyxy.tolist(),
                cover.track.tolist(),
                cover.label.tolist(),
                cover.score.tolist(),
                strict=True,
            )
        ],
    }


def label_name(label: int) -> str:
    """The name of a cover's label; -1 is the whole frame."""
    return LABELS[label] if label >= 0 else WHOLE_FRAME
