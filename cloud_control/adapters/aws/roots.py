"""Amazon's certificate authorities, which IoT Core and API Gateway are known by."""

from __future__ import annotations

from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

OWNER = "Amazon"


def amazon_roots() -> str:
    """PEM, one after the other."""
    known = x509.load_pem_x509_certificates(Path(certifi.where()).read_bytes())
    return "".join(
        one.public_bytes(Encoding.PEM).decode()
        for one in known
        if any(
            name.value == OWNER
            for name in one.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        )
    )
