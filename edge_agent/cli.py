"""The `veilcast` command: its sub-commands, and how every error reaches the user."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points, version
from typing import Annotated

import typer
from rich.console import Console

from edge_agent.commands.agent import agent
from edge_agent.commands.check import check
from edge_agent.commands.consent import consent
from edge_agent.commands.detect import detect
from edge_agent.commands.enroll import enroll
from edge_agent.commands.redact import redact
from edge_agent.commands.run import preview, run
from edge_agent.commands.upload import upload
from edge_agent.errors import VeilcastError

INTERRUPTED = 130

app = typer.Typer(
    name="veilcast",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Hides shipping labels, ID cards and license plates in video "
    "before it leaves your device.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"veilcast {version('veilcast')}")
        raise typer.Exit


@app.callback()
def _main(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which it is.")
    ] = False,
) -> None: ...


app.command()(redact)
app.command()(run)
app.command()(preview)
app.command()(upload)
app.command()(detect)
app.command()(check)
app.command()(enroll)
app.add_typer(agent, name="agent")
app.add_typer(consent, name="consent")
for command in entry_points(group="veilcast.commands"):
    app.add_typer(command.load(), name=command.name)


def main() -> None:
    """Run the command line; a user's mistake ends with a sentence and a status, no traceback."""
    try:
        app()
    except VeilcastError as error:
        console = Console(stderr=True, highlight=False)
        console.print("veilcast:", style="red", end=" ")
        console.print(str(error), markup=False)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
