"""Payloads made at random from the published JSON Schemas, as another implementation would."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import strategies as st

from fleet_contract.codec import MESSAGES
from fleet_contract.commands import COMMANDS
from fleet_contract.schema import FOLDER
from fleet_contract.topics import CHANNELS, Address, Kind

Schema = dict[str, Any]

FILES = {
    **{f"{kind}.json": Address(kind, "acme", "van-7", _name)
       for kind in MESSAGES
       for _name in ["cam-1" if "{name}" in CHANNELS[kind].tail else ""]},
    **{f"cmd-{name}.json": Address(Kind.COMMAND, "acme", "van-7", name) for name in COMMANDS},
}  # fmt: skip


def schema_of(file: str) -> Schema:
    found: Schema = json.loads((FOLDER / file).read_text())
    return found


@cache
def payloads(file: str) -> st.SearchStrategy[dict[str, Any]]:
    """Valid objects of one schema file, bent to the rules that span fields."""
    schema = schema_of(file)
    return _values(schema, schema.get("$defs", {})).map(_repaired)


def _values(schema: Schema, parts: Schema) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _values(parts[schema["$ref"].rpartition("/")[2]], parts)
    if "anyOf" in schema:
        return st.one_of(
            *[_values(kind, parts) for kind in schema["anyOf"] if kind != {"type": "null"}]
        )
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    return _OF_TYPE[schema["type"]](schema, parts)


def _object(schema: Schema, parts: Schema) -> st.SearchStrategy[Any]:
    if "properties" not in schema:
        (pattern, value), = schema["patternProperties"].items()  # fmt: skip
        return st.dictionaries(_matching(pattern), _values(value, parts), max_size=5)
    fields = {name: _values(field, parts) for name, field in schema["properties"].items()}
    needed = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: values for name, values in fields.items() if name in needed},
        optional={name: values for name, values in fields.items() if name not in needed},
    )


def _array(schema: Schema, parts: Schema) -> st.SearchStrategy[Any]:
    if "prefixItems" in schema:
        return st.tuples(*[_values(item, parts) for item in schema["prefixItems"]]).map(list)
    least = schema.get("minItems", 0)
    return st.lists(
        _values(schema["items"], parts),
        min_size=least,
        max_size=min(schema["maxItems"], least + 2),
    )


def _string(schema: Schema, _: Schema) -> st.SearchStrategy[str]:
    return _matching(schema.get("pattern", r"^[A-Za-z0-9._~-]{1,40}$")).filter(
        lambda text: len(text) <= schema["maxLength"]
    )


def _matching(pattern: str) -> st.SearchStrategy[str]:
    # In Python `$` would allow a line break at the end.
    return st.from_regex(pattern.removesuffix("$") + r"\Z")


def _integer(schema: Schema, _: Schema) -> st.SearchStrategy[int]:
    return st.integers(schema["minimum"], schema["maximum"])


def _number(schema: Schema, _: Schema) -> st.SearchStrategy[float]:
    return st.floats(
        schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False
    )


_OF_TYPE: dict[str, Callable[[Schema, Schema], st.SearchStrategy[Any]]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": lambda *_: st.booleans(),
}


def _repaired(found: dict[str, Any]) -> dict[str, Any]:
    if "expires_at" in found:
        found["issued_at"] %= 2**50
        found["expires_at"] = found["issued_at"] + 1 + found["expires_at"] % 900_000
    if "outcome" in found:
        found.pop("reason", None)
        if found["outcome"] in {"failed", "dropped"}:
            found["reason"] = "expired"
    if "run" in found:
        found |= {"state": "HELD"} if found["run"] != "running" else {}
        found |= {"state": "DEGRADED"} if found.get("veiled") and found["state"] != "HELD" else {}
        if found["state"] == "OFF":
            found["loosened"] = [{"path": "mosaic", "expires_at": 5}]
    for index, stream in enumerate(found.get("streams", [])):
        stream["id"] = f"cam-{index}"
        for endpoint in (stream.get("source"), *stream.get("sinks", [])):
            if endpoint is not None:
                _repair_endpoint(endpoint)
    return found


def _repair_endpoint(endpoint: dict[str, Any]) -> None:
    if "url" in endpoint:
        endpoint.pop("ref", None)
    else:
        endpoint.pop("key", None)
        endpoint.setdefault("ref", "studio")
