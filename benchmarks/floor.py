"""The floor: decode and encode the clip and do nothing else. Prints its CPU and wall seconds."""

from __future__ import annotations

import json
import sys
import time
from fractions import Fraction

import av


def main(clip: str, preset: str) -> None:
    cpu, wall = time.process_time(), time.monotonic()
    frames = 0
    with av.open(clip) as source, av.open("-", "w", format="null") as sink:
        shown = source.streams.video[0]
        shown.codec_context.thread_count = 1
        options = {"preset": preset, "crf": "23", "tune": "zerolatency", "forced-idr": "1"}
        coded = sink.add_stream("libx264", shown.average_rate, options=options)
        coded.width, coded.height, coded.pix_fmt = shown.width, shown.height, "yuv420p"
        coded.time_base = Fraction(1, 90_000)
        coded.codec_context.thread_count = 1
        coded.codec_context.gop_size = 60
        for frame in source.decode(shown):
            frame.pict_type = av.video.frame.PictureType.NONE
            coded.encode(frame)
            frames += 1
        coded.encode(None)
    figures = {"cpu": time.process_time() - cpu, "wall": time.monotonic() - wall, "frames": frames}
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
