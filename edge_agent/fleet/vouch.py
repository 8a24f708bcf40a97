"""Says, signed with the device's key, by which certificate a browser knows the agent."""

from __future__ import annotations

import jwt

from edge_agent.fleet.details import Details
from edge_agent.fleet.home import Home
from edge_agent.fleet.identity import private_key

AUDIENCE = "veilcast-camera"


class Vouchers:
    """One for each stream that waits for a camera, made anew when certificate or key change.

    A worker's certificate lives as long as its process, and WebRTC proves that it has the key: so
    a voucher needs no end of its own.
    """

    def __init__(self, home: Home, details: Details) -> None:
        self._home, self._details = home, details
        self._made: dict[str, tuple[str, bytes, str]] = {}

    def of(self, stream: str, fingerprint: str) -> str | None:
        """fingerprint: SHA-256 of the certificate, hexadecimal; empty: none, and no voucher.
        Raises FleetError when the device's key is gone."""
        if not fingerprint:
            return None
        key = private_key(self._home.key)
        made = self._made.get(stream)
        if made is None or made[:2] != (fingerprint, key):
            claims = {
                "aud": AUDIENCE, "sub": self._details.subject, "stream": stream,
                "sha256": fingerprint,
            }  # fmt: skip
            made = self._made[stream] = (fingerprint, key, jwt.encode(claims, key, "ES256"))
        return made[2]
