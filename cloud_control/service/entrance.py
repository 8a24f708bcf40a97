"""The entrance of the control plane's own ingest: one address, and a key for each stream."""

from __future__ import annotations

import secrets

from pydantic import SecretStr

from cloud_control.errors import RequestError
from fleet_contract.endpoint import Endpoint


class OwnIngest:
    """See `Entrance`. url: the address without a key; None: nothing takes streams here. Who may
    enter is asked of the stored keys, so there is nothing to close."""

    def __init__(self, url: str | None) -> None:
        self._url = url

    def open(self, stream: str) -> Endpoint:
        if self._url is None:
            raise RequestError("name at least one sink: this control plane has no ingest")
        return Endpoint(url=self._url, key=SecretStr(self.renew(stream)))

    def renew(self, stream: str) -> str:  # noqa: ARG002
        return secrets.token_urlsafe(16)

    def close(self, stream: str) -> None: ...
