"""The tables of docs/protocol.md, made from the schemas.

`python -m tests.fleet_contract.field_tables` brings the document up to date.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.fleet_contract.from_schema import FILES, Schema, schema_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"
MARKED = re.compile(r"<!-- fields: (\w+) -->(?:\n\|.*)*")


def objects() -> dict[str, Schema]:
    """Every object that a payload can hold, by its name."""
    roots = [schema_of(file) for file in FILES]
    parts = [part for root in roots for part in root.get("$defs", {}).items()]
    return dict(parts) | {root["title"]: root for root in roots}


def table(name: str) -> str:
    """The fields of an object, one row each, beneath their marker."""
    schema = objects()[name]
    rows = [
        _row(field, found, needed=field in schema.get("required", ()))
        for field, found in schema["properties"].items()
    ]
    head = f"<!-- fields: {name} -->\n| Field | Value | Default | Meaning |\n|---|---|---|---|"
    return "\n".join([head, *rows])


def renewed(document: str) -> str:
    return MARKED.sub(lambda found: table(found[1]), document)


def _row(name: str, field: Schema, *, needed: bool) -> str:
    default = "required" if needed else _default(field)
    cells = (f"`{name}`", _value(field), default, field["description"])
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(field: Schema) -> str:
    value = field["default"]
    if value is None:
        return "absent"
    if isinstance(value, dict):
        return "its defaults" if value else "`{}`"
    return f"`{str(value).lower()}`"


def _value(field: Schema) -> str:
    if "anyOf" in field:
        return next(_value(kind) for kind in field["anyOf"] if kind != {"type": "null"})
    if "$ref" in field:
        return f"`{field['$ref'].rpartition('/')[2]}`"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    return _OF_TYPE[field["type"]](field)


def _string(field: Schema) -> str:
    pattern = f" `{field['pattern']}`" if "pattern" in field else ""
    return f"text{pattern}, at most {field['maxLength']} characters"


def _number(field: Schema) -> str:
    limits = f" {field['minimum']:g} to {field['maximum']:g}" if "maximum" in field else ""
    return f"number{limits}"


def _integer(field: Schema) -> str:
    last = "2^53 − 1" if field["maximum"] == 2**53 - 1 else field["maximum"]
    return f"integer {field['minimum']} to {last}"


def _array(field: Schema) -> str:
    if "prefixItems" in field:
        return f"[{', '.join(_value(item) for item in field['prefixItems'])}]"
    least = field.get("minItems", 0)
    return f"list of {least} to {field['maxItems']}: {_value(field['items'])}"


def _object(field: Schema) -> str:
    ((pattern, value),) = field["patternProperties"].items()
    return f"object of at most {field['maxProperties']}: `{pattern}` to {_value(value)}"


_OF_TYPE: dict[str, Any] = {
    "string": _string,
    "number": _number,
    "integer": _integer,
    "boolean": lambda _: "boolean",
    "array": _array,
    "object": _object,
}


if __name__ == "__main__":
    DOCUMENT.write_text(renewed(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
