"""Who may publish to the ingest: who holds the publish key of a stream, as long as it is good."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable

from cloud_control.domain.fleet import Stream, agent_key
from cloud_control.ingest.port import APP, Asked, Granted, Refused
from cloud_control.service.documents import Documents
from cloud_control.service.streams import Streams

NO_APP = Refused("there is only the application live")
WRONG_KEY = Refused("wrong stream key")


class Admission:
    """Remembers by which key a stream was let in, so that a key that is withdrawn hangs up too."""

    def __init__(self, fleet: str, streams: Streams, documents: Documents) -> None:
        self._fleet, self._streams, self._documents = fleet, streams, documents
        self._granted: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def may_publish(self, asked: Asked) -> Granted | Refused:
        """See `MayPublish` of the ingest."""
        if asked.app != APP:
            return NO_APP
        stream = self._streams.holder_of(asked.key) if asked.key.isascii() else None
        if stream is None or not self._carried(stream):
            return WRONG_KEY
        with self._lock:
            self._granted[stream.id] = _digest(stream)
        return Granted(stream.id)

    def voucher(self, stream: str) -> str | None:
        """A text that changes with the key of a stream; None where nobody may publish it."""
        held = self._documents.streams.get(f"{self._fleet}/{stream}")
        if held is None or not self._carried(held.value):
            return None
        return _digest(held.value).hex()

    def withdrawn(self, publishing: Iterable[str]) -> list[str]:
        """Those of the streams that publish by a key that is void by now: their stream was removed,
        its key changed, or its agent was shut out."""
        with self._lock:
            granted = dict(self._granted)
        return [name for name in publishing if not self._good(name, granted.get(name))]

    def _good(self, stream: str, digest: bytes | None) -> bool:
        held = self._documents.streams.get(f"{self._fleet}/{stream}")
        if held is None or not self._carried(held.value):
            return False
        return digest in (None, _digest(held.value))

    def _carried(self, stream: Stream) -> bool:
        agent = self._documents.agents.get(agent_key(stream.fleet, stream.agent))
        return stream.fleet == self._fleet and agent is not None and not agent.value.revoked


def _digest(stream: Stream) -> bytes:
    return hashlib.sha256(stream.publish_key.encode()).digest()
