"""`veilcast fleet token`: who may see and steer the fleet."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cloud_control.commands.remote import Remote, remote, row, table

DAY_S = 24 * 3600

tokens = typer.Typer(no_args_is_help=True, help="Operators' tokens: add, see, withdraw.")


@tokens.command("add")
@remote
def add(
    to: Remote,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who will use it.")],
    role: Annotated[str, typer.Option(metavar="viewer | operator | admin")] = "operator",
    days: Annotated[
        float | None, typer.Option(help="How long it is good for. Default: for ever.")
    ] = None,
) -> None:
    """Let somebody in: prints a token, now and never again."""
    body: dict[str, Any] = {"name": name, "role": role}
    if days is not None:
        body["seconds"] = round(days * DAY_S)
    made = to.api.ask("POST", "/v1/tokens", body)
    to.show(made, lambda: made["token"])


@tokens.command("list")
@remote
def show_all(to: Remote) -> None:
    """All tokens, without their secrets."""

    def drawn(found: list[dict[str, Any]]) -> Any:
        into = table("Token", "Name", "Role")
        for one in found:
            row(into, one["id"], one["name"], one["role"])
        return into

    to.show_all(to.api.get("/v1/tokens")["tokens"], drawn)


@tokens.command("withdraw")
@remote
def withdraw(
    to: Remote,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Its id, as `list` shows it.")],
) -> None:
    """Make a token void at once."""
    to.api.ask("DELETE", f"/v1/tokens/{token}")
    to.show({"withdrawn": token}, lambda: f"{token} is void.")
