"""A clip that the shipped model understands: a license plate drives past a poster."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from tests.edge_agent.clips import landscape

WIDTH, HEIGHT, FPS = 640, 360, 25
PLATE_TOP, PLATE_HEIGHT, STEP = 150, 40, 3
POSTER = (slice(8, 72), slice(560, 624))  # rows, columns; the plate never comes near it
ALIKE = 0.6  # correlation from which on a picture shows what is looked for; bare ones exceed 0.9

Picture = NDArray[np.uint8]


@lru_cache(maxsize=1)
def plate() -> Picture:
    """The plate as the clip shows it, RGB."""
    path = Path(__file__).parents[2] / "edge_agent" / "assets" / "plate.png"
    asset = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    assert asset is not None
    width = round(asset.shape[1] * PLATE_HEIGHT / asset.shape[0])
    return np.asarray(cv2.resize(asset, (width, PLATE_HEIGHT), interpolation=cv2.INTER_AREA))


@lru_cache(maxsize=1)
def poster() -> Picture:
    """Random small squares: they are gone as soon as a picture is veiled."""
    cells = np.random.default_rng(5).integers(40, 220, (16, 16), np.uint8)
    return np.asarray(cells.repeat(4, axis=0).repeat(4, axis=1))


def picture(index: int) -> Picture:
    """Frame `index` as RGB."""
    wall = landscape(WIDTH, HEIGHT, 3)[36 : 36 + HEIGHT, WIDTH : 2 * WIDTH] // 2 + 60
    shown = np.repeat(wall[..., None], 3, axis=2).astype(np.uint8)
    shown[POSTER] = poster()[..., None]
    left = 20 + STEP * index % (WIDTH - 40 - plate().shape[1])
    shown[PLATE_TOP : PLATE_TOP + PLATE_HEIGHT, left : left + plate().shape[1]] = plate()
    return shown


def write_street(path: Path, seconds: float) -> Path:
    """Write the clip; its keyframes come every half second, so that damage heals."""
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("libx264", FPS, options={"preset": "ultrafast", "crf": "16"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.gop_size = FPS // 2
        for index in range(round(seconds * FPS)):
            frame = av.VideoFrame.from_ndarray(picture(index), "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def lumas(path: Path | str, format_name: str | None = None) -> Iterator[Picture]:
    """The luma of every picture of a file, up to where it breaks off."""
    with av.open(str(path), format=format_name) as container:
        try:
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="gray")
        except av.error.InvalidDataError:
            return


def shows_plate(luma: Picture) -> bool:
    """Whether a third of the plate or more can be read anywhere in a picture."""
    tags = cv2.cvtColor(plate(), cv2.COLOR_RGB2GRAY)
    third = tags.shape[1] // 3
    return any(
        float(cv2.matchTemplate(luma, tags[:, x : x + third], cv2.TM_CCOEFF_NORMED).max()) > ALIKE
        for x in (0, third, 2 * third)
    )


def shows_scene(luma: Picture) -> bool:
    """Whether the picture is one of the street at all, not a veil or a slate."""
    seen = np.ascontiguousarray(luma[POSTER])
    return float(cv2.matchTemplate(seen, poster(), cv2.TM_CCOEFF_NORMED).max()) > ALIKE


def assert_plate_hidden(pictures: list[Picture]) -> None:
    assert [index for index, luma in enumerate(pictures) if shows_plate(luma)] == []
