"""What moto's server lacks of IoT Core: certificates for the key that asked, and a broker."""

from __future__ import annotations

from typing import Any

from cloud_control.adapters.mqtt import MqttBus
from cloud_control.pki import Authority
from fleet_contract.topics import parse_topic
from tests.cloud_control.aws.front import Answer, Call, answer


class Certificates:
    """A rule of a `Front`. iot: moto's own; name: the agent that the next certificate is for, which
    Mosquitto goes by, where IoT Core goes by the thing."""

    def __init__(self, authority: Authority, iot: Any, fleet: str, name: str = "") -> None:
        self._authority, self._iot, self._fleet, self.name = authority, iot, fleet, name

    def __call__(self, call: Call) -> Answer | None:
        if call.method != "POST" or call.path != "/certificates":
            return None
        csr = call.json["certificateSigningRequest"]
        pem = self._authority.certify(csr, self._fleet, self.name)
        status = "ACTIVE" if call.query.get("setAsActive") == "true" else "INACTIVE"
        made = self._iot.register_certificate_without_ca(certificatePem=pem, status=status)
        return answer(
            certificatePem=pem,
            certificateArn=made["certificateArn"],
            certificateId=made["certificateId"],
        )


class Topics:
    """A rule of a `Front`: what is published goes to Mosquitto."""

    def __init__(self, bus: MqttBus) -> None:
        self._bus = bus

    def __call__(self, call: Call) -> Answer | None:
        if call.method != "POST" or not call.path.startswith("/topics/"):
            return None
        address = parse_topic(call.path.removeprefix("/topics/"))
        asked = int(call.query["qos"]), call.query["retain"] == "true"
        assert asked == (address.channel.qos, address.channel.retain)
        self._bus.publish(address, call.body)
        return answer()
