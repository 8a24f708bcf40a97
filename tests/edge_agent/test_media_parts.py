"""The small parts of media: time, addresses, RTMP's notation, the probes, a camera."""

from __future__ import annotations

import io
import struct
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import SinkError, SourceError
from edge_agent.media.backoff import Backoff
from edge_agent.media.camera import Camera
from edge_agent.media.encode import EncoderSettings
from edge_agent.media.events import End
from edge_agent.media.probe import probe_encoder, probe_sink, probe_source
from edge_agent.media.rebase import SECOND, Rebase
from edge_agent.media.urls import redact_url, scheme_of
from edge_agent.media.whip.terms import Terms
from rtmp import amf
from rtmp.chunks import AUDIO, SET_CHUNK_SIZE, VIDEO, ChunkReader, write_message
from rtmp.flv_pipe import FlvPipe
from tests.edge_agent.media_tools import frames_of, free_port, write_clip

STEP = SECOND // 25


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtmp://host/live/KEY", "rtmp://host/live/***"),
        ("rtmps://u:p@host:444/app/sub/KEY?t=1", "rtmps://***@host:444/app/sub/***?***"),
        ("listen:rtmp://0.0.0.0:1935/live/KEY", "listen:rtmp://0.0.0.0:1935/live/***"),
        ("listen:https://0.0.0.0:8889/whip/KEY", "listen:https://0.0.0.0:8889/whip/***"),
        ("rtsp://cam:pw@10.0.0.2/stream", "rtsp://***@10.0.0.2/stream"),
        ("srt://host:9000?passphrase=KEY", "srt://host:9000?***"),
        ("https://host/a.m3u8?sig=KEY", "https://host/a.m3u8?***"),
        ("rtmp://host:99999999/live/KEY", "rtmp://***"),
        ("/home/me/a.mp4", "/home/me/a.mp4"),
    ],
)
def test_shown_addresses_hold_no_secret(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("clip.mp4", "file"),
        ("./a:b.mp4", "file"),
        (r"C:\clips\a.mp4", "file"),
        ("camera:/dev/video0", "camera"),
        ("RTMP://host/a/b", "rtmp"),
    ],
)
def test_schemes(url: str, scheme: str) -> None:
    assert scheme_of(url) == scheme


def test_time_that_jumps_moves_both_streams_by_the_same_amount() -> None:
    rebase = Rebase(live=False, reach=SECOND)
    rebase.start(5 * SECOND)
    for index in range(10):
        assert rebase.place("video", 5 * SECOND + index * STEP, STEP) == (-5 * SECOND, False)
        assert rebase.place("audio", 5 * SECOND + index * STEP, STEP) == (-5 * SECOND, False)
    shift, jumped = rebase.place("video", 100 * SECOND, STEP)
    assert jumped
    assert 100 * SECOND + shift == 10 * STEP
    # Sound of before the jump still arrives, then sound of after it.
    assert rebase.place("audio", 5 * SECOND + 10 * STEP, STEP) == (-5 * SECOND, False)
    assert rebase.place("audio", 100 * SECOND + STEP, STEP) == (shift, True)


def test_a_pause_in_the_picture_of_a_file_is_kept() -> None:
    rebase = Rebase(live=False, reach=None)
    rebase.place("video", 0, STEP)
    assert rebase.place("video", 60 * SECOND, STEP) == (0, True)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=40))
def test_video_time_stays_within_a_second_of_rising(stamps: list[int]) -> None:
    rebase = Rebase(live=False, reach=SECOND)
    due = None
    for stamp in stamps:
        shift, _ = rebase.place("video", stamp, STEP)
        placed = stamp + shift
        assert due is None or due - SECOND <= placed <= due + SECOND
        due = placed + STEP


def test_backoff_grows_to_its_limit_and_starts_over() -> None:
    backoff = Backoff(1.0, 8.0)
    waits = [[backoff.next() for _ in range(6)] for _ in range(50) if not backoff.reset()]
    highest = [max(column) for column in zip(*waits, strict=True)]
    for high, ceiling in zip(highest, (1, 2, 4, 8, 8, 8), strict=True):
        assert ceiling * 0.5 < high <= ceiling


def test_amf_reads_what_it_writes() -> None:
    values: list[amf.Value] = ["connect", 1.0, {"app": "live", "on": True, "no": None}, None, False]
    assert amf.decode(amf.encode(*values)) == values


@given(st.binary(max_size=200))
def test_amf_survives_anything(data: bytes) -> None:
    try:
        amf.decode(data)
    except ValueError:
        return


