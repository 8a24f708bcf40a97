"""Scenes as a video file with sound, and the truth of each of its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from examples import number
from examples.clip import HEIGHT, SCENE_SECONDS, WIDTH, Scene, Truth, frames

SAMPLE_RATE = 48_000

Film = list[list[Truth]]
"""What can be seen on each picture."""


def write_film(
    path: Path,
    scenes: Sequence[Scene],
    *,
    fps: int = 30,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    numbered: bool = False,
) -> Film:
    """Write H.264 and AAC; returns the truth of every picture, in its own pixels.

    numbered: each picture bears its number, for `number.read`.
    """
    film: Film = []
    scale = np.float32(size[0] / WIDTH)
    tune = _tune(len(scenes) * SCENE_SECONDS)
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", fps, options={"preset": "superfast", "crf": "18"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        sound = out.add_stream("aac", SAMPLE_RATE, layout="stereo")
        written = 0
        for i, (picture, truth) in enumerate(frames(scenes, fps)):
            film.append([Truth(one.label, one.corners * scale) for one in truth])
            shown = picture
            if size != (WIDTH, HEIGHT):
                shown = np.asarray(
                    cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8
                )
            if numbered:
                number.stamp(shown, i)
            image = av.VideoFrame.from_ndarray(shown, format="rgb24")
            image.pts, image.time_base = i, Fraction(1, fps)
            out.mux(video.encode(image))
            due = (i + 1) * SAMPLE_RATE // fps
            out.mux(sound.encode(_block(tune, written, due)))
            written = due
        out.mux(video.encode(None))
        out.mux(sound.encode(None))
    return film


def _block(tune: NDArray[np.float32], start: int, end: int) -> av.AudioFrame:
    samples = np.ascontiguousarray(tune[:, start:end])
    block = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
    block.sample_rate, block.pts, block.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
    return block


def _tune(seconds: float) -> NDArray[np.float32]:
    """A quiet melody with a click at every second, to hear that sound and picture stay together."""
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    notes = 220 * 2 ** (np.array([0, 4, 7, 12, 7, 4])[(t * 2).astype(int) % 6] / 12)
    tone = 0.08 * np.sin(2 * np.pi * np.cumsum(notes) / SAMPLE_RATE)
    click = 0.5 * np.exp(-(t % 1.0) * 60) * np.sin(2 * np.pi * 1000 * t)
    return np.stack([tone + click] * 2).astype(np.float32)
