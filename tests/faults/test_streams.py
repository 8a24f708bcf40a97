"""Sources that break, stall and flood, sinks that stall: nothing bare, and nobody else waits."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from edge_agent.errors import SourceError
from tests.faults.command import finish, redact, start, wait_until
from tests.faults.links import Receiver, Sender
from tests.faults.street import (
    FPS,
    assert_plate_hidden,
    lumas,
    shows_plate,
    shows_scene,
    write_street,
)

SECONDS = 2.6


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The street as a transport stream, which can be cut anywhere."""
    return write_street(tmp_path_factory.mktemp("stream") / "street.ts", SECONDS)


def damaged(data: bytes, *, length: int = 3000) -> bytes:
    """Random bytes in four places after the first fifth."""
    rng = np.random.default_rng(11)
    broken = bytearray(data)
    for share in (0.25, 0.45, 0.6, 0.8):
        at = int(share * len(data))
        broken[at : at + length] = rng.bytes(length)
    return bytes(broken)


def at_its_own_speed(link: socket.socket, data: bytes, *, stall_s: float = 0.0) -> None:
    """Send in pieces of a tenth of a second; with a stall in the middle."""
    pieces = int(SECONDS * 10)
    size = -(-len(data) // pieces)
    for number in range(pieces):
        if number == pieces // 2:
            time.sleep(stall_s)
        link.sendall(data[number * size : (number + 1) * size])
        time.sleep(0.1)


def start_run(
    source: str | Path, *sinks: str | Path, patience_s: float = 1.0
) -> subprocess.Popen[str]:
    """Start `veilcast run`; it ends when the source is over, or was lost for `patience_s`."""
    outputs = [part for sink in sinks for part in ("--sink", sink)]
    return start("run", "--source", source, *outputs, "--json", "--port", "0",
                 "--set", f"live.slate_seconds={patience_s}", "--preset", "ultrafast")  # fmt: skip


def counts_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a run's end."""
    done = finish(process)
    assert done.returncode == 0, done.stderr
    counts: dict[str, Any] = json.loads(done.stdout)
    return counts


def run_from(
    send: Callable[[socket.socket], None], record: Path, *, patience_s: float = 1.0
) -> dict[str, Any]:
    sender = Sender(send)
    try:
        return counts_of(start_run(sender.url, record, patience_s=patience_s))
    finally:
        sender.close()


@pytest.mark.parametrize("name", ["street.ts", "street.mkv", "street.mp4", "street.flv"])
def test_a_damaged_file_shows_no_plate(name: str, tmp_path: Path) -> None:
    source = write_street(tmp_path / name, 2.0)
    source.write_bytes(damaged(source.read_bytes()))
    assert any(shows_plate(luma) for luma in lumas(source))
    target = tmp_path / "safe.mp4"
    done = redact(source, target)
    if done.returncode:
        assert done.returncode == SourceError.exit_code
        assert not target.exists()
        return
    pictures = list(lumas(target))
    assert len(pictures) > 10
    assert_plate_hidden(pictures)
    assert any(shows_scene(luma) for luma in pictures)


def test_a_file_cut_short_is_refused_without_an_output(street: Path, tmp_path: Path) -> None:
    source = tmp_path / "half.mp4"
    source.write_bytes(street.read_bytes()[: street.stat().st_size // 2])
    done = redact(source, tmp_path / "safe.mp4")
    assert done.returncode == SourceError.exit_code == 5
    assert [path.name for path in tmp_path.iterdir()] == ["half.mp4"]


def test_garbage_in_a_live_stream_shows_no_plate(stream: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.mkv"
    data = damaged(stream.read_bytes())
    run_from(lambda link: at_its_own_speed(link, data), record)
    pictures = list(lumas(record))
    assert_plate_hidden(pictures)
    assert sum(shows_scene(luma) for luma in pictures) > FPS / 2


def test_a_source_that_stalls_comes_back_protected(stream: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.mkv"
    data = stream.read_bytes()
    counts = run_from(
        lambda link: at_its_own_speed(link, data, stall_s=1.8), record, patience_s=2.4
    )
    pictures = list(lumas(record))
    assert_plate_hidden(pictures)
    assert counts["slates"] >= 3
    scenes = [shows_scene(luma) for luma in pictures]
    gap = scenes.index(False, scenes.index(True))
    assert any(scenes[gap:])


def test_a_flood_loses_frames_and_shows_no_plate(stream: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.mkv"
    data = stream.read_bytes()
    counts = run_from(lambda link: link.sendall(data), record)
    pictures = list(lumas(record))
    assert_plate_hidden(pictures)
    assert counts["frames_in"] + counts["dropped_in"] <= SECONDS * FPS
    assert pictures


def test_a_sink_that_stalls_holds_up_nobody(stream: Path, tmp_path: Path) -> None:
    receiver = Receiver(tmp_path)
    record = tmp_path / "record.mkv"
    process = start_run(stream, receiver.url, record)
    try:
        wait_until(lambda: receiver.connections == 1, "a connection")
        pushers = psutil.Process(process.pid).children(recursive=True)
        for pusher in pushers:
            pusher.suspend()
        counts = counts_of(process)
    finally:
        for pusher in pushers:
            with contextlib.suppress(psutil.NoSuchProcess):
                pusher.kill()
        receiver.close()
    pictures = list(lumas(record))
    assert_plate_hidden(pictures)
    # A busy machine drops some frames; a sink that holds up the others would cost nearly all.
    assert counts["dropped_in"] <= 0.4 * SECONDS * FPS
    assert len(pictures) >= 0.6 * SECONDS * FPS
    assert receiver.received(1) < 0.9 * record.stat().st_size
