"""What a worker is told: its job once, then orders. Both travel as JSON lines on its input."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from edge_agent.settings import Camera, Encode, Live, Protect


class Part(BaseModel):
    """A frozen part of the protocol; unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Protection(Part):
    """How a stream's objects are hidden, as it is in force now.

    bare_until_ms: by consent given on this device the picture is shown bare until then,
    milliseconds since 1970-01-01 UTC; None: it is not. `protect.model` is ignored.
    """

    protect: Protect = Protect()
    bare_until_ms: int | None = None


class Job(Part):
    """One stream. Addresses may hold keys: they are never logged or shown.

    card: path of the model's card, verified by who gives the job and again by the worker.
    api_port: loopback port of this stream's page, calls and metrics, 0 takes any free one; None:
    there is none. `live.port` is ignored.
    """

    source: str = Field(repr=False)
    sinks: tuple[str, ...] = Field(min_length=1, repr=False)
    loop: bool = False
    protection: Protection = Protection()
    veiled: bool = False
    card: str
    encode: Encode = Encode()
    live: Live = Live()
    camera: Camera = Camera()
    api_port: int | None = None


class Apply(Part):
    """Protect like this from the next frame on, without a gap."""

    do: Literal["apply"] = "apply"
    number: int
    protection: Protection


class SetVeil(Part):
    """Veil the whole picture, or end that veil."""

    do: Literal["veil"] = "veil"
    number: int
    on: bool


class TryModel(Part):
    """Look with this model beside the running one, both covers in force, for so many seconds; then
    report the trial and go on with the running one."""

    do: Literal["try_model"] = "try_model"
    number: int
    card: str
    seconds: float


class UseModel(Part):
    """Look with this model from now on, between two frames and without a gap."""

    do: Literal["use_model"] = "use_model"
    number: int
    card: str


class End(Part):
    """Finish what is held, close the sinks and end."""

    do: Literal["end"] = "end"
    number: int


Order = Annotated[Apply | SetVeil | TryModel | UseModel | End, Field(discriminator="do")]
ORDER: TypeAdapter[Order] = TypeAdapter(Order)
