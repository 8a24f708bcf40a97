"""`veilcast consent`: what the owner allows the control plane to loosen on this device."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from edge_agent.commands.enroll import HomeFlag
from edge_agent.errors import FleetError, SettingsError

if TYPE_CHECKING:
    from edge_agent.fleet.details import Details
    from edge_agent.fleet.store import Store
    from fleet_contract.protection import Protection
    from fleet_contract.ratchet import Change

MAX_MINUTES = 24 * 60

consent = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Allow, for a while, what the control plane asks to loosen. Works only on the device.",
)

Stream = Annotated[str, typer.Argument(metavar="STREAM", help="Id of the stream.")]
Field = Annotated[
    str,
    typer.Argument(
        metavar="FIELD",
        help="What may be loosened, such as mosaic or classes.id_card.hide; or unveil.",
    ),
]


@consent.command()
def give(
    stream: Stream,
    field: Field,
    minutes: Annotated[
        int, typer.Option(min=1, max=MAX_MINUTES, help="How long it lasts, a day at most.")
    ],
    home: HomeFlag = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
) -> None:
    """Allow one loosening that waits ('veilcast consent list' shows them).

    It covers what is asked for now, no more, and viewers see in the
    stream's public state that it is in force.

    [bold]Example[/bold]

      veilcast consent give cam-1 classes.license_plate.hide --minutes 30
    """
    from edge_agent.fleet.clock import SteadyClock
    from edge_agent.fleet.protection import UNVEIL, Consent

    details, store = _opened(home)
    now_ms = SteadyClock(store.highest_time()).now_ms()
    asked = None
    if field == UNVEIL:
        if stream not in store.streams():
            raise FleetError(f"no stream {stream!r} is known here")
        words = "the control plane may end a veil"
    else:
        asked, change = _waiting(details, store, stream, field)
        words = f"{field}: {_plain(change.before)} -> {_plain(change.after)}"
    expires_at = now_ms + minutes * 60_000
    if not yes:
        if not sys.stdin.isatty():
            raise FleetError("consent is given by a person at a terminal, or with --yes")
        typer.confirm(f"{stream}: {words}, until {_time(expires_at)}. Allow this?", abort=True)
    store.give(Consent(stream, field, asked, expires_at))
    store.close()
    typer.echo(f"allowed for {stream} until {_time(expires_at)}: {words}")


@consent.command("list")
def show(
    home: HomeFlag = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what waits for consent, and which consents are in force."""
    from edge_agent.fleet.clock import SteadyClock

    details, store = _opened(home)
    given = store.consents(SteadyClock(store.highest_time()).now_ms())
    found = [
        {"stream": stream, "field": change.path, "now": change.before, "asked": change.after}
        for stream, (_, changes) in _asked(details, store).items()
        for change in changes
    ]
    store.close()
    consents = [
        {"stream": each.stream, "field": each.path, "expires_at": each.expires_at} for each in given
    ]
    if as_json:
        typer.echo(json.dumps({"waiting": found, "given": consents}))
        return
    until = {(each.stream, each.path): _time(each.expires_at) for each in given}
    table = Table("stream", "field", "in force without consent", "asked for", "allowed until")
    for row in found:
        place = str(row["stream"]), str(row["field"])
        table.add_row(*place, _plain(row["now"]), _plain(row["asked"]), until.pop(place, "-"))
    for (stream, path), end in until.items():
        table.add_row(stream, path, "", "", end)
    Console().print(table)


@consent.command()
def revoke(stream: Stream, field: Field, home: HomeFlag = None) -> None:
    """Take a consent back; the running agent follows at once."""
    _, store = _opened(home)
    found = store.revoke(stream, field)
    store.close()
    if not found:
        raise FleetError(f"no consent to {field!r} of {stream!r}; see 'veilcast consent list'")
    typer.echo(f"{stream}: {field} is protected again")


def _opened(home: HomeFlag) -> tuple[Details, Store]:
    """The device's name and its own state. Raises FleetError where no device is enrolled."""
    from edge_agent.fleet.details import read_details
    from edge_agent.fleet.home import home_at
    from edge_agent.fleet.store import Store

    place = home_at(home)
    details = read_details(place)
    if not place.state.is_file():
        raise FleetError(f"no agent has run in {place.folder} yet; start 'veilcast agent' first")
    return details, Store(place.state)


def _asked(details: Details, store: Store) -> dict[str, tuple[Protection, tuple[Change, ...]]]:
    """For each listed stream, what is wanted and what of it waits for consent."""
    from edge_agent.fleet.in_force import desired_address, read
    from edge_agent.fleet.protection import waiting

    stored = store.desired()
    if stored is None:
        return {}
    desired = read(desired_address(details.fleet, details.agent), stored[0]).desired
    known = store.streams()
    return {
        stream.id: (
            desired.protection_of(stream),
            waiting(known[stream.id].base, desired.protection_of(stream)),
        )
        for stream in desired.streams
    }


def _waiting(details: Details, store: Store, stream: str, field: str) -> tuple[Protection, Change]:
    asked = _asked(details, store)
    if stream not in asked:
        raise FleetError(f"no stream {stream!r} runs here; known: {', '.join(asked) or 'none'}")
    wanted, changes = asked[stream]
    for change in changes:
        if change.path == field:
            return wanted, change
    waits = ", ".join(change.path for change in changes) or "nothing"
    raise SettingsError(f"{stream}: nothing asks to loosen {field!r}; waiting: {waits}")


def _plain(value: object) -> str:
    if value is None:
        return "the model's own"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{len(value)} polygons" if isinstance(value, tuple) else str(value)


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
