"""What became of a command."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fleet_contract.fields import Message, Millis, Token

MetricName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,95}$", max_length=96)]


class Ack(Message):
    """The first answer comes at once; long work sends `accepted` first and its end later."""

    command: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", max_length=64)] = Field(
        description="the command's name, as in its topic"
    )
    at: Millis = Field(description="when it was written, ms since 1970-01-01 UTC")
    outcome: Literal["accepted", "done", "failed", "dropped"] = Field(
        description="`dropped`: not carried out, by the rules of acceptance; "
        "`failed`: tried, or refused by the device"
    )
    reason: Token | None = Field(None, description="why it failed or was dropped; then needed")
    numbers: dict[MetricName, float] = Field(
        {}, max_length=256, description="results, such as metrics by name; numbers alone"
    )

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if (self.outcome in {"failed", "dropped"}) != (self.reason is not None):
            raise ValueError("a reason belongs to failed and dropped, and to no other outcome")
        return self
