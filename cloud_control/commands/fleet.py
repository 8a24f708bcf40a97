"""`veilcast fleet`: an operator's eyes and hands."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import typer

from cloud_control.commands.fleet_protection import set_protection
from cloud_control.commands.fleet_rollouts import rollouts
from cloud_control.commands.fleet_streams import command, details, streams
from cloud_control.commands.fleet_tokens import tokens
from cloud_control.commands.remote import Remote, console, pairs, plain, remote, row, table
from cloud_control.errors import ApiError

LOOK_S = 1.0
PLAIN_COMMANDS = ("self-test", "snapshot-metrics", "rotate-key", "rollback-model")

fleet = typer.Typer(no_args_is_help=True, help="See and steer a fleet of agents.")
fleet.add_typer(streams, name="stream")
fleet.add_typer(rollouts, name="rollout")
fleet.add_typer(tokens, name="token")
fleet.command("set")(set_protection)

Agent = Annotated[str, typer.Argument(metavar="AGENT")]
Labels = Annotated[
    list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="Repeat for several.")
]


@fleet.command("list")
@remote
def show_all(to: Remote, label: Labels = None) -> None:
    """All agents, or those with these labels."""
    to.show_all(_agents(to, pairs(label, "--label")), _table)


@fleet.command("show")
@remote
def show(to: Remote, agent: Agent) -> None:
    """All that is known of one agent."""
    found = to.api.get(f"/v1/agents/{agent}")
    to.show(found, lambda: details(_readable(found)))


@fleet.command("watch")
@remote
def watch(to: Remote, label: Labels = None) -> None:
    """All agents in a table that follows them, until Ctrl-C. With --json: the same as `logs`."""
    wanted = pairs(label, "--label")
    if to.as_json:
        _follow(to, None, None)
        return
    from rich.live import Live

    with Live(console=console(), auto_refresh=False, screen=console().is_terminal) as live:
        while True:
            live.update(_table(_agents(to, wanted)), refresh=True)
            time.sleep(LOOK_S)


@fleet.command("ask")
@remote
def ask(
    to: Remote,
    agent: Agent,
    name: Annotated[str, typer.Argument(metavar=" | ".join(PLAIN_COMMANDS))],
) -> None:
    """Have an agent do something, once, and show what it answers."""
    if name not in PLAIN_COMMANDS:
        raise ApiError(f"ask for one of {', '.join(PLAIN_COMMANDS)}")
    ack = command(to, agent, name, {})
    to.show(ack, lambda: details(ack))


@fleet.command("telemetry")
@remote
def telemetry(
    to: Remote,
    every: Annotated[
        int | None, typer.Option(min=1, max=3600, metavar="SECONDS", help="Change it.")
    ] = None,
) -> None:
    """How often agents send their figures; states and reports come at once anyway."""
    if every is not None:
        to.api.ask("PUT", "/v1/telemetry", {"seconds": every})
    found = to.api.get("/v1/telemetry")
    to.show(found, lambda: plain(f"every {found['seconds']} s"))


@fleet.command("revoke")
@remote
def revoke(to: Remote, agent: Agent) -> None:
    """Shut an agent out, until it joins anew by a claim."""
    to.api.ask("DELETE", f"/v1/agents/{agent}")
    to.show({"revoked": agent}, lambda: f"{agent} is shut out.")


@fleet.command("claim")
@remote
def claim(
    to: Remote,
    agent: Annotated[
        str | None, typer.Option(metavar="AGENT", help="The only id that it lets in.")
    ] = None,
    label: Labels = None,
    hours: Annotated[float, typer.Option(help="How long it can be spent.")] = 24.0,
) -> None:
    """Let one device join: prints a token for `veilcast enroll`, now and never again."""
    body: dict[str, Any] = {"labels": pairs(label, "--label"), "seconds": round(hours * 3600)}
    if agent:
        body["agent"] = agent
    made = to.api.ask("POST", "/v1/claims", body)
    to.show(made, lambda: made["token"])


@fleet.command("audit")
@remote
def audit(to: Remote) -> None:
    """Who changed what, oldest first."""

    def drawn(found: list[dict[str, Any]]) -> Any:
        into = table("When", "Who", "What", "Of", "Before", "After")
        for one in found:
            row(into, _time(one["at"]), one["who"], one["action"], one["subject"],
                _short(one["before"]), _short(one["after"]))  # fmt: skip
        return into

    to.show_all(to.api.pages("/v1/audit", "entries", limit=500), drawn)


@fleet.command("logs")
@remote
def logs(
    to: Remote,
    agent: Annotated[str | None, typer.Option(metavar="AGENT", help="Of this one only.")] = None,
    after: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on behind this event.")
    ] = None,
) -> None:
    """What happens in the fleet, as it happens, until Ctrl-C."""
    _follow(to, agent, after)


def _follow(to: Remote, agent: str | None, after: str | None) -> None:
    for news in to.api.events(after):
        if news.kind == "poll":
            raise ApiError(
                "this control plane runs as functions, which tell no events: see `veilcast fleet "
                "watch` for how agents stand, and `veilcast fleet audit` for who changed what"
            )
        if agent not in (None, news.data.get("agent")):
            continue
        if to.as_json:
            typer.echo(json.dumps({"id": news.id, "kind": news.kind, **_of_event(news.data)}))
            continue
        where = "/".join(
            news.data[part] for part in ("agent", "stream") if isinstance(news.data.get(part), str)
        )
        rest = {name: one for name, one in news.data.items() if name not in _SAID_ALREADY}
        typer.echo(plain(f"{_time(time.time() * 1000)}  {news.kind:12} {where:24} {_short(rest)}"))


_SAID_ALREADY = frozenset({"fleet", "agent", "stream", "v"})


def _of_event(data: dict[str, Any]) -> dict[str, Any]:
    """An event's own `id`, such as a command's, under another name."""
    return {("of" if name == "id" else name): one for name, one in data.items()}


def _agents(to: Remote, labels: dict[str, str]) -> Iterable[dict[str, Any]]:
    for one in to.api.pages("/v1/agents", "agents", limit=500):
        if labels.items() <= one["labels"].items():
            yield one


def _table(found: Iterable[dict[str, Any]]) -> Any:
    drawn = table("Agent", "State", "Document", "Streams", "Model", "Heard", "Labels")
    for one in found:
        model = one["model"]
        row(
            drawn, one["id"], _state(one), _document(one),
            ", ".join(f"{name} {state}" for name, state in sorted(one["streams"].items())),
            f"{model['name']} {model['version']}" if model else None,
            _time(one["heard_at"]),
            ", ".join(f"{name}={value}" for name, value in one["labels"].items()),
        )  # fmt: skip
    return drawn


def _state(agent: dict[str, Any]) -> str:
    if agent["revoked"]:
        return "revoked"
    if agent["unverified_frames_sent"]:
        return "UNVERIFIED FRAMES"
    return "online" if agent["online"] else "offline"


def _document(agent: dict[str, Any]) -> str:
    """How the agent stands to what it shall be."""
    version, applied = agent["version"], agent["applied"]
    if agent["refused"]:
        return f"{version} refused: {agent['refused']}"
    if applied < version:
        return f"{applied}, {version} is wanted"
    if agent["held_back"]:
        return f"{applied}, {agent['held_back']} need consent"
    return f"{applied}" if agent["converged"] else f"{applied}, in work"


def _readable(found: dict[str, Any]) -> dict[str, Any]:
    """Times as people read them, also within parts."""
    shown: dict[str, Any] = {}
    for name, value in found.items():
        if isinstance(value, dict):
            shown[name] = _readable(value)
        elif value is not None and (name == "at" or name.endswith("_at")):
            shown[name] = _time(value)
        else:
            shown[name] = value
    return shown


def _time(at_ms: float | None) -> str | None:
    if not at_ms:
        return None
    return datetime.fromtimestamp(at_ms / 1000).astimezone().isoformat(" ", "seconds")


def _short(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in values.items())