def reader_of(data: bytes) -> ChunkReader:
    stream = io.BytesIO(data)

    def read(count: int) -> bytes:
        piece = stream.read(count)
        if len(piece) < count:
            raise EOFError
        return piece

    return ChunkReader(read)


def test_woven_chunks_become_whole_messages() -> None:
    """Two messages in turns on lanes 4 and 6, the first with an extended time."""
    late = 0x01020304
    video, sound = bytes(range(200)), bytes(150)
    long_head = b"\xff\xff\xff" + len(video).to_bytes(3, "big") + bytes([VIDEO])
    short_head = (40).to_bytes(3, "big") + len(sound).to_bytes(3, "big") + bytes([AUDIO])
    extended = struct.pack(">I", late)
    data = bytes([4]) + long_head + b"\x01\0\0\0" + extended + video[:128]
    data += bytes([6]) + short_head + b"\x01\0\0\0" + sound[:128]
    data += bytes([0xC4]) + extended + video[128:] + bytes([0xC6]) + sound[128:]
    data += (
        bytes([0x46]) + (20).to_bytes(3, "big") + (2).to_bytes(3, "big") + bytes([AUDIO]) + b"ab"
    )
    data += bytes([0xC6]) + b"cd"
    reader = reader_of(data)
    messages = [reader.next() for _ in range(4)]
    assert [(m.kind, m.time, m.body) for m in messages] == [
        (VIDEO, late, video),
        (AUDIO, 40, sound),
        (AUDIO, 60, b"ab"),
        (AUDIO, 80, b"cd"),
    ]


def test_a_stranger_cannot_make_it_hold_much() -> None:
    with pytest.raises(ValueError, match="length"):
        reader_of(write_message(VIDEO, bytes(70_000))).next()
    begun = [bytes([0, lane, *bytes(5), 200, VIDEO, *bytes(4)]) + bytes(128) for lane in range(99)]
    with pytest.raises(ValueError, match="too many"):
        reader_of(b"".join(begun)).next()


def test_a_changed_chunk_size_is_followed() -> None:
    data = write_message(SET_CHUNK_SIZE, struct.pack(">I", 1000)) + write_message(VIDEO, bytes(900))
    assert len(reader_of(data).next().body) == 900


@given(st.binary(max_size=400))
def test_the_chunk_reader_survives_anything(data: bytes) -> None:
    reader = reader_of(data)
    with pytest.raises((EOFError, ValueError)):
        list(iter(reader.next, None))


def test_a_closed_pipe_lets_both_sides_go() -> None:
    pipe = FlvPipe()
    assert pipe.tag(VIDEO, 0, b"x")
    assert pipe.read(1 << 20).startswith(b"FLV")
    assert pipe.read(3) + pipe.read(1 << 20) == b"\x09\0\0\x01" + bytes(7) + b"x\0\0\0\x0c"
    read: list[bytes] = []
    waiting = threading.Thread(target=lambda: read.append(pipe.read(10)))
    waiting.start()
    pipe.close()
    waiting.join(5)
    assert read == [b""]
    assert not pipe.tag(VIDEO, 0, b"x")


def test_probes_say_what_they_found(tmp_path: Path) -> None:
    assert "libx264" in probe_encoder(EncoderSettings(live=True))
    with pytest.raises(SinkError, match="preset"):
        probe_encoder(EncoderSettings("warp"))
    clip = write_clip(tmp_path / "a.mp4", seconds=0.4)
    assert "160x120, 25 fps, h264, sound aac" in probe_source(str(clip), Terms())
    assert "waiting" in probe_source(f"listen:rtmp://127.0.0.1:{free_port()}/live/k", Terms())
    with pytest.raises(SourceError, match="no such file"):
        probe_source(str(tmp_path / "none.mp4"), Terms())
    assert "ready" in probe_sink(str(tmp_path / "new" / "out.mp4"))
    with pytest.raises(SinkError, match="check the address"):
        probe_sink(f"rtmp://127.0.0.1:{free_port()}/live/KEY")


def test_a_camera_gives_frames_by_the_clock(tmp_path: Path) -> None:
    """OpenCV opens a clip as it opens a camera."""
    clip = write_clip(
        tmp_path / "cam.avi", codec="mjpeg", pix_fmt="yuvj420p", audio=None, seconds=1
    )
    camera = Camera(str(clip))
    items = list(camera)
    frames = frames_of(items)
    assert len(frames) == 25
    assert isinstance(items[-1], End)
    assert (camera.info.width, camera.info.height) == (160, 120)
    assert all(frame.y.flags.c_contiguous for frame in frames)
    with pytest.raises(SourceError, match="plugged in"):
        Camera(str(tmp_path / "none"))
