"""How one stream stands, as people are told. It never claims more than the gate knows."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from fleet_contract.desired import MAX_SINKS
from fleet_contract.fields import (
    Count,
    FieldPath,
    Message,
    Millis,
    Ordinal,
    Part,
    Rate,
    Seconds,
    Token,
    Voucher,
)


class Loosened(Part):
    """A consent in force, given on the device."""

    path: FieldPath = Field(description="field of the protection that it loosens")
    expires_at: Millis = Field(description="when it ends, ms since 1970-01-01 UTC")


class SinkState(Part):
    """One destination, in the order of the desired document."""

    connected: bool = Field(description="whether video arrives there now")
    reconnects: Count = Field(description="how often it was connected anew")


class StreamState(Message):
    """Sent on every change and after each connection."""

    at: Millis = Field(description="when it was written, ms since 1970-01-01 UTC")
    connection: Ordinal = Field(description="the agent's connection, as in its status")
    run: Literal["waiting", "starting", "running", "stopped", "failed"] = Field(
        description="`waiting`: for its source; `failed`: ended by a fault, will be tried again"
    )
    state: Literal["PROTECTED", "DEGRADED", "HELD", "OFF"] = Field(
        description="what leaves: covered; veiled as a whole; nothing of the picture; "
        "bare, by consent"
    )
    reason: Token | None = Field(None, description="why it is not PROTECTED, or why it failed")
    desired_version: Count = Field(description="the desired version it follows; 0: none")
    veiled: bool = Field(False, description="veiled by command or on the device, until unveiled")
    loosened: tuple[Loosened, ...] = Field(
        (), max_length=16, description="consents in force, shown as long as they last"
    )
    fps: Rate = Field(0.0, description="frames a second that leave")
    delay: Seconds = Field(0.0, description="seconds from the source's frame to its leaving")
    source_connected: bool = Field(description="whether video arrives")
    camera: Voucher | None = Field(
        None,
        description="by which certificate a browser that brings its camera knows the device, "
        "signed by the device; absent: none is waited for",
    )
    sinks: tuple[SinkState, ...] = Field((), max_length=MAX_SINKS, description="its destinations")

    @model_validator(mode="after")
    def _claims_no_more_than_is(self) -> Self:
        if self.run != "running" and self.state != "HELD":
            raise ValueError("a stream that does not run is HELD")
        if self.state == "OFF" and not self.loosened:
            raise ValueError("OFF needs a consent in force")
        if self.veiled and self.state in {"PROTECTED", "OFF"}:
            raise ValueError("a veiled stream is DEGRADED or HELD")
        return self
