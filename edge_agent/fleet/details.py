"""Who this device is and where its control plane stands: what enrolment left behind."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_agent.errors import FleetError
from edge_agent.fleet.home import Home
from fleet_contract.fields import Id


class Broker(BaseModel):
    """Where MQTT over TLS is spoken."""

    model_config = ConfigDict(frozen=True)

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(ge=1, le=65535)


class Details(BaseModel):
    """The file agent.json. It holds no secret. `insecure`: plain HTTP to other machines is allowed,
    as the owner said when enrolling."""

    model_config = ConfigDict(frozen=True)

    fleet: Id
    agent: Id
    control: str
    broker: Broker
    metadata_url: str
    targets_url: str
    insecure: bool = False

    @property
    def subject(self) -> str:
        """The device's name in certificates and tokens."""
        return f"{self.fleet}/{self.agent}"


def read_details(home: Home) -> Details:
    """Raises FleetError when the device is not enrolled or the file is spoilt."""
    try:
        return Details.model_validate_json(home.details.read_bytes())
    except FileNotFoundError:
        raise FleetError(
            f"{home.folder} is not enrolled; run 'veilcast enroll', or name another --home"
        ) from None
    except (OSError, ValidationError) as problem:
        raise FleetError(f"{home.details} cannot be read; enroll the device anew") from problem
