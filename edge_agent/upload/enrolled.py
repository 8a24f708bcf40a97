"""The uploader of an enrolled device: its control plane says where everything goes."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

from edge_agent.errors import FleetError
from edge_agent.fleet.control_plane import device_token
from edge_agent.fleet.details import read_details
from edge_agent.fleet.home import Home
from edge_agent.spool.store import folders_in
from edge_agent.upload.desk import ControlDesk
from edge_agent.upload.uploader import Uploader


def enrolled_uploader(
    home: Home,
    *,
    folders: Callable[[], Sequence[Path]] | None = None,
    bits_per_second: int | None = None,
    key_file: Path | None = None,
) -> Uploader:
    """Uploads the folders, by default all spools in the device's home, as this device.

    The device's key is read for each request: it may be rotated meanwhile. Raises FleetError when
    the device is not enrolled.
    """
    details = read_details(home)
    tls = ssl.create_default_context()
    if home.ca.exists():
        tls.load_verify_locations(home.ca)

    def authorize() -> str:
        try:
            key = home.key.read_bytes()
        except OSError:
            raise FleetError(f"{home.key} cannot be read; enroll the device anew") from None
        return f"Bearer {device_token(details, key)}"

    return Uploader(
        folders or (lambda: folders_in(home.spool)),
        ControlDesk(details.control, authorize),
        bits_per_second=bits_per_second,
        key_file=key_file,
        tls=tls,
    )
