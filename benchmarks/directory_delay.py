"""How soon the directory is right: `python -m benchmarks.directory_delay --ingest nginx`.

Publishers at once, eight unless told otherwise, each through starts, stops, crashes and stalls; a
viewer listens to the directory's events, and the time from what happened to what it was told is
printed as JSON.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.fleet_plane import HOST, Load, Plane, free_port, wait_for

AGENT = "gate"
SETTLE_S = 4.0
ENDS = {"stop": signal.SIGINT, "crash": signal.SIGKILL, "stall": signal.SIGSTOP}
CLIP = (
    *("-f", "lavfi", "-i", "testsrc2=s=640x360:r=30", "-f", "lavfi", "-i", "sine=440"),
    *("-t", "10", "-c:v", "libx264", "-preset", "veryfast", "-b:v", "800k", "-g", "60"),
    *("-sc_threshold", "0", "-bf", "0", "-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "flv"),
)


class Told:
    """What a viewer was told of each stream, and when (s since the epoch)."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._news = threading.Condition()
        self._told: dict[str, list[tuple[str, float]]] = defaultdict(list)
        threading.Thread(target=self._run, daemon=True).start()

    def next(self, stream: str, kind: str, since: float) -> float:
        """When it was told of such an event after a moment; waits for it."""
        with self._news:
            while True:
                for known, at in self._told[stream]:
                    if known == kind and at >= since:
                        return at
                if not self._news.wait(60.0):
                    raise RuntimeError(f"{stream} was never {kind}")

    def _run(self) -> None:
        with suppress(httpx.TransportError):  # the end of the control plane
            self._listen()

    def _listen(self) -> None:
        with self._plane.api.stream("GET", "/v1/directory/events", timeout=None) as answer:
            kind = ""
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    with self._news:
                        self._told[json.loads(value)["id"]].append((kind, time.time()))
                        self._news.notify_all()


def main(
    ingest: Annotated[str, typer.Option(help="nginx or embedded")] = "nginx",
    streams: Annotated[int, typer.Option(help="How many at once.")] = 8,
    rounds: Annotated[int, typer.Option(help="Each with a stop, a crash and a stall.")] = 3,
) -> None:
    """Start, stop, crash and stall, all streams at once but not in step."""
    port = str(free_port())
    with (
        tempfile.TemporaryDirectory() as folder,
        Plane(Path(folder), "embedded", "--ingest", ingest, "--ingest-port", port) as plane,
    ):
        ffmpeg = shutil.which("ffmpeg")
        if ffmpeg is None:
            raise typer.BadParameter("the ffmpeg command is not installed")
        clip = Path(folder) / "clip.flv"
        subprocess.run([ffmpeg, "-v", "error", *CLIP, clip], check=True)
        keys = make_streams(plane, streams)
        told, delays, load = Told(plane), defaultdict[str, list[float]](list), Load(plane.pid)

        def live(number: int) -> None:
            name = f"s-{number}"
            time.sleep(number * 0.7)
            for _ in range(rounds):
                for how in ENDS:
                    push = [ffmpeg, "-nostdin", "-v", "quiet", "-re", "-stream_loop", "-1"]
                    push += ["-i", str(clip), "-c", "copy", "-f", "flv"]
                    push += [f"rtmp://{HOST}:{port}/live/{keys[name]}"]
                    playlist = plane.data / "ingest" / "hls" / name / "index.m3u8"
                    one_life(push, playlist, told, name, how, delays)

        with ThreadPoolExecutor(streams) as pool:
            list(pool.map(live, range(streams)))
        refused = len(delays.pop("refused", []))
        figures = {kind: summary(found) for kind, found in delays.items()}
        shown = {
            "benchmark": "directory_delay",
            "ingest": ingest,
            "streams": streams,
            "refused": refused,
        }
        typer.echo(json.dumps({**shown, **figures, "control": load.read()}))


def one_life(
    push: list[str],
    playlist: Path,
    told: Told,
    name: str,
    how: str,
    delays: dict[str, list[float]],
) -> None:
    """From a publisher's start to its end. A start counts from the first segment that can be
    played, and from the publisher's own start, too. One that comes before the end of the one
    before it was noticed is refused, and tries again as encoders do."""
    began = time.time()
    publisher = subprocess.Popen(push)

    def plays() -> bool:
        nonlocal began, publisher
        if publisher.poll() is not None:
            delays["refused"].append(time.time() - began)
            began = time.time()
            publisher = subprocess.Popen(push)
        return playlist.exists() and playlist.stat().st_mtime > began

    try:
        wait_for(plays, "a segment")
        playable = playlist.stat().st_mtime
        added = told.next(name, "added", began)
        delays["start"].append(added - playable)
        delays["start_from_launch"].append(added - began)
        time.sleep(SETTLE_S)
        ended = time.time()
        publisher.send_signal(ENDS[how])
        delays[how].append(told.next(name, "ended", ended) - ended)
    finally:
        publisher.kill()
        publisher.wait()
    time.sleep(1.0)


def make_streams(plane: Plane, count: int) -> dict[str, str]:
    """Streams of an agent that is not there, so that the ingest alone tells. Their keys."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    csr = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    claim = plane.ask("POST", "/v1/claims", json={"agent": AGENT})
    plane.ask("POST", "/v1/enrol", json={"token": claim["token"], "csr": csr})
    keys = {}
    for number in range(count):
        stream: dict[str, Any] = {"agent": AGENT, "id": f"s-{number}", "source": {"ref": "cam"}}
        keys[f"s-{number}"] = plane.ask("POST", "/v1/streams", json=stream)["publish_key"]
    return keys


def summary(found: list[float]) -> dict[str, float]:
    """Seconds."""
    middle, most = np.median(found), max(found)
    return {"p50": round(float(middle), 2), "max": round(most, 2), "count": len(found)}


if __name__ == "__main__":
    typer.run(main)
