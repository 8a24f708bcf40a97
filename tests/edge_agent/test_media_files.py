"""Files of many kinds go in, and come out with the same pictures at the same times."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from edge_agent.errors import SinkError, SourceError
from edge_agent.frame import Frame
from edge_agent.media.audio import AudioPacket
from edge_agent.media.demux import Item
from edge_agent.media.encode import EncoderSettings
from edge_agent.media.events import Discontinuity, End
from edge_agent.media.source import open_source
from edge_agent.media.writer import FileWriter
from tests.edge_agent.media_tools import (
    click_times,
    flash_times,
    frames_of,
    protect,
    write_clip,
)


def read(path: Path) -> list[Item]:
    return list(open_source(str(path)))


def copy(source: Path, target: Path, settings: EncoderSettings | None = None) -> None:
    """What the pipeline does, without looking at the pictures."""
    opened = open_source(str(source))
    writer = FileWriter(target, opened.info, settings or EncoderSettings())
    for item in opened:
        if isinstance(item, Frame):
            writer.video(protect(item))
        elif isinstance(item, AudioPacket):
            writer.audio(item)
    writer.close()


def times(frames: list[Frame]) -> list[int]:
    return [frame.time_ns for frame in frames]


@pytest.mark.parametrize(
    "kind",
    [
        "a.mp4 libx264 yuv420p aac",
        "b.mkv libvpx-vp9 yuv420p libopus",
        "c.avi mpeg4 yuv420p pcm_s16le",
        "d.mov mjpeg yuvj420p pcm_s16le",
        "e.ts libx264 yuv420p mp2",
        "f.mkv libx264 yuv422p10le aac",
        "g.mkv ffv1 yuv444p none",
    ],
)
@pytest.mark.parametrize("target", ["out.mp4", "out.mkv", "out.flv"])
def test_every_picture_and_the_sound_keep_their_time(
    tmp_path: Path, kind: str, target: str
) -> None:
    name, codec, pix_fmt, sound = kind.split()
    audio = None if sound == "none" else sound
    clip = write_clip(tmp_path / name, codec=codec, pix_fmt=pix_fmt, audio=audio, seconds=2.2)
    copy(clip, tmp_path / target)
    before, after = read(clip), read(tmp_path / target)
    assert len(frames_of(before)) == len(frames_of(after)) == 55
    flashes = flash_times(str(tmp_path / target))
    assert len(flashes) == 2
    if audio is None:
        assert not any(isinstance(item, AudioPacket) for item in after)
        return
    own = np.subtract(click_times(str(clip))[:2], flash_times(str(clip)))
    new = np.subtract(click_times(str(tmp_path / target))[:2], flashes)
    assert np.abs(new - own).max() <= 0.020


@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "libopus", "flac", "ac3"])
def test_sound_is_copied_byte_for_byte_where_the_container_takes_it(
    tmp_path: Path, codec: str
) -> None:
    clip = write_clip(tmp_path / "in.mp4", audio=codec)
    copy(clip, tmp_path / "out.mkv")
    before = [item.data for item in read(clip) if isinstance(item, AudioPacket)]
    after = [item.data for item in read(tmp_path / "out.mkv") if isinstance(item, AudioPacket)]
    assert before
    assert after == before


def test_frames_own_contiguous_writable_planes(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mp4", seconds=1)
    frames = frames_of(read(clip))
    kept = frames[5].y.copy()
    for frame in frames[:5] + frames[6:]:
        frame.y[:] = 0
        frame.u[:] = 0
    assert np.array_equal(frames[5].y, kept)
    for plane in (frames[5].y, frames[5].u, frames[5].v):
        assert plane.flags.c_contiguous
        assert plane.flags.writeable
    assert [frame.index for frame in frames] == list(range(25))


def test_odd_sizes_gain_a_repeated_edge(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "odd.mkv", codec="ffv1", size=(51, 37), seconds=0.2, audio=None)
    frame = frames_of(read(clip))[0]
    assert (frame.width, frame.height) == (52, 38)
    assert frame.u.shape == (19, 26)
    assert np.array_equal(frame.y[:, 51], frame.y[:, 50])
    assert np.array_equal(frame.y[37], frame.y[36])


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotated_phone_video_stands_upright(tmp_path: Path, rotation: int) -> None:
    options = {"size": (96, 64), "seconds": 0.4, "audio": None}
    plain = write_clip(tmp_path / "plain.mp4", **options)  # type: ignore[arg-type]
    turned = write_clip(tmp_path / "turned.mp4", rotation=rotation, **options)  # type: ignore[arg-type]
    with av.open(str(turned)) as container:
        stated = next(container.decode(video=0)).rotation % 360
    assert stated == rotation
    expected = np.rot90(frames_of(read(plain))[3].y, rotation // 90)
    assert np.array_equal(frames_of(read(turned))[3].y, expected)


def test_ten_bit_keeps_its_brightness(tmp_path: Path) -> None:
    deep = write_clip(tmp_path / "deep.mkv", codec="ffv1", pix_fmt="yuv420p10le", audio=None)
    flat = write_clip(tmp_path / "flat.mkv", codec="ffv1", pix_fmt="yuv420p", audio=None)
    for a, b in zip(frames_of(read(deep)), frames_of(read(flat)), strict=True):
        assert np.abs(a.y.astype(int) - b.y).max() <= 2
        assert np.abs(a.u.astype(int) - b.u).max() <= 2


def test_full_range_is_kept_and_flagged_to_the_end(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mov", codec="mjpeg", pix_fmt="yuvj422p", audio=None)
    copy(clip, tmp_path / "out.mp4")
    frame = frames_of(read(tmp_path / "out.mp4"))[25]  # a white one
    assert frame.colour.full_range
    assert frame.y.mean() > 250


def test_variable_frame_rate_keeps_its_time_stamps(tmp_path: Path) -> None:
    def uneven(index: int) -> int:
        return index * 40 + (index % 3) * 9 + (2_500 if index > 20 else 0)

    clip = write_clip(tmp_path / "vfr.mkv", pts=uneven, base=Fraction(1, 1000), audio=None)
    copy(clip, tmp_path / "out.mp4")
    before, after = frames_of(read(clip)), frames_of(read(tmp_path / "out.mp4"))
    assert times(before) == [uneven(i) * 1_000_000 for i in range(50)]
    assert times(after) == times(before)


def test_a_change_of_size_is_announced_and_fitted_into_the_first(tmp_path: Path) -> None:
    first = write_clip(tmp_path / "a.ts", size=(160, 120), seconds=1, audio="mp2")
    second = write_clip(tmp_path / "b.ts", size=(120, 160), seconds=1, audio="mp2")
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    items = read(both)
    breaks = [item for item in items if isinstance(item, Discontinuity)]
    assert Discontinuity("size", 120, 160) in breaks
    sizes = {(frame.width, frame.height) for frame in frames_of(items)}
    assert sizes == {(160, 120), (120, 160)}
    copy(both, tmp_path / "out.mp4")
    after = frames_of(read(tmp_path / "out.mp4"))
    assert {(frame.width, frame.height) for frame in after} == {(160, 120)}
    assert len(after) == len(frames_of(items))
    assert after[-2].y[:, :20].mean() < 40  # the bars beside upright video are black
    assert after[-2].y[60, 80] > 60


def test_time_that_jumps_back_rises_again_with_its_sound(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.ts", seconds=2, audio="mp2")
    twice = tmp_path / "twice.ts"
    twice.write_bytes(clip.read_bytes() * 2)
    items = read(twice)
    stamps = times(frames_of(items))
    assert all(later > earlier for earlier, later in pairwise(stamps))
    assert any(isinstance(item, Discontinuity) for item in items)
    assert stamps[-1] - stamps[0] == pytest.approx(4e9, abs=2e8)
    copy(twice, tmp_path / "out.mp4")
    flashes = flash_times(str(tmp_path / "out.mp4"))
    clicks = click_times(str(tmp_path / "out.mp4"))
    assert len(flashes) == 2
    nearest = [min(clicks, key=lambda c: abs(c - flash)) for flash in flashes]
    assert np.abs(np.subtract(nearest, flashes)).max() <= 0.04


def test_garbage_in_the_middle_is_counted_and_stepped_over(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.ts", seconds=4, audio="mp2", options={"g": "12"})
    data = bytearray(clip.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20_000] = np.random.default_rng(1).bytes(20_000)
    broken = tmp_path / "broken.ts"
    broken.write_bytes(data)
    items = read(broken)
    assert isinstance(items[-1], End)
    stamps = times(frames_of(items))
    assert 40 < len(stamps) <= 100
    assert stamps[-1] > 3.5e9
    assert all(later > earlier for earlier, later in pairwise(stamps))


def test_a_stream_joined_between_keyframes_is_waited_for(tmp_path: Path) -> None:
    options = {"g": "75", "keyint_min": "75", "sc_threshold": "0", "bf": "0"}
    clip = write_clip(tmp_path / "a.ts", seconds=5, audio="mp2", options=options)
    data = clip.read_bytes()
    late = tmp_path / "late.ts"
    late.write_bytes(data[len(data) // 4 // 188 * 188 :])
    items = read(late)
    frames = frames_of(items)
    assert frames
    assert len(frames) <= 100
    shown = {item.time_ns for item in items if isinstance(item, AudioPacket)}
    assert shown  # sound does not wait


def test_interlaced_video_is_deinterlaced(tmp_path: Path) -> None:
    path = tmp_path / "interlaced.ts"
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("mpeg2video", 25)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        video.codec_context.options = {"qscale": "2", "flags": "+ilme+ildct"}
        for index in range(10):
            block = np.full((180, 160), 128, np.uint8)
            block[:120] = 60
            block[0:120:2, 20 + index * 8 : 60 + index * 8] = 200  # a field each, 4 px apart
            block[1:120:2, 24 + index * 8 : 64 + index * 8] = 200
            frame = av.VideoFrame.from_ndarray(block, "yuv420p")
            frame.pts = index
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    with av.open(str(path)) as container:
        if not next(container.decode(video=0)).interlaced_frame:
            pytest.skip("this FFmpeg does not mark the clip as interlaced")
    frames = frames_of(read(path))
    assert len(frames) == 10
    comb = np.abs(np.diff(frames[5].y[20:100].astype(int), axis=0)).mean()
    assert comb < 1.0


@pytest.mark.parametrize(("transfer", "grey"), [("smpte2084", 0.58), ("arib-std-b67", 0.75)])
def test_hdr_white_paper_becomes_sdr_white_paper(
    tmp_path: Path, transfer: str, grey: float
) -> None:
    """0.58 in PQ and 0.75 in HLG are reference white: bright in SDR, and without colour."""
    path = tmp_path / "hdr.mkv"
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("libx265", 25, options={"x265-params": "log-level=none"})
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p10le"
        context = video.codec_context
        context.color_primaries, context.colorspace, context.color_range = 9, 9, 1
        context.color_trc = 16 if transfer == "smpte2084" else 18
        luma = np.full((96, 128), round(64 + grey * 876), np.uint16)
        luma[:, :64] = 64
        chroma = np.full((48, 128), 512, np.uint16)
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(np.vstack([luma, chroma]), "yuv420p10le")
            frame.pts = index
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    frame = frames_of(read(path))[1]
    assert 190 < frame.y[:, 80:].mean() < 235
    assert frame.y[:, :48].mean() < 20
    assert abs(frame.u.mean() - 128) < 2
    assert abs(frame.v.mean() - 128) < 2
    assert (frame.colour.matrix, frame.colour.transfer) == (1, 1)


def test_colour_tags_reach_the_output(tmp_path: Path) -> None:
    def tag(video: Any) -> None:
        context = video.codec_context
        context.color_primaries, context.colorspace, context.color_trc = 1, 1, 1

    clip = write_clip(tmp_path / "in.mp4", setup=tag)
    copy(clip, tmp_path / "out.mp4")
    colour = frames_of(read(tmp_path / "out.mp4"))[0].colour
    assert (colour.matrix, colour.primaries, colour.transfer) == (1, 1, 1)


def test_the_sources_keyframes_are_not_copied(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mp4", options={"g": "1"}, audio=None, seconds=1.9)
    copy(clip, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        keys = [packet.is_keyframe for packet in container.demux(video=0) if packet.size]
    assert sum(keys) < 10


def test_the_final_name_appears_only_at_the_end(tmp_path: Path) -> None:
    source = open_source(str(write_clip(tmp_path / "in.mp4")))
    target = tmp_path / "out.mp4"
    writer = FileWriter(target, source.info, EncoderSettings())
    for frame in frames_of(list(source)):
        writer.video(protect(frame))
    assert not target.exists()
    assert (tmp_path / "out.mp4.part").exists()
    writer.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_abort_leaves_nothing(tmp_path: Path) -> None:
    source = open_source(str(write_clip(tmp_path / "in.mp4")))
    writer = FileWriter(tmp_path / "out.mkv", source.info, EncoderSettings())
    for frame in frames_of(list(source))[:10]:
        writer.video(protect(frame))
    writer.abort()
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_a_raw_frame_is_no_protected_frame(tmp_path: Path) -> None:
    frame = frames_of(read(write_clip(tmp_path / "in.mp4", seconds=0.2)))[0]
    info = open_source(str(tmp_path / "in.mp4")).info
    writer = FileWriter(tmp_path / "out.mp4", info, EncoderSettings())
    with pytest.raises(TypeError, match="only protected frames"):
        writer.video(frame)  # type: ignore[arg-type]


def test_what_cannot_be_read_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        open_source(str(tmp_path / "none.mp4"))
    text = tmp_path / "text.mp4"
    text.write_text("this is not a film" * 100)
    with pytest.raises(SourceError, match="not video"):
        open_source(str(text))
    with av.open(str(tmp_path / "sound.m4a"), "w", format="mp4") as out:
        sound: Any = out.add_stream("aac", 48_000)
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        silence.sample_rate = 48_000
        out.mux(sound.encode(silence))
        out.mux(sound.encode(None))
    with pytest.raises(SourceError, match="no video"):
        open_source(str(tmp_path / "sound.m4a"))


def test_what_cannot_be_written_is_said_plainly(tmp_path: Path) -> None:
    source = open_source(str(write_clip(tmp_path / "in.mp4", seconds=0.4)))
    with pytest.raises(SinkError, match="ends in one of"):
        FileWriter(tmp_path / "out.xyz", source.info, EncoderSettings())
    frame = protect(frames_of(list(source))[0])
    with pytest.raises(SinkError, match="preset"):
        FileWriter(tmp_path / "o.mp4", source.info, EncoderSettings("warp")).video(frame)
    with pytest.raises(SinkError, match="no such file"):
        FileWriter(tmp_path / "none" / "o.mp4", source.info, EncoderSettings()).video(frame)


def test_closing_from_elsewhere_ends_the_reading(tmp_path: Path) -> None:
    source = open_source(str(write_clip(tmp_path / "in.mp4", seconds=4)))
    seen = 0
    for item in source:
        seen += isinstance(item, Frame)
        source.close()
    assert seen < 30
