"""`veilcast control`: make a control plane on this machine, and run it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from cloud_control.commands.failures import told

control = typer.Typer(no_args_is_help=True, help="Run the control plane on this machine.")

Data = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="The control plane's data folder.")
]


@control.command("init")
def init(
    data: Data = Path("veilcast-data"),
    fleet: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the fleet: a-z, 0-9, _ and -.")
    ] = "main",
    host: Annotated[
        str,
        typer.Option(metavar="NAME", help="Name or address by which devices reach this machine."),
    ] = "localhost",
    empty: Annotated[
        bool, typer.Option("--empty", help="Without a token: for `veilcast control import`.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Make the authority, the database, the model repository, and the first administrator's token.

    The token is shown here and never again.
    """
    from cloud_control.serve import initialise

    with told():
        token = initialise(data, fleet, host, empty=empty)
    if as_json:
        authority = str(data / "ca" / "ca.crt")
        typer.echo(json.dumps({"fleet": fleet, "token": token, "authority": authority}))
        return
    typer.echo(f"The control plane of fleet {fleet} is in {data}.")
    if token is not None:
        typer.echo(f"First administrator's token, shown only now: {token}")
    typer.echo(f"Devices trust {data / 'ca' / 'ca.crt'}: they need it to enrol.")
    typer.echo(
        f"Move {data / 'keys' / 'root'} to a medium that you take away: it signs for every device."
    )
    typer.echo(f"Next: veilcast control serve --data {data}")


@control.command("serve")
def serve(
    data: Data = Path("veilcast-data"),
    broker: Annotated[
        str, typer.Option(metavar="mosquitto | embedded | mqtts://HOST:PORT")
    ] = "mosquitto",
    bind: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "0.0.0.0",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the API.")] = 8443,
    broker_port: Annotated[int, typer.Option(min=1, max=65535, help="Of MQTT over TLS.")] = 8883,
    tls: Annotated[
        bool, typer.Option(help="Serve the API by HTTPS; --no-tls for a proxy in front.")
    ] = True,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="By which devices reach the API, if it is not the name given to init and --port.",
        ),
    ] = None,
    ingest: Annotated[
        str,
        typer.Option(
            metavar="embedded | nginx | none", help="Takes protected streams, for web players."
        ),
    ] = "none",
    ingest_port: Annotated[int, typer.Option(min=1, max=65535, help="Of RTMP.")] = 1935,
    record: Annotated[
        bool, typer.Option("--record", help="Keep what is published, in ingest/recordings.")
    ] = False,
    original_app: Annotated[
        str | None,
        typer.Option(
            metavar="AGENT",
            help="Serve the original app's HTTP contract to whoever reaches it; AGENT, on this "
            "machine, protects what phones push. See docs/original-app.md.",
        ),
    ] = None,
    original_app_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Of that contract, plain HTTP.")
    ] = 5000,
    json_logs: Annotated[bool, typer.Option("--json", help="Log as JSON lines.")] = False,
) -> None:
    """Run API, web pages, broker and ingest until Ctrl-C or SIGTERM."""
    from cloud_control.serve import Wanted, run

    _configure_logs(as_json=json_logs)
    with told():
        run(
            Wanted(
                data, broker, bind, port, broker_port, tls, url, ingest, ingest_port, original_app,
                original_app_port, record,
            )
        )  # fmt: skip


def _configure_logs(*, as_json: bool) -> None:
    """To standard error, without colours where nobody looks and without values of variables."""
    import structlog

    colours = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=as_json),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer()
            if as_json
            else structlog.dev.ConsoleRenderer(colors=colours),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
