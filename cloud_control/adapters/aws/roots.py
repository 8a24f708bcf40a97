"""Amazon's certificate authorities, which IoT Core and API Gateway are known by."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import certifi

NAME = b"Amazon Root CA"  # in their names; others are only looked at, since some are oddly made
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", re.DOTALL)


def amazon_roots() -> str:
    """PEM, one after the other."""
    known = PEM.findall(Path(certifi.where()).read_text())
    return "".join(one for one in known if NAME in ssl.PEM_cert_to_DER_cert(one))
