"""JSON Schema of every payload, for agents and tools in other languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fleet_contract.codec import MESSAGES
from fleet_contract.commands import COMMANDS
from fleet_contract.fields import Message
from fleet_contract.topics import CHANNELS, Kind

FOLDER = Path(__file__).resolve().parent


def schemas() -> dict[str, str]:
    """File name -> text. What the cloud sends allows unknown fields; what devices send does not.

    Rules that span several fields, such as "exactly one of ref and url", are not in the schemas.
    """
    found = {
        f"{kind}.json": _text(message, open_ended=CHANNELS[kind].sender == "cloud")
        for kind, message in MESSAGES.items()
    }
    open_ended = CHANNELS[Kind.COMMAND].sender == "cloud"
    commands = {
        f"cmd-{name}.json": _text(command, open_ended=open_ended)
        for name, command in COMMANDS.items()
    }
    return found | commands


def write(folder: Path = FOLDER) -> None:
    """Replace all schema files of a folder."""
    for old in folder.glob("*.json"):
        old.unlink()
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")


def _text(message: type[Message], *, open_ended: bool) -> str:
    schema = message.model_json_schema()
    schema["required"] = ["v", *schema.get("required", [])]
    for part in (schema, *schema.get("$defs", {}).values()):
        if open_ended:
            part.pop("additionalProperties", None)
    dialect: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(dialect | schema, indent=2, ensure_ascii=False) + "\n"
