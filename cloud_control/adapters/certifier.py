"""Certificates of devices by this machine's authority, known to its broker at once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from cloud_control.pki import Authority, name_of


class LocalCertifier:
    """`revoked` tells the broker; `evict` puts a client of a name off it, and may take seconds."""

    def __init__(
        self, authority: Authority, revoked: Callable[[], None], evict: Callable[[str], object]
    ) -> None:
        self._authority = authority
        self._revoked, self._evict = revoked, evict
        self._lock = threading.Lock()

    def certify(self, csr_pem: str, fleet: str, agent: str) -> str:
        """A certificate, PEM. Raises CertificateError."""
        return self._authority.certify(csr_pem, fleet, agent)

    def revoke(self, pem: str) -> None:
        """From now on the broker refuses it. A client that is connected under its name has to
        connect again, by a certificate that is not revoked. Raises CertificateError."""
        with self._lock:
            self._authority.revoke(pem)
        self._revoked()
        threading.Thread(target=self._evict, args=(name_of(pem),), daemon=True).start()
