"""Ingest and directory beside a plane, and the thread that keeps them in step."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from cloud_control.ingest.port import Event, Ingest, MayPublish, OnEvent, hls_path
from cloud_control.ingest.stills import Stills
from cloud_control.plane import Plane
from cloud_control.service.admission import Admission
from cloud_control.service.directory import Directory

TICK_S = 1.0
PAUSE_S = 0.1  # news of many agents at once are one look

log = structlog.get_logger()


class Platform:
    """hls: where the ingest puts it. ingest: makes one that asks and tells as given; None: the
    control plane takes no streams."""

    def __init__(
        self,
        plane: Plane,
        hls: Path,
        ingest: Callable[[MayPublish, OnEvent], Ingest] | None = None,
    ) -> None:
        self._admission = Admission(plane.fleet, plane.streams, plane.documents)
        self._ingest = ingest(self._admission.may_publish, self._tell) if ingest else None
        self.directory = Directory(
            plane.fleet,
            plane.documents.streams,
            plane.live,
            plane.clock,
            self._ingest.playback if self._ingest else hls_path,
            self._thumbnail,
        )
        self.stills = Stills(hls, self.directory.live_states)
        self._news = threading.Event()
        self._closing = threading.Event()
        self._forget = plane.events.listen(self._news.set)
        self._thread = threading.Thread(target=self._run, name="directory", daemon=True)

    def start(self) -> None:
        """Raises IngestError when the ingest cannot be started."""
        if self._ingest is not None:
            self._ingest.start()
            self.stills.start()
        self._thread.start()

    def close(self) -> None:
        """Hang up on publishers and stop."""
        self._forget()
        self._closing.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join()
        self.stills.close()
        if self._ingest is not None:
            self._ingest.close()

    def _thumbnail(self, stream: str) -> str | None:
        return self.stills.address(stream)

    def _tell(self, event: Event) -> None:
        self.directory.tell(event)
        self._news.set()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._news.wait(TICK_S)
            self._news.clear()
            try:
                self.directory.look()
                self._hang_up()
            except Exception as problem:
                log.exception("the directory is stuck", error=type(problem).__name__)
            self._closing.wait(PAUSE_S)

    def _hang_up(self) -> None:
        """On publishers whose key is void, and on players whose stream its agent has ended."""
        if self._ingest is None:
            return
        publishing = self._ingest.publishing()
        for stream in self._admission.withdrawn(publishing):
            log.warning("publisher cut off: its key is void", stream=stream)
            self._ingest.hang_up(stream)
        for stream in self.directory.ended_by_agent():
            if stream not in publishing:
                self._ingest.end(stream)
