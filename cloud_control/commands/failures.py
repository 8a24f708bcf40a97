"""How an error of the control plane reaches who typed a command: a sentence and a status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from cloud_control.errors import ControlError


@contextmanager
def told() -> Iterator[None]:
    """End the command with the error's own exit code, without a traceback."""
    try:
        yield
    except ControlError as error:
        typer.echo(typer.style("veilcast: ", fg="red") + str(error), err=True)
        raise typer.Exit(error.exit_code) from None
    except OSError as error:
        typer.echo(typer.style("veilcast: ", fg="red") + str(error), err=True)
        raise typer.Exit(1) from None
