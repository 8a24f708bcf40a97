"""`veilcast fleet stream`: what agents carry."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

import typer

from cloud_control.commands.remote import Remote, remote, row, table
from cloud_control.errors import ApiError

ANSWER_S = 20

streams = typer.Typer(no_args_is_help=True, help="Streams: add, see, start, stop, veil, remove.")

Name = Annotated[str, typer.Argument(metavar="STREAM")]


@streams.command("add")
@remote
def add(
    to: Remote,
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="Who carries it.")],
    source: Annotated[
        str,
        typer.Option(
            metavar="NAME | URL",
            help="A source in the device's settings, or an address (listen:rtmp://... to wait).",
        ),
    ],
    sink: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME | URL",
            help="Likewise, repeat for several. Default: the control plane's own ingest.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Default: a random one.")
    ] = None,
    title: Annotated[str | None, typer.Option()] = None,
    category: Annotated[int | None, typer.Option(metavar="NUMBER")] = None,
    autostart: Annotated[bool, typer.Option(help="Run at once.")] = True,
    lease: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", help="Remove it after so long without a sign of life."),
    ] = None,
) -> None:
    """Have an agent carry a stream."""
    wanted = {
        "agent": agent,
        "source": _endpoint(source),
        "sinks": [_endpoint(one) for one in sink or []],
        "autostart": autostart,
    }
    more = {"id": name, "title": title, "category": category, "lease_seconds": lease}
    wanted |= {field: value for field, value in more.items() if value is not None}
    headers = {"Idempotency-Key": secrets.token_hex(16)}
    made = to.api.ask("POST", "/v1/streams", wanted, headers=headers)
    to.show(made, lambda: f"{agent} carries the stream {made['id']} now.")


@streams.command("list")
@remote
def show_all(
    to: Remote, category: Annotated[int | None, typer.Option(metavar="NUMBER")] = None
) -> None:
    """All streams of the fleet."""
    to.show_all(to.api.pages("/v1/streams", "streams", category=category), _table)


@streams.command("show")
@remote
def show(to: Remote, stream: Name) -> None:
    """One stream."""
    found = to.api.get(f"/v1/streams/{stream}")
    to.show(found, lambda: details(found))


@streams.command("remove")
@remote
def remove(to: Remote, stream: Name) -> None:
    """End a stream and forget it."""
    to.api.ask("DELETE", f"/v1/streams/{stream}")
    to.show({"removed": stream}, lambda: f"{stream} is removed.")


@streams.command("start")
@remote
def start(to: Remote, stream: Name) -> None:
    """Run it, until it is stopped."""
    _order(to, stream, "start")


@streams.command("stop")
@remote
def stop(to: Remote, stream: Name) -> None:
    """End it, until it is started."""
    _order(to, stream, "stop")


@streams.command("veil")
@remote
def veil(to: Remote, stream: Name) -> None:
    """Veil its whole picture at once. To lift it takes consent on the device."""
    _order(to, stream, "veil")


@streams.command("unveil")
@remote
def unveil(to: Remote, stream: Name) -> None:
    """Lift the veil, if the device's owner consented there."""
    _order(to, stream, "unveil")


@streams.command("rotate-key")
@remote
def rotate_key(to: Remote, stream: Name) -> None:
    """Give it a new publish key: prints it, now and never again. The old one is void at once."""
    made = to.api.ask("POST", f"/v1/streams/{stream}/key")
    to.show(made, lambda: made["publish_key"])


def _order(to: Remote, stream: str, name: str) -> None:
    """Raises ApiError when the agent does not do it, or does not answer."""
    agent = to.api.get(f"/v1/streams/{stream}")["agent"]
    ack = command(to, agent, name, {"stream": stream})
    to.show(ack, lambda: f"{stream}: {name} {ack['outcome']}.")


def command(to: Remote, agent: str, name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """What an agent answered to a command. Raises ApiError likewise."""
    path = f"/v1/agents/{agent}/commands/{name}"
    answer = to.api.ask("POST", path, fields, params={"wait": ANSWER_S})
    ack = answer.get("ack")
    if ack is None:
        raise ApiError(f"{agent} did not answer within {ANSWER_S} s; it may be offline")
    if ack["outcome"] in {"failed", "dropped"}:
        raise ApiError(f"{agent}: {name} {ack['outcome']}, {ack.get('reason')}")
    return {"id": answer["id"], "agent": agent, **ack}


def details(found: dict[str, Any]) -> object:
    """Every field of something, nested ones by their dotted names."""
    drawn = table("Field", "Value")
    for name, value in _flat(found):
        row(drawn, name, value)
    return drawn


def _flat(value: Any, name: str = "") -> list[tuple[str, object]]:
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        inner = {str(index): one for index, one in enumerate(value)}.items()
    else:
        return [] if value in (None, [], {}) else [(name, value)]
    return [
        pair for key, one in inner for pair in _flat(one, f"{name}.{key}" if name else str(key))
    ]


def _endpoint(given: str) -> dict[str, str]:
    return {"url" if "://" in given else "ref": given}


def _table(found: list[dict[str, Any]]) -> Any:
    drawn = table("Stream", "Agent", "State", "Run", "Title", "Category")
    for one in found:
        row(drawn, one["id"], one["agent"], one["state"] or "unknown", one["run"],
            one["title"], one["category"])  # fmt: skip
    return drawn
