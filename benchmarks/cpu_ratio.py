"""CPU of the agent as a multiple of the bare decode + encode floor: paired runs, same clip."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any


def child(module: str, *arguments: str) -> dict[str, Any]:
    """Run one benchmark in a process of its own; its last line is its figures."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], check=True, capture_output=True, text=True
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(clip: Path, preset: str, runs: int) -> dict[str, Any]:
    """Alternate floor and agent `runs` times; ratios are taken pair by pair."""
    ratios, floors, agents = [], [], []
    for _ in range(runs):
        floor = child("benchmarks.floor", str(clip), preset)
        agent = child("benchmarks.agent", str(clip), preset)
        floors.append(floor)
        agents.append(agent)
        ratios.append(agent["cpu"] / floor["cpu"])
    seconds = floors[0]["frames"] / 30
    return {
        "clip": clip.name,
        "preset": preset,
        "ratio_median": round(statistics.median(ratios), 3),
        "ratios": [round(r, 3) for r in ratios],
        "floor_cpu_per_video_second": round(
            statistics.median(f["cpu"] for f in floors) / seconds, 3
        ),
        "agent_cpu_per_video_second": round(
            statistics.median(a["cpu"] for a in agents) / seconds, 3
        ),
        "times_real_time": round(seconds / statistics.median(a["wall"] for a in agents), 2),
        "look_ms": round(statistics.median(a["look_ms"] for a in agents), 2),
        "objects": agents[0]["objects"],
        "veiled": sum(a["veiled"] for a in agents),
        "rss_mb": round(max(a["rss_mb"] for a in agents)),
    }
