"""Stand-ins that inject faults: a scripted source, a scripted detector, a target that remembers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

from edge_agent.boxes import Detections
from edge_agent.detect.detector import Region
from edge_agent.frame import Frame
from edge_agent.media.audio import AudioPacket
from edge_agent.media.events import Discontinuity
from edge_agent.media.info import SourceInfo
from edge_agent.redact.protected import ProtectedFrame

SourceItem = Frame | AudioPacket | Discontinuity


class ScriptedSource:
    """Hands out the given items; when `live`, each frame at its own time of the wall clock."""

    def __init__(
        self, items: Iterable[SourceItem], *, width: int, height: int, fps: int, live: bool = False
    ) -> None:
        self._items = items
        self._live = live
        self._closed = threading.Event()
        self.info = SourceInfo(
            url="scripted", width=width, height=height, fps=Fraction(fps), codec="raw",
            pixel_format="yuv420p", live=live,
        )  # fmt: skip

    def __iter__(self) -> Iterator[SourceItem]:
        started_ns = time.monotonic_ns()
        for item in self._items:
            if self._closed.is_set():
                return
            if isinstance(item, Frame):
                if self._live:
                    wait = (started_ns + item.time_ns - time.monotonic_ns()) / 1e9
                    if wait > 0 and self._closed.wait(wait):
                        return
                yield replace(item, captured_ns=time.monotonic_ns())
            else:
                yield item

    def close(self) -> None:
        self._closed.set()


class ScriptedDetector:
    """Answers each look with `answer(frame)`, which may also raise or sleep."""

    def __init__(self, answer: Callable[[Frame], Detections]) -> None:
        self._answer = answer

    def look(
        self,
        frame: Frame,
        region: Region | None = None,
        *,
        input_scale: float = 1.0,  # noqa: ARG002
    ) -> Detections:
        return Detections.empty() if region is not None else self._answer(frame)

    def close(self) -> None: ...


class Collector:
    """Keeps what comes out, or fails or stalls as told."""

    def __init__(self, on_video: Callable[[ProtectedFrame], None] = lambda _: None) -> None:
        self.frames: list[ProtectedFrame] = []
        self.sound: list[AudioPacket] = []
        self.ended = ""
        self.discards = 0
        self._on_video = on_video

    def video(self, frame: ProtectedFrame) -> None:
        self._on_video(frame)
        self.frames.append(frame)

    def audio(self, packet: AudioPacket) -> None:
        self.sound.append(packet)

    def discard(self) -> None:
        self.discards += 1

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"
