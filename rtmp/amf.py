"""AMF0, the notation of RTMP's commands (Adobe, "Action Message Format", 2007)."""

from __future__ import annotations

import struct

Value = float | bool | str | None | dict[str, "Value"]

NUMBER, BOOLEAN, STRING, OBJECT, NULL, UNDEFINED, MAP, END = 0, 1, 2, 3, 5, 6, 8, 9


def encode(*values: Value) -> bytes:
    """The values one after the other."""
    return b"".join(_encode(value) for value in values)


def decode(data: bytes) -> list[Value]:
    """All values up to the end or to the first kind that no command needs. Raises ValueError."""
    values: list[Value] = []
    at = 0
    try:
        while at < len(data):
            value, at = _decode(data, at)
            values.append(value)
    except (struct.error, IndexError):
        raise ValueError("a command is cut short") from None
    except NotImplementedError:
        pass
    return values


def skip_string(data: bytes) -> bytes:
    """What follows the string that `data` begins with."""
    return data[3 + struct.unpack_from(">H", data, 1)[0] :]


def _encode(value: Value) -> bytes:
    if value is None:
        return bytes([NULL])
    if isinstance(value, bool):
        return bytes([BOOLEAN, value])
    if isinstance(value, int | float):
        return struct.pack(">Bd", NUMBER, value)
    if isinstance(value, str):
        return bytes([STRING]) + _text(value)
    pairs = b"".join(_text(name) + _encode(item) for name, item in value.items())
    return bytes([OBJECT]) + pairs + bytes([0, 0, END])


def _text(text: str) -> bytes:
    coded = text.encode()
    return struct.pack(">H", len(coded)) + coded


def _decode(data: bytes, at: int) -> tuple[Value, int]:
    kind, at = data[at], at + 1
    if kind == NUMBER:
        return struct.unpack_from(">d", data, at)[0], at + 8
    if kind == BOOLEAN:
        return data[at] != 0, at + 1
    if kind == STRING:
        return _decode_text(data, at)
    if kind in {OBJECT, MAP}:
        return _decode_object(data, at + (4 if kind == MAP else 0))
    if kind in {NULL, UNDEFINED}:
        return None, at
    raise NotImplementedError


def _decode_text(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">H", data, at)
    end = at + 2 + length
    if end > len(data):
        raise ValueError("a command is cut short")
    return data[at + 2 : end].decode("utf-8", "replace"), end


def _decode_object(data: bytes, at: int) -> tuple[dict[str, Value], int]:
    pairs: dict[str, Value] = {}
    while True:
        name, at = _decode_text(data, at)
        if not name and data[at] == END:
            return pairs, at + 1
        pairs[name], at = _decode(data, at)
