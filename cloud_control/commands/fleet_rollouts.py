"""`veilcast fleet rollout`: a model's way through the fleet, started and watched."""

from __future__ import annotations

import time
from collections import Counter
from typing import Annotated, Any

import typer

from cloud_control.commands.remote import Remote, console, pairs, plain, remote, row, table
from cloud_control.errors import ApiError

LOOK_S = 1.0

rollouts = typer.Typer(no_args_is_help=True, help="Rollouts of models: start, watch, stop.")

Which = Annotated[str | None, typer.Argument(metavar="ROLLOUT", help="Default: the newest one.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Watch until it ends.")]


@rollouts.command("start")
@remote
def start(
    to: Remote,
    name: Annotated[str, typer.Argument(metavar="MODEL")],
    version: Annotated[str, typer.Argument(metavar="VERSION")],
    waves: Annotated[
        str, typer.Option(metavar="PERCENTS", help="Of the fleet, cumulative.")
    ] = "1,10,50,100",
    first: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A wave before: agents with all these labels."),
    ] = None,
    rate: Annotated[int, typer.Option(help="Agents a minute, at most.")] = 100,
    soak: Annotated[float, typer.Option(metavar="SECONDS", help="To watch each wave.")] = 600,
    patience: Annotated[
        float, typer.Option(metavar="SECONDS", help="To wait for an agent that is away.")
    ] = 86_400,
    max_failed: Annotated[
        float, typer.Option(metavar="SHARE", help="Abort when more failed, 0 to 1.")
    ] = 0.2,
    while_live: Annotated[
        bool, typer.Option(help="Switch agents over while they are live.")
    ] = False,
    follow: Follow = False,
) -> None:
    """Bring a published model to the fleet, wave after wave.

    It pauses when a wave is not well, and aborts, with everyone going back, when too many fail.
    """
    try:
        percents = [float(one) for one in waves.split(",") if one]
    except ValueError:
        raise ApiError("--waves looks like 1,10,50,100") from None
    planned: list[dict[str, Any]] = [{"percent": one} for one in percents]
    labels = pairs(first, "--first")
    body = {
        "model": {"name": name, "version": version, "target": f"{name}/{version}/{name}.json"},
        "plan": {
            "waves": [{"labels": labels}, *planned] if labels else planned,
            "rate": rate,
            "gate": {"soak_seconds": soak, "patience_seconds": patience},
            "abort": {"max_failed_share": max_failed},
            "while_live": while_live,
        },
    }
    made = to.api.ask("POST", "/v1/rollouts", body)
    _tell(to, made, follow=follow)


@rollouts.command("list")
@remote
def show_all(to: Remote) -> None:
    """All rollouts, oldest first."""

    def drawn(found: list[dict[str, Any]]) -> Any:
        into = table("Rollout", "Model", "Status", "Wave", "Told", "Failed", "Reason")
        for one in found:
            row(into, one["id"], _model(one), one["status"], _wave(one), one["told"],
                one["failed"], one["reason"])  # fmt: skip
        return into

    to.show_all(to.api.get("/v1/rollouts")["rollouts"], drawn)


@rollouts.command("show")
@remote
def show(to: Remote, rollout: Which = None, follow: Follow = False) -> None:
    """How far it has come, and who failed why. Ends with status 11 if it was aborted."""
    _tell(to, _find(to, rollout), follow=follow)


@rollouts.command("pause")
@remote
def pause(to: Remote, rollout: Which = None) -> None:
    """Tell nobody else until resumed."""
    _act(to, rollout, "pause")


@rollouts.command("resume")
@remote
def resume(to: Remote, rollout: Which = None) -> None:
    """Go on, also past a wave that was not well."""
    _act(to, rollout, "resume")


@rollouts.command("abort")
@remote
def abort(to: Remote, rollout: Which = None) -> None:
    """The emergency stop: end it and send everyone back to the former model."""
    _act(to, rollout, "abort")


def _act(to: Remote, rollout: str | None, act: str) -> None:
    found = to.api.ask("POST", f"/v1/rollouts/{_find(to, rollout)['id']}/{act}")
    to.show(found, lambda: _drawn(found))


def _find(to: Remote, rollout: str | None) -> dict[str, Any]:
    """Raises ApiError when there is none."""
    if rollout is None:
        every = to.api.get("/v1/rollouts")["rollouts"]
        if not every:
            raise ApiError("there was no rollout yet; see `veilcast fleet rollout start --help`")
        rollout = every[-1]["id"]
    found: dict[str, Any] = to.api.get(f"/v1/rollouts/{rollout}")
    return found


def _tell(to: Remote, found: dict[str, Any], *, follow: bool) -> None:
    if follow and to.as_json:
        found = _followed(to, found)
    elif follow:
        found = _watched(to, found)
    to.show(found, lambda: _drawn(found))
    if follow and found["status"] == "aborted":
        raise ApiError(f"the rollout was aborted: {plain(found['reason'])}")


def _followed(to: Remote, found: dict[str, Any]) -> dict[str, Any]:
    while found["status"] not in {"finished", "aborted"}:
        time.sleep(LOOK_S)
        found = to.api.get(f"/v1/rollouts/{found['id']}")
    return found


def _watched(to: Remote, found: dict[str, Any]) -> dict[str, Any]:
    """With a bar of agents that are done or failed, of all that there are."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console(), transient=True) as progress:
        task = progress.add_task("")
        while True:
            fleet = sum(not one["revoked"] for one in to.api.pages("/v1/agents", "agents"))
            ended = [one for one in found["agents"] if one["outcome"] in {"done", "failed"}]
            words = f"{_model(found)} {found['status']}, wave {_wave(found)}"
            progress.update(task, description=words, total=fleet, completed=len(ended))
            if found["status"] in {"finished", "aborted"}:
                return found
            time.sleep(LOOK_S)
            found = to.api.get(f"/v1/rollouts/{found['id']}")


def _drawn(found: dict[str, Any]) -> object:
    drawn = table("Rollout", found["id"])
    row(drawn, "model", _model(found))
    reason = f" ({found['reason']})" if found["reason"] else ""
    row(drawn, "status", found["status"] + reason)
    row(drawn, "wave", _wave(found))
    for outcome, count in sorted(Counter(one["outcome"] for one in found["agents"]).items()):
        row(drawn, outcome, count)
    for one in found["agents"]:
        if one["outcome"] == "failed":
            row(drawn, f"failed: {one['agent']}", one["failed"])
    return drawn


def _model(found: dict[str, Any]) -> str:
    return f"{found['model']['name']} {found['model']['version']}"


def _wave(found: dict[str, Any]) -> str:
    return f"{found['wave'] + 1} of {found['waves']}"
