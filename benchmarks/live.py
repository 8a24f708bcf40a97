"""Several live streams at once on this machine: do they keep up, and what do they cost?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def measure(clip: Path, presets: list[str], seconds: float) -> dict[str, Any]:
    """One agent a preset, all at the same time, each on the clip at its own speed."""
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.agent", str(clip), preset, str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for preset in presets
    ]
    figures = [json.loads(child.communicate()[0].splitlines()[-1]) for child in children]
    frames = sum(f["frames"] for f in figures)
    return {
        "streams": presets,
        "seconds": seconds,
        "veiled_percent": round(100 * sum(f["veiled"] for f in figures) / frames, 2),
        "dropped": sum(f["dropped"] for f in figures),
        "unverified": sum(f["unverified"] for f in figures),
        "cores": round(sum(f["cpu"] / f["wall"] for f in figures), 2),
        "looks_per_second": [round(f["looks"] / f["wall"], 1) for f in figures],
        "added_ms_median": [round(f["added_ms_median"], 1) for f in figures],
        "added_ms_p95": [round(f["added_ms_p95"], 1) for f in figures],
        "rss_mb": [round(f["rss_mb"]) for f in figures],
    }
