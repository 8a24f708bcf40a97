"""A control plane in memory with a clock that tests set, and devices that enrol with it."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cloud_control.adapters.memory.store import MemoryStore
from cloud_control.api.app import Reach, create_app
from cloud_control.domain.access import Role
from cloud_control.pki import Authority
from cloud_control.plane import assemble
from fleet_contract.codec import encode
from fleet_contract.fields import Message
from fleet_contract.topics import Address, Kind

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it would rather have another client
    warnings.simplefilter("ignore", UserWarning)
    from fastapi.testclient import TestClient

FLEET = "acme"


class RememberingBus:
    """Keeps what was published."""

    def __init__(self) -> None:
        self.connected = True
        self.sent: list[tuple[Address, bytes]] = []

    def publish(self, address: Address, payload: bytes) -> None:
        self.sent.append((address, payload))

    def clear(self, address: Address) -> None:
        self.sent.append((address, b""))

    def subscribe(self, handler: Callable[[Address, bytes], None]) -> None: ...

    def on_connected(self, handler: Callable[[], None]) -> None: ...


class Certifier:
    """The real authority, without a broker."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self.revoked: list[str] = []

    def certify(self, csr_pem: str, fleet: str, agent: str) -> str:
        return self._authority.certify(csr_pem, fleet, agent)

    def revoke(self, pem: str) -> None:
        self.revoked.append(pem)


class StandIn:
    """The whole control plane but for its broker and sockets."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.ahead_s = 0.0
        self._now_s = now_s
        authority = Authority(Path(tempfile.mkdtemp()) / "ca")
        authority.create()
        self.store, self.bus = MemoryStore(), RememberingBus()
        self.certifier = Certifier(authority)
        self.plane = assemble(FLEET, self.store, self.bus, self.certifier, self.now_ms)
        reach = Reach(("localhost", 8883), "authority", dict, None, "https://localhost")
        self.app = create_app(self.plane, reach)
        self.client = TestClient(self.app, raise_server_exceptions=False)
        self.tokens = {role: self.plane.access.make("test", role, role)[1] for role in Role}

    def now_ms(self) -> int:
        return int((self._now_s() + self.ahead_s) * 1000)

    def asks(self, method: str, path: str, role: Role = Role.ADMIN, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[role]}", **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)

    def says(self, agent: str, kind: Kind, message: Message | bytes, name: str = "") -> None:
        payload = message if isinstance(message, bytes) else encode(message)
        self.plane.live.take(Address(kind, FLEET, agent, name), payload)

    def device(self, name: str) -> Device:
        claim = self.asks("POST", "/v1/claims", json={"agent": name}).json()["token"]
        device = Device(name)
        answer = device.enrols(self, claim)
        assert answer.status_code == 201, answer.text
        return device


class Device:
    """Has a key; `request` is its certificate request."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.renew()

    def renew(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        signed = builder.sign(self.key, hashes.SHA256())
        self.request = signed.public_bytes(serialization.Encoding.PEM).decode()

    def enrols(self, place: StandIn, token: str, wished: str | None = None) -> Any:
        body = {"token": token, "csr": self.request, **({"agent": wished} if wished else {})}
        return place.client.post("/v1/enrol", json=body)

    def token(self, place: StandIn, **claims: Any) -> str:
        now = place.now_ms() // 1000
        told = {
            "sub": f"{FLEET}/{self.name}", "aud": "veilcast-control",
            "iat": now, "exp": now + 60, "jti": f"{now}-{id(claims)}", **claims,
        }  # fmt: skip
        return jwt.encode(told, self.key, algorithm="ES256")
