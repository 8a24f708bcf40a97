from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import structlog

from edge_agent.logs import configure_logs
from tests.edge_agent.builders import make_frame

SECRET = "s3cret"


@pytest.fixture(autouse=True)
def _restore_logs() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_json_lines_can_be_read_by_machines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json")
    structlog.get_logger().warning("source_lost", waited_seconds=2.5, file=Path("a.mp4"))
    out, err = capsys.readouterr()
    line = json.loads(err)
    assert out == ""
    assert (line["event"], line["level"]) == ("source_lost", "warning")
    assert (line["waited_seconds"], line["file"]) == (2.5, "a.mp4")
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("style", ["human", "json"])
def test_no_secret_of_an_address_is_written(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(style)  # type: ignore[arg-type]
    log = structlog.get_logger()
    rtmp = f"rtmp://live.example/app/{SECRET}"
    try:
        raise OSError(f"cannot open '{rtmp}': refused")
    except OSError as error:
        log.exception("sink_failed", error=error)
    log.error(
        f"asked for srt://host:9000?passphrase={SECRET}",
        url=f"rtsp://user:{SECRET}@camera/stream",
        listen=f"listen:rtmp://0.0.0.0:1935/live/{SECRET}",
        several=[rtmp, {"inner": f"https://host/a.m3u8?token={SECRET}"}],
    )
    err = capsys.readouterr().err
    assert SECRET not in err
    assert "live.example" in err
    assert "camera" in err


@pytest.mark.parametrize("style", ["human", "json"])
def test_pixels_are_never_written(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(style)  # type: ignore[arg-type]
    frame = make_frame(0)
    structlog.get_logger().info("seen", frame=frame, plane=frame.y, raw=b"\x5a" * 9, n=np.int64(3))
    err = capsys.readouterr().err
    assert "ndarray" in err
    assert "Frame" in err
    assert "bytes" in err
    assert "90" not in err.split("seen")[1]
    assert "ZZZ" not in err


@pytest.mark.parametrize("style", ["human", "json"])
def test_a_traceback_shows_no_local_values(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(style)  # type: ignore[arg-type]

    def fail(plane: object) -> None:
        raise ValueError(f"wrong size {np.ndim(plane)}")

    try:
        fail(np.full((2, 2), 0xAD, np.uint8))
    except ValueError:
        structlog.get_logger().exception("cover_failed")
    err = capsys.readouterr().err
    assert "wrong size" in err
    assert "173" not in err.replace("line 173", "")
    assert "plane = " not in err


def test_lines_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("human", "warning")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    err = capsys.readouterr().err
    assert "quiet" not in err
    assert "loud" in err


def test_a_stream_put_in_the_place_of_stderr_gets_the_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure_logs("human")
    log, stand_in = structlog.get_logger(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", stand_in)
    log.info("beside the progress bar")
    assert "beside the progress bar" in stand_in.getvalue()
