"""Commands that talk to a control plane: how they reach it, and how they answer."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloud_control.commands.failures import told
from cloud_control.errors import ApiError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from cloud_control.client import Client

Control = Annotated[
    str, typer.Option(metavar="URL", envvar="VEILCAST_CONTROL", help="The control plane.")
]
Trusted = Annotated[
    Path | None,
    typer.Option(
        "--ca", metavar="FILE", envvar="VEILCAST_CONTROL_CA",
        help="Its authority's certificate, ca/ca.crt of its data folder.",
    ),
]  # fmt: skip
TokenFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", envvar="VEILCAST_TOKEN_FILE",
        help="Holds your token. Without it, the variable VEILCAST_TOKEN does.",
    ),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="JSON, one object a line.")]

_COMMON: tuple[tuple[str, Any, Any], ...] = (
    ("control", Control, "https://localhost:8443"),
    ("ca", Trusted, None),
    ("token_file", TokenFile, None),
    ("as_json", Json, False),
)


@dataclass(frozen=True, slots=True)
class Remote:
    """A control plane, and how the command's answer shall look."""

    api: Client
    as_json: bool

    def show(self, found: Any, draw: Callable[[], object]) -> None:
        """As JSON, or as `draw` returns it for people."""
        if self.as_json:
            typer.echo(json.dumps(found))
        else:
            console().print(draw(), markup=False, highlight=False)

    def show_all(self, found: Iterable[Any], draw: Callable[[list[Any]], Table]) -> None:
        """One JSON object a line, or one table."""
        if not self.as_json:
            console().print(draw(list(found)))
            return
        for one in found:
            typer.echo(json.dumps(one))


def remote(work: Callable[..., None]) -> Callable[..., None]:
    """Give a command whose first argument is a `Remote` the options to reach it by instead."""
    own = list(inspect.signature(work, eval_str=True).parameters.values())[1:]

    @wraps(work)
    def command(**given: Any) -> None:
        common = {name: given.pop(name) for name, _, _ in _COMMON}
        with told(), _client(common["control"], common["token_file"], common["ca"]) as api:
            work(Remote(api, common["as_json"]), **given)

    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, kind, default in _COMMON
    ]
    kept = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    command.__signature__ = inspect.Signature([*kept, *options])  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in [*kept, *options]}
    del command.__wrapped__
    return command


def console() -> Console:
    """For people; a pipe gets plain text that is not cut."""
    from rich.console import Console

    found = Console()
    return found if found.is_terminal else Console(width=200)


def table(*columns: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(box=SIMPLE_HEAD)
    for name in columns:
        made.add_column(name, overflow="fold")
    return made


def row(into: Table, *cells: object) -> None:
    """Add a row of plain text: what came from elsewhere is no markup, and controls no terminal."""
    from rich.text import Text

    into.add_row(*(Text(plain(cell)) for cell in cells))


def plain(value: object) -> str:
    """As it may be shown on a terminal; nothing where there is nothing."""
    text = "" if value is None else str(value)
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def pairs(given: list[str] | None, option: str) -> dict[str, str]:
    """NAME=VALUE, repeated. Raises ApiError for anything else."""
    found = dict(one.partition("=")[::2] for one in given or [])
    if not all(name and value for name, value in found.items()):
        raise ApiError(f"{option} looks like NAME=VALUE")
    return found


def _client(url: str, token_file: Path | None, ca: Path | None) -> Client:
    from cloud_control.client import Client

    token = _token(token_file)
    if not url.startswith(("https://", "http://")):
        raise ApiError("--control looks like https://HOST:PORT")
    return Client(url, token, ca)


def _token(file: Path | None) -> str:
    if file is None:
        token = os.environ.get("VEILCAST_TOKEN", "")
    else:
        try:
            token = file.read_text()
        except (OSError, UnicodeDecodeError):
            raise ApiError(f"{file} cannot be read; --token-file holds your token") from None
    if not token.strip():
        raise ApiError("who are you? put your token into VEILCAST_TOKEN, or name --token-file")
    return token.strip()
