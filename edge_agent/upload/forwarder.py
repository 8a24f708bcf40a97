"""The part of an agent that uploads its spools, in a thread of its own, and counts what waits."""

from __future__ import annotations

import threading
from contextlib import suppress

from edge_agent.errors import SpoolError
from edge_agent.fleet.device_settings import read_device_settings
from edge_agent.fleet.home import Home
from edge_agent.spool.stats import SpoolStats, spool_stats
from edge_agent.spool.store import folders_in
from edge_agent.upload.enrolled import enrolled_uploader

GOODBYE_S = 5.0


class Forwarder:
    """Begins at once. Raises FleetError when the device is not enrolled.

    An upload under way when it is closed goes on the next time.
    """

    def __init__(self, home: Home) -> None:
        limit = read_device_settings(home.settings).upload.limit
        self._home = home
        self._uploader = enrolled_uploader(home, bits_per_second=limit)
        self._counted = SpoolStats()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._uploader.run, args=(self._stop,), name="uploads", daemon=True
        )
        self._thread.start()

    def stats(self) -> SpoolStats:
        """What waits now; the last known figures while they cannot be read."""
        with suppress(SpoolError):
            self._counted = spool_stats(folders_in(self._home.spool))
        return self._counted

    def close(self) -> None:
        """Stop soon; what is not acknowledged stays."""
        self._stop.set()
        self._thread.join(GOODBYE_S)
