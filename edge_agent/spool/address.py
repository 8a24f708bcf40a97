"""What `spool:FOLDER?mode=all&limit=4G&key=FILE` means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl

from edge_agent.errors import SinkError

SCHEME = "spool"
LIMIT = 4 << 30
SMALLEST_LIMIT = 16 << 20
UNITS = {"k": 10, "m": 20, "g": 30, "t": 40}


@dataclass(frozen=True, slots=True)
class SpoolAddress:
    """Where and how a stream is spooled.

    gap: only what the network sinks beside it may not have carried; all: everything.
    limit: bytes of waiting segments. key_file: encrypts them; None leaves them plain.
    """

    folder: Path
    mode: Literal["gap", "all"] = "gap"
    limit: int = LIMIT
    key_file: Path | None = None


def spool_address(url: str) -> SpoolAddress:
    """Read a sink's address. Raises SinkError, which names what is wrong."""
    name, _, query = url.removeprefix(f"{SCHEME}:").partition("?")
    if not name:
        raise SinkError("spool: needs a folder, such as spool:/var/lib/veilcast/spool/cam-1")
    given = dict(parse_qsl(query, keep_blank_values=True))
    mode = given.pop("mode", "gap")
    limit = given.pop("limit", str(LIMIT))
    key_file = given.pop("key", None)
    if given:
        raise SinkError(f"spool: does not know {', '.join(given)}: use mode, limit and key")
    if mode not in ("gap", "all"):
        raise SinkError(f"spool: mode={mode}: use gap or all")
    return SpoolAddress(
        Path(name).expanduser(),
        "all" if mode == "all" else "gap",
        _bytes(limit),
        Path(key_file).expanduser() if key_file else None,
    )


def _bytes(text: str) -> int:
    number, unit = (text[:-1], text[-1].lower()) if text[-1:].isalpha() else (text, "")
    try:
        size = int(number) << (UNITS[unit] if unit else 0)
    except (ValueError, KeyError):
        raise SinkError(f"spool: limit={text}: expected bytes, such as 500M or 4G") from None
    if size < SMALLEST_LIMIT:
        raise SinkError(f"spool: limit={text} is too small: use at least {SMALLEST_LIMIT >> 20}M")
    return size
