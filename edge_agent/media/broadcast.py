"""One encoder, any number of sinks: every packet is coded once and sent everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.media.audio import AudioPacket
from edge_agent.media.encode import Encoder, EncoderSettings
from edge_agent.media.info import SourceInfo
from edge_agent.media.output import PUSHED, opener_for
from edge_agent.media.packet import ProtectedPacket
from edge_agent.media.sink import Sink, SinkState
from edge_agent.media.urls import scheme_of
from edge_agent.redact.protected import ProtectedFrame


class Broadcast:
    """The live counterpart of a file writer. Used by one thread; never waits for a sink.

    Raises SinkError at once for an address that is not supported.
    """

    def __init__(self, urls: Sequence[str], info: SourceInfo, settings: EncoderSettings) -> None:
        for url in urls:
            opener_for(url)
        self._urls = tuple(urls)
        self._info = info
        self._settings = settings
        self._encoder: Encoder | None = None
        self._sinks: list[Sink] = []
        self._losses = 0
        self._sent_by_network = any(scheme_of(url) in PUSHED for url in self._urls)

    @property
    def states(self) -> list[SinkState]:
        """How each sink is doing, in the order of the addresses; empty before the first frame."""
        return [sink.state for sink in self._sinks]

    def video(self, frame: ProtectedFrame) -> None:
        """Encode a frame and hand it to all sinks; the first one fixes size and colour."""
        if self._encoder is None:
            self._encoder = Encoder(frame, self._info.fps, self._settings, self._info.aspect)
            self._sinks = [
                Sink(
                    url,
                    self._encoder.template,
                    self._info.audio,
                    self._encoder.request_keyframe,
                    self._carried if self._sent_by_network else None,
                )
                for url in self._urls
            ]
        self._send(self._encoder.encode(frame))

    def audio(self, packet: AudioPacket) -> None:
        """Hand sound to all sinks."""
        for sink in self._sinks:
            sink.audio(packet)

    def discard(self) -> None:
        """Drop what the sinks have not sent yet. From any thread."""
        for sink in self._sinks:
            sink.discard()

    def close(self) -> None:
        """Let every sink send what it holds and end properly."""
        if self._encoder is not None:
            self._send(self._encoder.finish())
        for sink in self._sinks:
            sink.finish()
        for sink in self._sinks:
            sink.close()

    def abort(self) -> None:
        """Cut every sink off without what it still holds."""
        for sink in self._sinks:
            sink.abort()

    def _carried(self) -> bool:
        """Whether the network sinks have lost nothing since the last call, and are connected. For
        the one spool beside them."""
        network = [sink.state for sink in self._sinks if scheme_of(sink.state.url) in PUSHED]
        losses = sum(state.dropped + state.reconnects for state in network)
        unchanged, self._losses = losses == self._losses, losses
        return unchanged and bool(network) and all(state.connected for state in network)

    def _send(self, packets: list[ProtectedPacket]) -> None:
        for packet in packets:
            for sink in self._sinks:
                sink.video(packet)
