"""One file of a model: bounded by its signed length, resumed where it stopped, checked by hash."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import httpx
from tuf.api.exceptions import LengthOrHashMismatchError, SlowRetrievalError
from tuf.api.metadata import TargetFile

from edge_agent.fleet.home import sync_folder
from edge_agent.fleet.models.outcomes import NotNowError, RefusedError
from edge_agent.fleet.models.transfer import Transfer

KeepOn = Callable[[], None]


def download(file: TargetFile, url: str, into: Path, transfer: Transfer, keep_on: KeepOn) -> Path:
    """Fetch `file` into the folder `into`; returns its path, which ends with its hash.

    `keep_on` is called between pieces and may raise to stop. Raises NotNowError when the connection
    breaks, the server is slow or the disk is full: what came stays, and the next call goes on from
    there. Raises RefusedError, and keeps nothing, when anything came but what was signed.
    """
    into.mkdir(parents=True, exist_ok=True)
    path = into / file.hashes["sha256"]
    part = path.with_suffix(".part")
    if path.is_file() and _is(file, path):
        return path
    resumed = part.is_file() and part.stat().st_size > 0
    try:
        _fill(file, url, part, transfer, keep_on)
        if resumed and not _is(file, part):  # its beginning may be from another server's answer
            part.unlink()
            _fill(file, url, part, transfer, keep_on)
    except (httpx.HTTPError, SlowRetrievalError, OSError) as problem:
        raise NotNowError(f"a download broke off: {type(problem).__name__}") from None
    if not _is(file, part):
        part.unlink()
        raise RefusedError("wrong_hash")
    part.replace(path)
    sync_folder(into)
    return path


def _fill(file: TargetFile, url: str, part: Path, transfer: Transfer, keep_on: KeepOn) -> None:
    """Bring the part to its full length. Raises NotNowError when less came."""
    have = part.stat().st_size if part.is_file() else 0
    if have >= file.length:
        return
    with transfer.open(url, have) as answer:
        if answer.status_code == httpx.codes.OK:
            have = 0  # the server sends all of it
            part.unlink(missing_ok=True)
        elif answer.status_code != httpx.codes.PARTIAL_CONTENT or not _continues(answer, have):
            part.unlink(missing_ok=True)
            raise NotNowError(f"the server answers {answer.status_code}")
        with part.open("ab") as out:
            for piece in transfer.pieces(answer):
                keep_on()
                have += len(piece)
                if have > file.length:
                    break
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
    if have > file.length:
        part.unlink()
        raise RefusedError("too_long")
    if have < file.length:
        raise NotNowError("a download broke off early")


def _continues(answer: httpx.Response, start: int) -> bool:
    return str(answer.headers.get("Content-Range", "")).startswith(f"bytes {start}-")


def _is(file: TargetFile, path: Path) -> bool:
    with path.open("rb") as content:
        try:
            file.verify_length_and_hashes(content)
        except LengthOrHashMismatchError:
            return False
    return True
