"""The fleet's channels on AWS IoT Core, of which this is the sending half.

What agents say comes to a function by rules of IoT Core, as single invocations: nothing is
subscribed to here. That a connection ended comes by lifecycle events, besides the last will.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cloud_control.adapters.aws.calls import explained
from cloud_control.errors import BrokerError, CloudError
from fleet_contract.topics import Address

if TYPE_CHECKING:
    from mypy_boto3_iot_data import IoTDataPlaneClient

SERVICE = "IoT Core"


class IotBus:
    """See `Bus`; publishes by HTTPS, each message by itself."""

    def __init__(self, client: IoTDataPlaneClient) -> None:
        self._client = client

    @property
    def connected(self) -> bool:
        """There is no connection that could be lost."""
        return True

    def publish(self, address: Address, payload: bytes) -> None:
        channel = address.channel
        try:
            with explained(SERVICE):
                self._client.publish(
                    topic=str(address), payload=payload, qos=channel.qos, retain=channel.retain
                )
        except CloudError as problem:
            raise BrokerError(str(problem)) from problem

    def clear(self, address: Address) -> None:
        self.publish(address, b"")

    def subscribe(self, handler: Callable[[Address, bytes], None]) -> None:
        """Nothing to do: see the functions of `cloud_control.lambdas`."""

    def on_connected(self, handler: Callable[[], None]) -> None:
        """Likewise."""
