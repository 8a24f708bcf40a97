"""Ending the connection of a client whose certificate no longer counts.

Brokers look at the list of revoked certificates when a client connects, not later. A second
connection of the same name ends the first, so a stand-in connects, and leaves again.
"""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from cloud_control.pki import Authority

LOOP_SECONDS = 1.0
LOOPS = 10

log = structlog.get_logger()


def evict(authority: Authority, name: str, host: str, port: int) -> bool:
    """Put a client off the broker; its will is published. It may come back with another
    certificate. Returns whether the broker took the stand-in."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv311)
    client.tls_set_context(_context(authority, name))
    try:
        client.connect(host, port)
        for _ in range(LOOPS):
            status = client.loop(LOOP_SECONDS)
            if client.is_connected() or status != MQTTErrorCode.MQTT_ERR_SUCCESS:
                break
        taken = client.is_connected()
        client.disconnect()
    except OSError as problem:
        log.warning("a client could not be put off the broker", client=name, problem=str(problem))
        return False
    return taken


def _context(authority: Authority, name: str) -> ssl.SSLContext:
    certificate, key = authority.stand_in(name)
    context = ssl.create_default_context(cafile=str(authority.certificate_file))
    with tempfile.TemporaryDirectory() as folder:
        identity = Path(folder) / "stand-in.pem"
        identity.touch(0o600)
        identity.write_bytes(certificate + key)
        context.load_cert_chain(identity)
    return context
