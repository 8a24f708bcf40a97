"""Sound that a container does not take becomes AAC, packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet

from edge_agent.media.audio import AudioFormat, AudioPacket

AAC_FRAME = 1024
AAC_RATES = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
BITRATE = 128_000


def aac_rate(rate: int) -> int:
    """The sampling rate to code at: the source's where AAC has it, else 48 kHz."""
    return rate if rate in AAC_RATES else AAC_RATES[0]


class Transcoder:
    """Decodes packets of one format and codes them again on `stream`, an AAC stream.

    Undecodable packets are skipped. Time stamps stay on the source's clock.
    """

    def __init__(self, source: AudioFormat, stream: AudioStream) -> None:
        decoder: Any = av.CodecContext.create(source.template.codec_context.name, "r")
        self._decoder: AudioCodecContext = decoder
        decoder.extradata = source.extradata
        decoder.sample_rate = source.rate
        decoder.layout = source.layout
        stream.codec_context.layout = "mono" if source.channels == 1 else "stereo"
        stream.codec_context.bit_rate = BITRATE
        self._stream = stream
        self._resampler = AudioResampler(
            "fltp", stream.codec_context.layout, stream.codec_context.sample_rate, AAC_FRAME
        )

    def push(self, sound: AudioPacket | None) -> Iterator[Packet[Any]]:
        """AAC packets that are ready after `sound`; None lets out what is still held."""
        packet: Packet[Any] | None = None
        if sound is not None:
            packet = Packet(sound.data)
            packet.pts, packet.dts, packet.time_base = sound.pts, sound.dts, sound.time_base
        try:
            frames = self._decoder.decode(packet)
        except FFmpegError:
            return
        for frame in frames:
            frame.time_base = frame.time_base or Fraction(1, frame.sample_rate)
            for piece in self._resampler.resample(frame):
                yield from self._stream.encode(piece)
        if sound is None:
            for piece in self._resampler.resample(None):
                yield from self._stream.encode(piece)
            yield from self._stream.encode(None)
