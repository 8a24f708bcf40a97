"""Whether the real command line accepts a line that somebody is told to type."""

from __future__ import annotations

import re
import shlex
from typing import Any

import typer

from edge_agent.cli import app

_CODE = re.compile(r"```\w*\n(.*?)```|`([^`]+)`", re.DOTALL)
_COMMENT = re.compile(r"(^|\s)#.*")
_OPERATORS = {"|", ">", "<", "&&", ";", ">>", "2>"}


def parse(words: list[str]) -> None:
    """`words` without the leading `veilcast`. Raises an exception of click's if a command, an
    option or a value is not accepted; nothing is carried out. A command's name alone is taken as
    a mention of it."""
    command: Any = typer.main.get_command(app)
    context: Any = None
    name, rest = "veilcast", words
    while True:
        if context is not None and not rest:
            return
        context = command.make_context(name, list(rest), parent=context)
        rest = [*getattr(context, "_protected_args", []), *context.args]
        if not rest or not hasattr(command, "resolve_command"):
            return
        name, command, rest = command.resolve_command(context, rest)


def lines_of(markdown: str) -> list[list[str]]:
    """The `veilcast ...` command lines in code, each without that word."""
    found = []
    for block, inline in _CODE.findall(markdown):
        code = block.replace("\\\n", " ") if block else inline.replace("\n", " ")
        for line in code.splitlines():
            found += _commands(line)
    return found


def _commands(line: str) -> list[list[str]]:
    line = _COMMENT.sub("", line)
    words = shlex.split(line) if line.count("'") % 2 == 0 else line.split()
    found: list[list[str]] = []
    current: list[str] | None = None
    for word in words:
        if word in _OPERATORS:
            current = None
        elif word == "veilcast" or word.endswith("/bin/veilcast"):
            current = []
            found.append(current)
        elif current is not None:
            current.append(word)
    return [one for one in found if one]
