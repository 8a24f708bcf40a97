"""Real media for tests: clips made by FFmpeg, and protected frames to encode."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.frame import Frame
from edge_agent.media.demux import Item
from edge_agent.redact import protected
from edge_agent.redact.cover import Cover
from edge_agent.redact.protected import ProtectedFrame, State

RATE = 48_000


def flashing(index: int, width: int, height: int, fps: int) -> NDArray[np.uint8]:
    """RGB: a moving bar on grey; white for the first frame of every second from the first on."""
    picture = np.full((height, width, 3), 70, np.uint8)
    left = (index * 4) % max(1, width - 20)
    picture[height // 4 : height // 2, left : left + 20] = (200, 60, 40)
    if index and index % fps == 0:
        picture[:] = 255
    return picture


def clicking(start: int, count: int) -> NDArray[np.float32]:
    """Stereo sound: silence with a 20 ms burst at every full second from the first on."""
    at = np.arange(start, start + count)
    loud = (at % RATE < RATE // 50) & (at >= RATE)
    tone = np.sin(at * (2 * np.pi * 1000 / RATE)) * loud * 0.8
    return np.repeat(tone[None].astype(np.float32), 2, axis=0)


def write_clip(
    path: Path,
    *,
    seconds: float = 2.0,
    fps: int = 25,
    size: tuple[int, int] = (160, 120),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    audio: str | None = "aac",
    options: dict[str, str] | None = None,
    pts: Callable[[int], int] | None = None,
    base: Fraction | None = None,
    rotation: int = 0,
    setup: Callable[[Any], None] | None = None,
    container: str | None = None,
) -> Path:
    """A clip that flashes and clicks together at every full second (not at 0)."""
    with av.open(str(path), "w", format=container) as out:
        video: Any = out.add_stream(codec, fps, options=options or {})
        video.width, video.height = size
        video.pix_fmt = pix_fmt
        if base is not None:
            video.codec_context.time_base = base
        if setup is not None:
            setup(video)
        if rotation:
            video.set_display_rotation(rotation)
        sound: Any = out.add_stream(audio, RATE) if audio else None
        done = 0
        for index in range(round(seconds * fps)):
            picture = flashing(index, *size, fps)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=pix_fmt)
            frame.pts = pts(index) if pts else index
            frame.time_base = base or Fraction(1, fps)
            out.mux(video.encode(frame))
            while sound is not None and done < (index + 1) * RATE // fps:
                piece = clicking(done, 1024)
                chunk = av.AudioFrame.from_ndarray(piece, "fltp", "stereo")
                chunk.sample_rate, chunk.pts, chunk.time_base = RATE, done, Fraction(1, RATE)
                if audio not in {"aac"}:
                    form = sound.codec_context.format.name
                    for part in av.AudioResampler(form, "stereo", RATE, _size(audio)).resample(
                        chunk
                    ):
                        out.mux(sound.encode(part))
                else:
                    out.mux(sound.encode(chunk))
                done += 1024
        out.mux(video.encode(None))
        if sound is not None:
            out.mux(sound.encode(None))
    return path


def _size(codec: str | None) -> int | None:
    return 960 if codec == "libopus" else None


def protect(frame: Frame) -> ProtectedFrame:
    """A protected frame with the picture as it is: tests of media need no gate."""
    return ProtectedFrame(
        frame.y,
        frame.u,
        frame.v,
        frame.pts,
        frame.time_base,
        frame.index,
        frame.captured_ns,
        frame.colour,
        State.PROTECTED,
        "",
        Cover.nothing(frame.width, frame.height),
        protected._GATE_KEY,
    )


def frames_of(items: list[Item]) -> list[Frame]:
    return [item for item in items if isinstance(item, Frame)]


def flash_times(path: str) -> list[float]:
    """Seconds, on the container's clock, at which the picture turns white."""
    times = []
    with av.open(path) as container:
        bright = False
        for frame in container.decode(video=0):
            white = (
                float(np.frombuffer(frame.reformat(format="gray").planes[0], np.uint8).mean()) > 200
            )
            if white and not bright:
                times.append(float(frame.pts * frame.time_base))
            bright = white
    return times


def click_times(path: str) -> list[float]:
    """Seconds, on the container's clock, at which sound begins after silence."""
    times: list[float] = []
    with av.open(path) as container:
        quiet_since = -1.0
        for frame in container.decode(audio=0):
            samples = frame.to_ndarray()
            if frame.format.is_planar:
                level = np.abs(samples).max(axis=0)
            else:
                level = np.abs(samples.reshape(-1, frame.layout.nb_channels)).max(axis=1)
            scale = 1.0 if frame.format.name.startswith("flt") else 32768.0
            start = float(frame.pts * frame.time_base)
            for at in np.flatnonzero(level > 0.2 * scale) / frame.sample_rate + start:
                if at - quiet_since > 0.3:
                    times.append(float(at))
                quiet_since = float(at)
    return times


def sound_span(path: str) -> tuple[float, float]:
    """Seconds at which sound begins and ends."""
    with av.open(path) as container:
        times = [frame.time for frame in container.decode(audio=0)]
    return (times[0], times[-1]) if times else (0.0, 0.0)


NGINX = """
load_module {module};
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{}}
rtmp {{
    server {{
        listen 127.0.0.1:{port};
        chunk_size 4096;
        application live {{
            live on;
            record all;
            record_path {folder}/records;
            record_unique on;
        }}
    }}
}}
"""
RTMP_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")


class Nginx:
    """A real RTMP server that records what it is sent; it can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        if not RTMP_MODULE.exists():
            pytest.skip("nginx with its RTMP module is not installed")
        self.port = free_port()
        self.records = folder / "records"
        self.records.mkdir()
        self._conf = folder / "nginx.conf"
        text = NGINX.format(module=RTMP_MODULE, folder=folder, port=self.port)
        self._conf.write_text(text)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["/usr/sbin/nginx", "-c", str(self._conf), "-e", "stderr"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for_port(self.port)

    @property
    def dead(self) -> bool:
        return self._process is None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


CERTIFICATE = (
    *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
    *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
)


class TlsDoor:
    """Takes TLS connections, with a certificate of its own making, and hands them on in clear."""

    def __init__(self, folder: Path, inner_port: int) -> None:
        openssl = shutil.which("openssl")
        if openssl is None:
            pytest.skip("the openssl command is not installed")
        self.certificate, key = folder / "certificate.pem", folder / "key.pem"
        subprocess.run(
            [openssl, *CERTIFICATE, "-keyout", str(key), "-out", str(self.certificate)],
            check=True,
            capture_output=True,
        )
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._inner_port = inner_port
        self._links: list[socket.socket] = []

    def __enter__(self) -> TlsDoor:
        threading.Thread(target=self._welcome, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for link in (self._door, *self._links):
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()

    def _welcome(self) -> None:
        while True:
            try:
                plain, _ = self._door.accept()
            except OSError:
                return
            try:
                outer: socket.socket = self._context.wrap_socket(plain, server_side=True)
            except OSError:
                plain.close()
                continue
            inner = socket.create_connection(("127.0.0.1", self._inner_port))
            self._links += [outer, inner]
            for a, b in ((outer, inner), (inner, outer)):
                threading.Thread(target=self._copy, args=(a, b), daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
