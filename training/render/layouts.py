"""Reading the tables of layouts beside this file: one JSON object per kind, one line per layout."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

# How a sheet is divided: ("v" | "h", (weight, block's name or plan), ...).
Plan = tuple[Any, ...]


def read(kind: str) -> dict[str, dict[str, Any]]:
    """The layouts of `kind` by name; lists come as tuples."""
    text = (Path(__file__).parent / "layouts" / f"{kind}.json").read_text()
    return {name: _tuples(fields) for name, fields in json.loads(text).items()}


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(v) for key, v in value.items()}
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def parse_plan(text: str) -> Plan:
    """`2brand 3[1to 1from]`: weights and blocks from top to bottom; brackets divide from left to
    right, brackets within them from top to bottom again."""
    tokens = re.findall(r"[\d.]+|\w+|[\[\]]", text)

    def items(direction: str) -> Plan:
        out: list[tuple[float, Any]] = []
        while tokens and tokens[0] != "]":
            weight, block = float(tokens.pop(0)), tokens.pop(0)
            if block == "[":
                out.append((weight, items("h" if direction == "v" else "v")))
                tokens.pop(0)
            else:
                out.append((weight, block))
        return (direction, *out)

    return items("v") if tokens else ()
