"""JSON read with suspicion: size, depth, keys and numbers are bounded before anything is built."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from fleet_contract.errors import ContractError, Reason

MAX_PAYLOAD = 128 * 1024  # bytes: the smallest limit among the brokers that must serve
MAX_DEPTH = 16  # objects and lists within each other; the messages of today need 8
MAX_INTEGER = 2**53 - 1  # what every JSON reader holds exactly

# A whole string (also one that never ends, so that the search stays linear) or one bracket.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_OPENING, _CLOSING = b"[{", b"]}"


def parse_object(payload: bytes) -> dict[str, Any]:
    """The object that `payload` holds; raises ContractError for anything else.

    Refused are more than MAX_PAYLOAD bytes, more than MAX_DEPTH levels, text that is not UTF-8,
    repeated keys, NaN, infinities and integers beyond MAX_INTEGER.
    """
    if len(payload) > MAX_PAYLOAD:
        raise ContractError(Reason.TOO_LARGE, f"{len(payload)} bytes, {MAX_PAYLOAD} are allowed")
    _refuse_deep(payload)
    try:
        found = json.loads(
            payload.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
    except UnicodeDecodeError:
        raise ContractError(Reason.NOT_UTF8) from None
    except ValueError as problem:
        raise ContractError(Reason.NOT_JSON, str(problem)) from None
    if not isinstance(found, dict):
        raise ContractError(Reason.NOT_AN_OBJECT, type(found).__name__)
    return found


def _refuse_deep(payload: bytes) -> None:
    """Before parsing: the parser's own stack must never be the limit."""
    depth = 0
    for token in _TOKEN.finditer(payload):
        if token[0] in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                raise ContractError(Reason.TOO_DEEP, f"{MAX_DEPTH} levels are allowed")
        elif token[0] in _CLOSING:
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ContractError(Reason.DUPLICATE_KEY)
    return found


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > MAX_INTEGER:
        raise ContractError(Reason.BAD_NUMBER, "integer beyond 2**53 - 1")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ContractError(Reason.BAD_NUMBER, "number beyond the range of a double")
    return value


def _constant(name: str) -> NoReturn:
    raise ContractError(Reason.BAD_NUMBER, name)
