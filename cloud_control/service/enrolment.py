"""How devices join, prove who they are, change their key and are shut out."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloud_control.domain.access import Claim, digest_of, new_secret
from cloud_control.domain.fleet import Agent, Certificate, Labels, agent_key
from cloud_control.errors import ConflictError, NotFoundError, TakenError, UnauthorizedError
from cloud_control.pki import certified_key
from cloud_control.ports import Certifier, Clock, Store
from cloud_control.service.audit import Audit
from cloud_control.service.documents import Documents
from cloud_control.service.live import Live
from cloud_control.service.records import Held, Shelf, retried
from cloud_control.service.spent import Spent

AUDIENCE = "veilcast-control"
GRACE_MS = 24 * 3600 * 1000  # an old certificate's life after a new one was issued
LONGEST_TOKEN_S = 60
CLAIM_LIFE_S = 24 * 3600
REFUSED = "the claim token is wrong, used up or expired; ask an operator for a new one"


@dataclass(frozen=True, slots=True)
class Device:
    """Who a request comes from, as proved by its signature."""

    fleet: str
    agent: str


class Enrolment:
    """Claims, certificates and devices' signatures."""

    def __init__(
        self,
        store: Store,
        documents: Documents,
        certifier: Certifier,
        audit: Audit,
        live: Live,
        clock: Clock,
        spent: Spent,
    ) -> None:
        self._store, self._documents, self._certifier = store, documents, certifier
        self._audit, self._live, self._clock = audit, live, clock
        self._claims = Shelf(store, "claim", Claim)
        self._spent = spent

    def claim(
        self,
        who: str,
        fleet: str,
        agent: str | None = None,
        labels: Labels | None = None,
        seconds: int = CLAIM_LIFE_S,
    ) -> tuple[Claim, str]:
        """A new claim and its token, which is not kept."""
        token = new_secret("vcc")
        now_ms = self._clock()
        claim = Claim(
            id=secrets.token_hex(8), fleet=fleet, digest=digest_of(token), agent=agent,
            labels=labels or {}, created_at=now_ms, expires_at=now_ms + seconds * 1000,
        )  # fmt: skip
        self._store.commit(
            [
                self._claims.put(claim.digest, claim),
                self._audit.entry(who, "claim.create", claim.id, None, claim),
            ]
        )
        return claim, token

    def claims(self) -> list[Claim]:
        return list(self._claims.every())

    def withdraw(self, who: str, claim_id: str) -> None:
        """Make a claim void. Raises NotFoundError."""
        held = next((one for one in self._held_claims() if one.value.id == claim_id), None)
        if held is None:
            raise NotFoundError(f"there is no claim {claim_id}")
        self._store.commit(
            [
                self._claims.delete(held.key, held.revision),
                self._audit.entry(who, "claim.withdraw", claim_id, held.value, None),
            ]
        )

    def enrol(self, token: str, csr_pem: str, wished: str | None) -> Agent:
        """Spend a claim. Raises UnauthorizedError for a bad token, TakenError when the id is
        taken, CertificateError for a bad request. The claim is spent only if all goes well."""
        return self._enrol(
            token, wished, lambda fleet, name: self._certifier.certify(csr_pem, fleet, name)
        )

    def admit(self, token: str, pem: str, wished: str | None) -> Agent:
        """Spend a claim for a device that has its certificate already, from the same authority.
        Raises like `enrol`."""
        certified_key(pem)
        return self._enrol(token, wished, lambda *_: pem)

    def _enrol(self, token: str, wished: str | None, certify: Callable[[str, str], str]) -> Agent:
        held = self._claims.get(digest_of(token))
        now_ms = self._clock()
        if held is None or held.value.used_by or held.value.expires_at <= now_ms:
            raise UnauthorizedError(REFUSED)
        claim = held.value
        name = claim.agent or wished or f"agent-{secrets.token_hex(4)}"
        if claim.agent and wished not in (None, claim.agent):
            raise TakenError(f"this claim is for the agent {claim.agent}")
        former = self._documents.agents.get(agent_key(claim.fleet, name))
        if former is not None and not (former.value.revoked or claim.agent == name):
            raise TakenError(f"there is an agent {name} already; wish for another name")
        certificate = Certificate(pem=certify(claim.fleet, name), added_at=now_ms)
        agent = _joined(former, claim, name, certificate, now_ms)
        try:
            self._store.commit(
                [
                    self._claims.put(
                        held.key, claim.model_copy(update={"used_by": name}), held.revision
                    ),
                    self._documents.agents.put(agent.key, agent, former.revision if former else 0),
                    self._audit.entry(f"agent {agent.key}", "agent.enrol", agent.key, None, agent),
                ]
            )
        except ConflictError:
            self._certifier.revoke(certificate.pem)
            raise UnauthorizedError(REFUSED) from None
        for old in former.value.certificates if former else ():
            self._certifier.revoke(old.pem)
        self._documents.publish(agent.fleet, agent.id)
        return agent

    def keys(self, fleet: str, agent: str) -> list[str]:
        """The public keys (SPKI, base64) that a device may sign with now. Raises NotFoundError."""
        held = self._documents.agents.need(agent_key(fleet, agent))
        return [
            b64encode(
                x509.load_pem_x509_certificate(one.pem.encode())
                .public_key()
                .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            ).decode()
            for one in held.value.certificates
            if not one.retires_at or one.retires_at > self._clock()
        ]

    def device(self, token: str) -> Device:
        """Who signed a device's token. Raises UnauthorizedError."""
        try:
            subject = jwt.decode(token, options={"verify_signature": False}).get("sub", "")
            fleet, _, name = str(subject).partition("/")
            held = self._documents.agents.get(agent_key(fleet, name))
            if held is None or held.value.revoked:
                raise UnauthorizedError("this device is not enrolled")
            self._verify(token, held.value)
        except jwt.PyJWTError as problem:
            raise UnauthorizedError(f"the device's token is no good: {problem}") from None
        return Device(fleet, name)

    def recertify(self, device: Device, csr_pem: str) -> str:
        """A certificate for a new key. The old ones end when it has connected, or in a day."""

        def work() -> str:
            held = self._documents.agents.need(agent_key(device.fleet, device.agent))
            now_ms = self._clock()
            pem = self._certifier.certify(csr_pem, device.fleet, device.agent)
            old = tuple(
                one if one.retires_at else one.model_copy(update={"retires_at": now_ms + GRACE_MS})
                for one in held.value.certificates
            )
            certificates = (*old, Certificate(pem=pem, added_at=now_ms))
            agent = held.value.model_copy(update={"certificates": certificates})
            self._store.commit(
                [
                    self._documents.agents.put(agent.key, agent, held.revision),
                    self._audit.entry(f"agent {agent.key}", "agent.rotate-key", agent.key),
                ]
            )
            return pem

        return retried(work)

    def retire(self) -> None:
        """Revoke certificates whose time is over; to be called on a tick."""
        now_ms = self._clock()
        for agent in list(self._documents.agents.every()):
            if any(one.retires_at and one.retires_at <= now_ms for one in agent.certificates):
                retried(lambda key=agent.key: self._retire(key, now_ms))  # type: ignore[misc]

    def revoke(self, who: str, fleet: str, agent: str) -> None:
        """Shut a device out at once. Raises NotFoundError."""

        # At the broker first: a crash in between leaves a device that has to be revoked again, not
        # one that seems shut out and is not.
        held = self._documents.agents.need(agent_key(fleet, agent))
        for certificate in held.value.certificates:
            self._certifier.revoke(certificate.pem)

        def work() -> Agent:
            held = self._documents.agents.need(agent_key(fleet, agent))
            shut = held.value.model_copy(update={"revoked": True})
            self._store.commit(
                [
                    self._documents.agents.put(shut.key, shut, held.revision),
                    self._audit.entry(who, "agent.revoke", shut.key, held.value, shut),
                ]
            )
            return shut

        for certificate in retried(work).certificates:
            if certificate not in held.value.certificates:  # given out in the meantime
                self._certifier.revoke(certificate.pem)
        self._live.forget(fleet, agent)

    def _retire(self, key: str, now_ms: int) -> None:
        held = self._documents.agents.need(key)
        over = [one for one in held.value.certificates if (one.retires_at or now_ms + 1) <= now_ms]
        kept = tuple(one for one in held.value.certificates if one not in over)
        for one in over:
            self._certifier.revoke(one.pem)
        agent = held.value.model_copy(update={"certificates": kept})
        self._store.commit([self._documents.agents.put(key, agent, held.revision)])

    def _verify(self, token: str, agent: Agent) -> None:
        """Raises jwt.PyJWTError or UnauthorizedError."""
        now_ms = self._clock()
        problem: jwt.PyJWTError = jwt.InvalidSignatureError("no certificate is in force")
        for certificate in agent.certificates:
            if certificate.retires_at and certificate.retires_at <= now_ms:
                continue
            key = x509.load_pem_x509_certificate(certificate.pem.encode()).public_key()
            try:
                claims = jwt.decode(
                    token, key, algorithms=["ES256"], audience=AUDIENCE, leeway=30,  # type: ignore[arg-type]
                    options={"require": ["sub", "aud", "iat", "exp", "jti"]},
                )  # fmt: skip
            except jwt.PyJWTError as found:
                problem = found
                continue
            if claims["exp"] - claims["iat"] > LONGEST_TOKEN_S:
                raise UnauthorizedError("a device's token lives for a minute at most")
            if not self._spent.spend(str(claims["jti"]), int(claims["exp"]) * 1000 + 60_000):
                raise UnauthorizedError("this device's token was used before")
            return
        raise problem

    def _held_claims(self) -> list[Held[Claim]]:
        return self._claims.page(limit=10_000)


def _joined(
    former: Held[Agent] | None, claim: Claim, name: str, certificate: Certificate, now_ms: int
) -> Agent:
    """A new agent, or one that joins anew under its old name: what it was told to be stays."""
    if former is None:
        return Agent(
            fleet=claim.fleet, id=name, labels=claim.labels, enrolled_at=now_ms,
            certificates=(certificate,),
        )  # fmt: skip
    return former.value.model_copy(
        update={
            "certificates": (certificate,),
            "revoked": False,
            "enrolled_at": now_ms,
            "labels": {**former.value.labels, **claim.labels},
            "changes": former.value.changes + 1,
        }
    )
