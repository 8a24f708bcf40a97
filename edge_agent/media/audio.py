"""Sound as packets: copied from source to output, never looked into."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.audio.stream import AudioStream

from edge_agent.frame import nanoseconds


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """Coded sound. pts, dts and duration count in `time_base`, on the same clock as the frames."""

    data: bytes
    pts: int
    dts: int
    duration: int
    time_base: Fraction
    is_key: bool = True

    @property
    def time_ns(self) -> int:
        """Stream time in integer nanoseconds."""
        return nanoseconds(self.pts, self.time_base)


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """How packets are coded. `template` lives as long as this object, whatever its source does."""

    codec: str
    rate: int
    channels: int
    layout: str
    extradata: bytes | None
    time_base: Fraction
    template: AudioStream = field(repr=False, compare=False)

    def matches(self, other: AudioFormat | None) -> bool:
        """Whether packets of this format can follow those of the other one in an output."""
        return other is not None and (self.codec, self.rate, self.channels, self.extradata) == (
            other.codec,
            other.rate,
            other.channels,
            other.extradata,
        )


def audio_format(stream: AudioStream) -> AudioFormat:
    """Copy the description of `stream` into a container of its own that is never written to.

    A muxer needs a live stream to copy from; the source's own dies with its connection.
    """
    holder = av.open("-", "w", format="null")
    template = holder.add_stream_from_template(stream, opaque=True)
    context = stream.codec_context
    return AudioFormat(
        codec=context.codec.canonical_name,
        rate=context.sample_rate,
        channels=context.layout.nb_channels,
        layout=context.layout.name,
        extradata=context.extradata,
        time_base=stream.time_base or Fraction(1, context.sample_rate),
        template=template,
    )
