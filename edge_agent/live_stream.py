"""One live stream, wired from its source to its sinks: what `veilcast run` and a worker drive."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from edge_agent.build import Model, build_pipeline, encoder_settings
from edge_agent.counts import Counts
from edge_agent.live_state import LiveState
from edge_agent.local_api import LocalApi
from edge_agent.media.broadcast import Broadcast
from edge_agent.media.sink import SinkState
from edge_agent.media.source import Source
from edge_agent.options import Observer
from edge_agent.outlet import Unsent
from edge_agent.preview import PreviewFeed
from edge_agent.report import ReportWriter
from edge_agent.settings import Settings


class LiveStream:
    """Waits for the source, then stands ready to `run`. Owns all its parts but the source: `close`
    it at the end, in any case. Raises SourceError, SinkError or SettingsError."""

    def __init__(
        self,
        source: Source,
        sinks: tuple[str, ...],
        settings: Settings,
        model: Model,
        *,
        report: Path | None = None,
        port: int | None = None,
    ) -> None:
        """`port`: of the local page, calls and metrics, 0 takes any free one; None: none."""
        self._ending = ExitStack()
        target = self._target = (
            Broadcast(sinks, source.info, encoder_settings(settings, live=True))
            if sinks
            else Unsent()
        )
        feed = PreviewFeed()
        observers: list[Observer] = [feed.see]
        if report:
            writer = ReportWriter(report)
            self._ending.callback(writer.close)
            observers.append(writer.see)
        self.pipeline, self._outlet = build_pipeline(
            source, target, settings, model, live=True, observers=tuple(observers)
        )
        self.state = LiveState(self.pipeline, feed, lambda: target.states)
        self.url = ""
        if port is not None:
            api = LocalApi(self.state, port)
            self._ending.callback(api.close)
            self.url = api.url

    @property
    def sinks(self) -> list[SinkState]:
        """How each sink is doing; empty before the first frame."""
        return list(self._target.states)

    @property
    def given_up(self) -> list[SinkState]:
        """The sinks that have failed for good, if all have."""
        states = self.sinks
        return states if states and all(sink.failed for sink in states) else []

    def run(self) -> Counts:
        """Protect until the source ends or the pipeline is stopped, and end the outputs properly;
        raises what went wrong with the source."""
        counts = self.pipeline.run()
        self._outlet.close()
        return counts

    def close(self) -> None:
        """Give back the page's port and end the report."""
        self._ending.close()
