"""`veilcast enroll`: make this device a member of a fleet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from edge_agent.errors import FleetError

MAX_TOKEN = 4096

HomeFlag = Annotated[
    Path | None,
    typer.Option(
        "--home", envvar="VEILCAST_HOME", metavar="FOLDER",
        help="The device's identity and state. Default: ~/.local/share/veilcast/agent",
    ),
]  # fmt: skip


def enroll(
    control: Annotated[
        str, typer.Option(metavar="URL", help="Address of the control plane, https://HOST:PORT.")
    ],
    token: Annotated[
        str | None,
        typer.Option(
            envvar="VEILCAST_CLAIM",
            show_envvar=True,
            metavar="TOKEN",
            show_default=False,
            help="One-time claim token. Better than here, where others on this computer can see "
            "it: in the environment, in --token-file, or typed in when asked.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File that holds the token; - is stdin.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="ID", help="Id that the device would like to have.")
    ] = None,
    home: HomeFlag = None,
    ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Authority to trust for --control, if it is your own."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow plain http:// to another machine.")
    ] = False,
) -> None:
    """Join a fleet with a one-time claim token.

    The device makes its own key, which never leaves it, and gets a
    certificate for it. Then start the agent with 'veilcast agent'.

    [bold]Example[/bold]

      veilcast enroll --control https://fleet.example --token-file claim.txt
    """
    from edge_agent.fleet.control_plane import ControlPlane, checked_url
    from edge_agent.fleet.enrolment import enrol
    from edge_agent.fleet.home import home_at

    url = checked_url(control, insecure=insecure)
    place = home_at(home)
    plane = ControlPlane(url, ca=ca, insecure=insecure)
    details = enrol(place, plane, url, _token(token, token_file), name, insecure=insecure)
    typer.echo(f"enrolled as {details.subject} in {place.folder}")


def _token(given: str | None, file: Path | None) -> str:
    if given is None and file is None:
        if not sys.stdin.isatty():
            raise FleetError("give the claim token by --token-file or VEILCAST_CLAIM")
        given = typer.prompt("claim token", hide_input=True)
    if given is None and file is not None:
        try:
            given = sys.stdin.read(MAX_TOKEN) if str(file) == "-" else file.read_text()[:MAX_TOKEN]
        except (OSError, UnicodeDecodeError):
            raise FleetError(f"cannot read {file}") from None
    token = (given or "").strip()
    if not token:
        raise FleetError("the claim token is empty")
    return token
