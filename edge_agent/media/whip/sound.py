"""Decoded sound becomes AAC, which every output takes as it is."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.codec.context import Flags
from av.packet import Packet

from edge_agent.media.audio import AudioFormat
from edge_agent.media.transcode import AAC_FRAME, BITRATE
from edge_agent.media.whip.clock import RATES, SECOND

RATE = RATES["audio"]
LAYOUT = "stereo"


class Sound:
    """Codes one publisher's sound. `format` is the same for all publishers."""

    def __init__(self) -> None:
        holder = av.open("-", "w", format="null")
        self._stream = holder.add_stream("aac", RATE)
        context = self._stream.codec_context
        context.layout, context.bit_rate = LAYOUT, BITRATE
        context.flags |= Flags.global_header
        holder.start_encoding()
        self.format = AudioFormat(
            codec="aac", rate=RATE, channels=2, layout=LAYOUT, extradata=context.extradata,
            time_base=Fraction(1, RATE), template=self._stream,
        )  # fmt: skip
        self._due: int | None = None
        self._resampler = _resampler()

    def push(self, frame: AudioFrame, time_ns: int) -> Iterator[Packet[Any]]:
        """AAC packets that are ready after a frame of that time. What overlaps the frame before is
        left out, and what was lost stays a gap."""
        begin = round(time_ns * RATE / SECOND)
        length = round(frame.samples * RATE / frame.sample_rate)
        if self._due is not None:
            if begin < self._due - length // 2:
                return
            if begin > self._due + length // 2:
                self._resampler = _resampler()
            else:
                begin = self._due
        self._due = begin + length
        frame.pts, frame.time_base = begin, Fraction(1, RATE)
        for piece in self._resampler.resample(frame):
            yield from self._stream.encode(piece)


def _resampler() -> AudioResampler:
    return AudioResampler("fltp", LAYOUT, RATE, AAC_FRAME)
