"""`veilcast agent`: the managed daemon of a device, and how it stands."""

from __future__ import annotations

import json
import signal
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from edge_agent.commands.enroll import HomeFlag
from edge_agent.logs import configure_logs

if TYPE_CHECKING:
    from edge_agent.fleet.agent import Agent
    from edge_agent.fleet.home import Home
    from edge_agent.upload.forwarder import Forwarder

agent = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode="rich",
    help="Carry the streams that the control plane names, until it is stopped.",
)


@agent.callback()
def run(
    context: typer.Context,
    home: HomeFlag = None,
    as_json: Annotated[bool, typer.Option("--json", help="Log as JSON lines.")] = False,
) -> None:
    """Carry the streams that the control plane names.

    Goes on without a network for as long as it takes, and begins with what
    was last in force. Ctrl-C or SIGTERM end it cleanly.

    [bold]Examples[/bold]

      veilcast agent

      veilcast agent status --json
    """
    if context.invoked_subcommand is not None:
        context.obj = home
        return
    from edge_agent.fleet.details import read_details
    from edge_agent.fleet.home import home_at
    from edge_agent.upload.forwarder import Forwarder

    configure_logs("json" if as_json else "human")
    place = home_at(home)
    read_details(place)
    with place.locked(), closing(Forwarder(place)) as forwarder:
        daemon = _build(place, forwarder)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: daemon.stop(signal.Signals(number).name))
        daemon.run()


@agent.command()
def status(
    context: typer.Context,
    home: HomeFlag = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what this device has stored: who it is, what is in force, what waits."""
    from edge_agent.fleet.home import home_at

    found = _standing(home_at(home or context.obj))
    if as_json:
        typer.echo(json.dumps(found))
        return
    console = Console()
    running = "running" if found["running"] else "not running"
    console.print(f"{found['fleet']}/{found['agent']}: {running}", highlight=False)
    console.print(f"document {found['applied']} in force", highlight=False)
    for stream in found["streams"]:
        words = ["on" if stream["on"] else "off"]
        words += ["veiled"] if stream["veiled"] else []
        words += [f"waiting for consent: {', '.join(stream['held_back'])}"] * bool(
            stream["held_back"]
        )
        console.print(f"  {stream['id']}: {'; '.join(words)}", highlight=False, markup=False)


def _build(home: Home, forwarder: Forwarder) -> Agent:
    """The composition root of a device."""
    from edge_agent.detect.card import find_model
    from edge_agent.fleet.agent import Agent
    from edge_agent.fleet.models.transfer import ModelSource
    from edge_agent.fleet.models.updates import ModelUpdates
    from edge_agent.worker.supervisor import Supervisor
    from fleet_contract.telemetry import Spool

    def make_models(agent: Agent) -> ModelUpdates:
        details = agent.details
        source = ModelSource(
            details.metadata_url, details.targets_url, home.root, home.ca, details.insecure
        )
        return ModelUpdates(
            home.models,
            source,
            built_in=find_model(agent.device.protect.model),
            host=agent.host,
            on_change=agent.changed,
        )

    def waiting() -> Spool:
        return Spool.model_validate(asdict(forwarder.stats()))

    return Agent(home, Supervisor, make_models, waiting)


def _standing(home: Home) -> dict[str, Any]:
    from edge_agent.fleet.clock import SteadyClock
    from edge_agent.fleet.details import read_details
    from edge_agent.fleet.in_force import desired_address, read
    from edge_agent.fleet.protection import waiting
    from edge_agent.fleet.store import Store

    details = read_details(home)
    store = Store(home.state)
    stored = store.desired()
    address = desired_address(details.fleet, details.agent)
    desired = read(address, stored[0]).desired if stored else None
    known = store.streams()
    streams = []
    for wanted in desired.streams if desired else ():
        stream, wish = known[wanted.id], desired.protection_of(wanted) if desired else None
        streams.append(
            {
                "id": wanted.id,
                "on": bool(stream.running),
                "veiled": stream.veiled,
                "held_back": [each.path for each in waiting(stream.base, wish)] if wish else [],
            }
        )
    consents = store.consents(SteadyClock(store.highest_time()).now_ms())
    store.close()
    return {
        "fleet": details.fleet,
        "agent": details.agent,
        "control": details.control,
        "running": home.in_use(),
        "applied": desired.version if desired else 0,
        "streams": streams,
        "consents": [
            {"stream": each.stream, "field": each.path, "expires_at": each.expires_at}
            for each in consents
        ],
    }
