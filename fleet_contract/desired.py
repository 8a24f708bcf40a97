"""What an agent shall be and do: one whole document, replaced as a whole."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from fleet_contract.endpoint import Endpoint
from fleet_contract.fields import Id, Message, Millis, Ordinal, Part
from fleet_contract.protection import Protection
from fleet_contract.wanted_model import WantedModel

MAX_STREAMS = 32
MAX_SINKS = 8


class WantedStream(Part):
    """A stream that the agent shall carry."""

    id: Id = Field(description="the stream's id, unique within the document")
    source: Endpoint = Field(description="where its video comes from")
    sinks: tuple[Endpoint, ...] = Field(
        min_length=1, max_length=MAX_SINKS, description="where its protected video goes"
    )
    autostart: bool = Field(
        True, description="whether it runs once listed; false: it waits for `start`"
    )
    protection: Protection | None = Field(
        None, description="how its objects are hidden; absent: as the document's `protection` says"
    )


class Desired(Message):
    """A higher `version` replaces all of a lower one. An absent field means its default."""

    version: Ordinal = Field(description="grows with each change; equal or lower is no news")
    issued_at: Millis = Field(description="when it was written, ms since 1970-01-01 UTC")
    protection: Protection = Field(
        Protection(), description="for all streams that have none of their own"
    )
    streams: tuple[WantedStream, ...] = Field(
        (), max_length=MAX_STREAMS, description="all streams of this agent; others end"
    )
    model: WantedModel | None = Field(
        None, description="which model to run; absent: keep the one that runs"
    )
    telemetry_seconds: int = Field(10, ge=1, le=3600, description="seconds between telemetries")

    @model_validator(mode="after")
    def _unique_ids(self) -> Self:
        ids = [stream.id for stream in self.streams]
        if len(set(ids)) < len(ids):
            raise ValueError("two streams have the same id")
        return self

    def protection_of(self, stream: WantedStream) -> Protection:
        """What is wanted for a stream of this document."""
        return stream.protection or self.protection
