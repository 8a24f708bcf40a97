"""What phones and cameras send: pictures with sound."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def with_sound(video: Path, clip: Path) -> Path:
    """`clip`, with the H.264 of `video` and a tone in AAC."""
    ffmpeg = shutil.which("ffmpeg")
    assert ffmpeg is not None
    tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"]
    coded = ["-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-shortest"]
    subprocess.run([ffmpeg, "-v", "error", "-i", video, *tone, *coded, clip], check=True)
    return clip
