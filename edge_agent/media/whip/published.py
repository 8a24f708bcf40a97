"""What one publisher sends, as frames and sound on the source's clock."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from av.audio.frame import AudioFrame
from av.error import FFmpegError

from edge_agent.errors import SourceError
from edge_agent.frame import Frame
from edge_agent.media.demux import USUAL_FPS, Item
from edge_agent.media.events import End
from edge_agent.media.info import SourceInfo
from edge_agent.media.normalise import Normaliser
from edge_agent.media.stamper import Stamper
from edge_agent.media.whip.clock import RATES, SECOND
from edge_agent.media.whip.peer import Peer, Piece
from edge_agent.media.whip.sound import Sound

BASE = Fraction(1, RATES["video"])


class Published:
    """One opening of the source: ends when its publisher is gone.

    Raises SourceError when no picture comes. Damaged pictures are counted and skipped.
    """

    def __init__(self, peer: Peer, name: str, stamper: Stamper) -> None:
        self._peer, self._stamper = peer, stamper
        self._normaliser = Normaliser(BASE)
        self._sound = Sound() if peer.with_sound else None
        self._damaged = 0
        stamper.rebase.start(None)
        self._early: list[Item] = []
        self._items = self._read()
        self._info = self._describe(name)

    @property
    def info(self) -> SourceInfo:
        return self._info

    def __iter__(self) -> Iterator[Item]:
        early, self._early = self._early, []
        yield from early
        yield from self._items

    def close(self) -> None:
        """Send the publisher away. From any thread, more than once."""
        self._peer.close()

    def _describe(self, name: str) -> SourceInfo:
        for item in self._items:
            self._early.append(item)
            if isinstance(item, Frame):
                break
        else:
            raise SourceError(f"{name}: the publisher connected, but no picture came")
        return SourceInfo(
            url=name,
            width=item.width,
            height=item.height,
            fps=USUAL_FPS,
            codec="webrtc",
            pixel_format="yuv420p",
            live=True,
            audio=self._sound.format if self._sound else None,
        )

    def _read(self) -> Iterator[Item]:
        for piece in self._peer:
            if isinstance(piece.frame, AudioFrame):
                yield from self._hear(piece)
                continue
            try:
                yield from self._show(piece)
            except (FFmpegError, ValueError):
                self._damaged += 1
        yield End(self._damaged)

    def _hear(self, piece: Piece) -> Iterator[Item]:
        assert isinstance(piece.frame, AudioFrame)
        for packet in self._sound.push(piece.frame, piece.time_ns) if self._sound else ():
            sound = self._stamper.audio(packet)
            if sound is not None:
                yield sound

    def _show(self, piece: Piece) -> Iterator[Item]:
        assert not isinstance(piece.frame, AudioFrame)
        piece.frame.pts = round(piece.time_ns / SECOND / BASE)
        piece.frame.time_base = BASE
        for planes, colour, pts, _ in self._normaliser.push(piece.frame):
            yield from self._stamper.frame(planes, colour, pts, 1 / USUAL_FPS, BASE)
