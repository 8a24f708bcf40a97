"""How a device joins a fleet: a key made here, a claim token spent once, an identity kept."""

from __future__ import annotations

import json

from edge_agent.errors import FleetError
from edge_agent.fleet.control_plane import ControlPlane
from edge_agent.fleet.details import Details
from edge_agent.fleet.home import Home, write_private
from edge_agent.fleet.identity import Identity, make_key


def enrol(
    home: Home,
    control: ControlPlane,
    url: str,
    token: str,
    wished: str | None,
    *,
    insecure: bool = False,
) -> Details:
    """Enrol the device of `home`. Raises FleetError; then the home counts as not enrolled.

    `wished` is the id that the device would like to have.
    """
    if home.details.exists():
        raise FleetError(f"{home.folder} is already enrolled; name another --home")
    home.create()
    request = make_key(home.next_key, wished or "")
    answer = control.enrol(token, request, wished)
    identity = Identity(home)
    identity.keep(answer.certificate.encode())
    identity.promote()
    write_private(home.ca, answer.ca.encode())
    write_private(home.root, json.dumps(answer.models.root).encode())
    details = Details(
        fleet=answer.fleet,
        agent=answer.agent,
        control=url,
        broker=answer.broker,
        metadata_url=answer.models.metadata_url,
        targets_url=answer.models.targets_url,
        insecure=insecure,
    )
    write_private(home.details, details.model_dump_json(indent=2).encode())
    return details
