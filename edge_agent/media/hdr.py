"""HDR to SDR: one table of colours, computed once, that FFmpeg's lut3d filter looks up per pixel.

PQ follows SMPTE ST 2084, HLG and its system gamma ITU-R BT.2100, the matrix BT.2087.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import SourceError
from edge_agent.media.filters import Step

PQ, HLG = 16, 18
HDR_TRANSFERS = frozenset({PQ, HLG})
BT2020_PRIMARIES = 9
NODES = 33
REFERENCE_WHITE = 203.0  # cd/m2 of a sheet of paper in HDR video (ITU-R BT.2408)
PEAK = 1000.0  # cd/m2; what is brighter is clipped
KNEE = 0.6  # below this share of SDR white nothing is compressed

BT2020_TO_709 = np.array(
    [
        [1.6605, -0.5876, -0.0728],
        [-0.1246, 1.1329, -0.0083],
        [-0.0182, -0.1006, 1.1187],
    ]
)
BT2020_LUMA = np.array([0.2627, 0.6780, 0.0593])

Array = NDArray[np.float64]


def hdr_steps(transfer: int, primaries: int) -> tuple[Step, ...]:
    """Filters that turn PQ or HLG into 8-bit BT.709. Raises SourceError for other primaries."""
    if primaries not in {BT2020_PRIMARIES, 2}:
        raise SourceError(
            f"this HDR video uses colour primaries {primaries}, and only BT.2020 can be shown "
            "correctly; convert it to SDR first"
        )
    table = str(_table_file(transfer)).replace("\\", "/").replace(":", "\\:")
    return (
        ("scale", "in_color_matrix=bt2020:out_range=pc"),
        ("format", "gbrp10"),
        ("lut3d", f"file='{table}':interp=tetrahedral"),
        ("scale", "out_color_matrix=bt709:out_range=tv"),
        ("format", "yuv420p"),
    )


@cache
def _table_file(transfer: int) -> Path:
    """Write the table as a .cube file (red runs fastest), once per process."""
    axis = np.linspace(0, 1, NODES)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    table = sdr_from_hdr(np.stack([red, green, blue], -1).reshape(-1, 3), transfer)
    folder = Path(tempfile.mkdtemp(prefix="veilcast-"))
    path = folder / f"hdr{transfer}.cube"
    with path.open("w", encoding="ascii") as file:
        file.write(f"LUT_3D_SIZE {NODES}\n")
        np.savetxt(file, table, fmt="%.6f")
    return path


def sdr_from_hdr(coded: Array, transfer: int) -> Array:
    """(N, 3) coded BT.2020 RGB in 0..1, PQ or HLG, to coded BT.709 RGB in 0..1."""
    light = _pq_light(coded) if transfer == PQ else _hlg_light(coded)
    linear = np.clip(light / REFERENCE_WHITE @ BT2020_TO_709.T, 0, None)
    brightest = linear.max(axis=1, keepdims=True)
    scale = _compress(brightest) / np.maximum(brightest, 1e-9)
    return _gamma_709(np.clip(linear * scale, 0, 1))


def _pq_light(coded: Array) -> Array:
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = coded ** (1 / m2)
    light: Array = 10_000 * (np.clip(root - c1, 0, None) / (c2 - c3 * root)) ** (1 / m1)
    return np.minimum(light, PEAK)


def _hlg_light(coded: Array) -> Array:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)
    luma = (scene @ BT2020_LUMA)[:, None]
    light: Array = PEAK * np.maximum(luma, 1e-9) ** 0.2 * scene
    return light


def _compress(light: Array) -> Array:
    """Keep light below the knee; bend the rest so that PEAK lands on SDR white."""
    top = PEAK / REFERENCE_WHITE
    reach, room = top - KNEE, 1 - KNEE
    over = np.clip(light - KNEE, 0, reach)
    # Slope 1 at the knee, and f(reach) = room: over / (1 + over * bend).
    bend = (reach / room - 1) / reach
    return np.where(light <= KNEE, light, KNEE + over / (1 + over * bend))


def _gamma_709(linear: Array) -> Array:
    """Inverse of the display gamma 2.4 that BT.1886 gives to BT.709 video."""
    coded: Array = linear ** (1 / 2.4)
    return coded
