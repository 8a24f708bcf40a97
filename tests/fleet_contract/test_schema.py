"""The schemas checked in are those of the code; the contract imports neither side."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import fleet_contract
from fleet_contract.schema import FOLDER, schemas, write
from tests.fleet_contract.from_schema import FILES

PACKAGE = Path(fleet_contract.__file__).parent


def test_the_schemas_checked_in_are_up_to_date() -> None:
    """If not: python -m fleet_contract.schema"""
    assert {path.name: path.read_text() for path in FOLDER.glob("*.json")} == schemas()
    assert set(schemas()) == set(FILES)


def test_writing_leaves_nothing_of_older_schemas(tmp_path: Path) -> None:
    (tmp_path / "gone.json").write_text("{}")
    write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(schemas())


def test_every_string_and_list_has_a_limit() -> None:
    for file, text in schemas().items():
        for place in places(json.loads(text)):
            if place.get("type") == "string" and "enum" not in place and "const" not in place:
                assert "maxLength" in place, (file, place)
            if place.get("type") == "array":
                assert "maxItems" in place, (file, place)
            if place.get("type") in {"integer", "number"} and "const" not in place:
                assert {"minimum", "maximum"} <= set(place) or place == {"type": "number"}, (
                    file,
                    place,
                )


def places(found: object) -> list[dict[str, object]]:
    if isinstance(found, dict):
        return [found, *(inner for value in found.values() for inner in places(value))]
    if isinstance(found, list):
        return [inner for value in found for inner in places(value)]
    return []


def test_the_contract_rests_on_pydantic_alone() -> None:
    imported = {
        name.partition(".")[0]
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - set(sys.stdlib_module_names) == {"fleet_contract", "pydantic"}
