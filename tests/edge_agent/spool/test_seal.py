"""Sealed segments: nothing of the video shows on disk, and no change goes unnoticed."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from edge_agent.errors import SpoolError
from edge_agent.spool.key import MARK, load_key
from edge_agent.spool.seal import MAGIC, PIECE, SALT, TAG, Sealer, WrongKeyError, unseal
from tests.edge_agent.spool.coded import key_file

HEADER = len(MAGIC) + MARK + SALT
SIZES = (0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 7)


def sealed(path: Path, data: bytes, name: str = "one.ts") -> bytes:
    written: list[bytes] = []
    sealer = Sealer(written.append, load_key(path), name)
    for at in range(0, len(data), 1000):
        sealer.push(data[at : at + 1000])
    sealer.finish()
    return b"".join(written)


def opened(path: Path, data: bytes, name: str = "one.ts", *, torn: bool = False) -> bytes:
    return b"".join(unseal(io.BytesIO(data), load_key(path), name, torn=torn))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return key_file(tmp_path)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_comes_back_and_cannot_be_read_meanwhile(key: Path, size: int) -> None:
    data = bytes(index % 251 for index in range(size))
    box = sealed(key, data)
    assert opened(key, box) == data
    assert data[:64] not in box or size < 64
    assert sealed(key, data) != box  # a fresh salt each time


@pytest.mark.parametrize("at", [0, len(MAGIC), len(MAGIC) + MARK, HEADER, HEADER + PIECE + TAG, -1])
def test_any_changed_byte_is_noticed(key: Path, at: int) -> None:
    box = bytearray(sealed(key, os.urandom(2 * PIECE + 5)))
    box[at] ^= 1
    with pytest.raises(SpoolError):
        opened(key, bytes(box))


@pytest.mark.parametrize("keep", [0, HEADER - 1, HEADER, HEADER + PIECE + TAG, -1])
def test_a_file_that_was_cut_short_is_noticed(key: Path, keep: int) -> None:
    box = sealed(key, os.urandom(2 * PIECE))[:keep]
    with pytest.raises(SpoolError):
        opened(key, box)


def test_pieces_cannot_be_swapped_repeated_or_left_out(key: Path) -> None:
    box = sealed(key, os.urandom(3 * PIECE + 5))
    head, step = box[:HEADER], PIECE + TAG
    first, second, rest = (
        box[HEADER : HEADER + step],
        box[HEADER + step : HEADER + 2 * step],
        box[HEADER + 2 * step :],
    )
    for wrong in (second + first + rest, first + first + second + rest, first + rest):
        with pytest.raises(SpoolError):
            opened(key, head + wrong)


def test_a_segment_cannot_take_the_place_of_another(key: Path) -> None:
    with pytest.raises(SpoolError):
        opened(key, sealed(key, b"video", "one.ts"), "two.ts")


def test_another_key_is_told_from_a_changed_file(key: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongKeyError):
        opened(key_file(tmp_path, "cd"), sealed(key, b"video"))


@pytest.mark.parametrize("lost", [1, TAG, PIECE, PIECE + TAG, PIECE + TAG + 1])
def test_of_a_torn_file_every_whole_piece_comes_back(key: Path, lost: int) -> None:
    data = os.urandom(4 * PIECE)
    saved = opened(key, sealed(key, data)[:-lost], torn=True)
    assert data.startswith(saved)
    assert len(saved) >= 4 * PIECE - lost - PIECE


def test_a_key_that_others_can_read_is_refused(key: Path) -> None:
    key.chmod(0o640)
    with pytest.raises(SpoolError, match="chmod 600"):
        load_key(key)


@pytest.mark.parametrize("content", ["", "ab" * 31, "zz" * 32])
def test_what_is_no_key_is_refused(key: Path, content: str) -> None:
    key.write_text(content)
    with pytest.raises(SpoolError, match="holds no key"):
        load_key(key)


def test_the_key_does_not_show(key: Path) -> None:
    assert "ab" * 4 not in repr(load_key(key))
    assert repr(load_key(key).secret) not in repr(load_key(key))
