"""The original app's calls in its order: go live, be found and watched, stop.

    python -m examples.original_app GATEWAY CLIP

CLIP has H.264 video and AAC sound. GATEWAY serves with --original-app, see docs/original-app.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import av
import httpx

WATCHED_PICTURES = 100
PATIENCE_S = 60.0
HTTP_PORT, RTMP_PORT = 5000, 1935


@dataclass(frozen=True, slots=True)
class Gateway:
    """The one host that the app knows, for HTTP and for RTMP."""

    host: str
    http: int = HTTP_PORT
    rtmp: int = RTMP_PORT

    def asks(self, method: str, path: str, **query: str) -> dict[str, Any]:
        """The app sends `{}` with a POST and looks at the answer's body alone."""
        body: dict[str, Any] | None = {} if method == "POST" else None
        address = f"http://{self.host}:{self.http}{path}"
        answer = httpx.request(method, address, params=query, json=body, timeout=PATIENCE_S)
        found: dict[str, Any] = answer.json()
        return found

    def push_address(self, number: int) -> str:
        return f"rtmp://{self.host}:{self.rtmp}/live/{number}"

    def play_address(self, number: int) -> str:
        return f"rtmp://{self.host}:{self.rtmp}/live-out/{number}"


@contextmanager
def pushing(gateway: Gateway, number: int, clip: str) -> Iterator[subprocess.Popen[bytes]]:
    """The phone's camera: a clip over and over, as it is coded."""
    source = ["-re", "-stream_loop", "-1", "-i", clip, "-c", "copy"]
    target = ["-f", "flv", gateway.push_address(number)]
    command = ["ffmpeg", "-nostdin", "-v", "error", *source, *target]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def watched(gateway: Gateway, number: int, pictures: int) -> tuple[list[av.VideoFrame], int]:
    """What a viewer's player shows, and how many pieces of sound came with it. The player tries
    again until something plays."""
    shown: list[av.VideoFrame] = []
    sounds = 0
    until = time.monotonic() + PATIENCE_S
    while len(shown) < pictures and time.monotonic() < until:
        try:
            with av.open(
                gateway.play_address(number), timeout=10.0, options={"rtmp_live": "live"}
            ) as player:
                for frame in player.decode(video=0, audio=0):
                    if isinstance(frame, av.VideoFrame):
                        shown.append(frame)
                    else:
                        sounds += 1
                    if len(shown) >= pictures:
                        break
        except av.error.FFmpegError:
            time.sleep(0.3)
    return shown, sounds


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.original_app")
    parser.add_argument("gateway")
    parser.add_argument("clip")
    parser.add_argument("--http", type=int, default=HTTP_PORT)
    parser.add_argument("--rtmp", type=int, default=RTMP_PORT)
    asked = parser.parse_args(arguments)
    gateway = Gateway(asked.gateway, asked.http, asked.rtmp)
    made = gateway.asks("POST", "/streaming", title="산책", category="4")
    print(made)  # noqa: T201
    if made["result"] != "true":
        return 1
    number = made["streaming"]["streaming_id"]
    with pushing(gateway, number, asked.clip):
        print(gateway.asks("GET", f"/mosaic/{number}"))  # noqa: T201
        print(gateway.asks("GET", "/streamings", category="4"))  # noqa: T201
        shown, sounds = watched(gateway, number, WATCHED_PICTURES)
        print(f"{len(shown)} pictures, {sounds} pieces of sound")  # noqa: T201
        print(gateway.asks("GET", f"/streaming/{number}"))  # noqa: T201
    print(gateway.asks("GET", f"/release/{number}"))  # noqa: T201
    print(gateway.asks("GET", f"/streaming/{number}"))  # noqa: T201
    return 0 if shown and sounds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
