"""What any broker that the control plane runs itself can do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

MAX_TOPIC_AND_HEADER = 512  # bytes of a packet beside its payload
FIRST_PACKET_SECONDS = 10.0
MAX_WAITING_BYTES = 64 * 1024 * 1024  # for one client that does not read


@dataclass(frozen=True, slots=True)
class BrokerFiles:
    """Where a broker finds who it is, whom it trusts and whom no longer."""

    authority: Path
    revoked: Path
    certificate: Path
    key: Path


class Broker(Protocol):
    """Serves MQTT 3.1.1 over TLS to clients with certificates of one authority, and nobody else.

    A client's name, and so its client id and grants, is its certificate's common name.
    """

    def start(self) -> None:
        """Begin to serve; raises BrokerError when it cannot, such as for a port that is taken."""

    def stop(self) -> None:
        """End all connections and free the port."""

    def reload(self) -> None:
        """Read the list of revoked certificates anew, for connections from now on."""
