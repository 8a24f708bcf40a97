"""Devices' certificates by AWS IoT Core: each belongs to a thing, and through it to one agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from cloud_control.adapters.aws.calls import code_of, explained
from cloud_control.errors import CertificateError
from cloud_control.pki import device_name, requested_key

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

SERVICE = "IoT Core"
GONE, THERE = "ResourceNotFoundException", "ResourceAlreadyExistsException"


class IotCertifier:
    """See `Certifier`. policy: the policy of all devices, which speaks of the thing's attributes.
    Raises CloudError besides."""

    def __init__(self, client: IoTClient, policy: str) -> None:
        self._client, self._policy = client, policy

    def certify(self, csr_pem: str, fleet: str, agent: str) -> str:
        device_name(fleet, agent)
        requested_key(csr_pem)
        thing = thing_name(fleet, agent)
        with explained(SERVICE):
            made = self._client.create_certificate_from_csr(
                certificateSigningRequest=csr_pem, setAsActive=False
            )
            # In this order, so that a certificate is good for nothing before it is somebody's.
            self._make_thing(thing, fleet, agent)
            self._client.attach_thing_principal(
                thingName=thing,
                principal=made["certificateArn"],
                thingPrincipalType="EXCLUSIVE_THING",  # whatever client id it uses
            )
            self._client.attach_policy(policyName=self._policy, target=made["certificateArn"])
            self._client.update_certificate(certificateId=made["certificateId"], newStatus="ACTIVE")
        return made["certificatePem"]

    def _make_thing(self, thing: str, fleet: str, agent: str) -> None:
        told = {"fleet": fleet, "agent": agent}
        try:
            self._client.create_thing(thingName=thing, attributePayload={"attributes": told})
        except ClientError as problem:
            if code_of(problem) != THERE:  # of a device that was provisioned: it has a type besides
                raise

    def revoke(self, pem: str) -> None:
        """A connection that uses it is closed by IoT Core within minutes; what it may do ends with
        its policy at once."""
        try:
            found = x509.load_pem_x509_certificate(pem.encode())
        except ValueError:
            raise CertificateError("The certificate to revoke cannot be read.") from None
        number = found.fingerprint(hashes.SHA256()).hex()
        with explained(SERVICE):
            try:
                arn = self._client.describe_certificate(certificateId=number)[
                    "certificateDescription"
                ]["certificateArn"]
                self._client.update_certificate(certificateId=number, newStatus="REVOKED")
            except ClientError as problem:
                if code_of(problem) == GONE:
                    return  # somebody removed it: it is refused already
                raise
            for policy in self._client.list_attached_policies(target=arn)["policies"]:
                self._client.detach_policy(policyName=policy["policyName"], target=arn)
            for thing in self._client.list_principal_things(principal=arn)["things"]:
                self._client.detach_thing_principal(thingName=thing, principal=arn)


def thing_name(fleet: str, agent: str) -> str:
    return f"{fleet}:{agent}"
