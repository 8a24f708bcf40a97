"""The FLV file that the media messages of RTMP belong into."""

from __future__ import annotations

import struct

HEADER = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"


def tag(kind: int, time: int, body: bytes) -> bytes:
    """A message of sound (8), video (9) or data (18) as the file holds it; time in ms."""
    head = bytes([kind]) + len(body).to_bytes(3, "big")
    clock = (time & 0xFFFFFF).to_bytes(3, "big") + bytes([time >> 24 & 0xFF])
    return head + clock + b"\0\0\0" + body + struct.pack(">I", len(body) + 11)
