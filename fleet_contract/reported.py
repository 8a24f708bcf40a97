"""What an agent made of the desired document: applied, held back or refused, and why."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fleet_contract.desired import MAX_STREAMS
from fleet_contract.fields import (
    Count,
    FieldPath,
    Id,
    Message,
    Millis,
    Part,
    Sha256,
    Token,
    Version,
)

MAX_LISTED = 64

RefusalReason = Literal[
    "older_version", "bad_topic", "too_large", "not_utf8", "not_json", "too_deep",
    "duplicate_key", "bad_number", "not_an_object", "unsupported_version", "invalid",
    "too_many_zones", "too_many_streams",
]  # fmt: skip


class Refusal(Part):
    """A desired document that was not applied; what was in force before still is."""

    version: Count = Field(description="its version; 0 when it could not be read")
    reason: RefusalReason = Field(description="why")
    field: FieldPath | None = Field(None, description="the field at fault, where there is one")


class HeldBack(Part):
    """A loosening that waits for consent on the device."""

    stream: Id = Field(description="the stream that it concerns")
    path: FieldPath = Field(description="field of its protection, such as classes.id_card.hide")


class RunningModel(Part):
    """The model that looks."""

    name: Id = Field(description="the model's name")
    version: Version = Field(description="its version")
    sha256: Sha256 = Field(description="SHA-256 of its ONNX file, hexadecimal")


class ModelUpdate(Part):
    """How far the newest update came."""

    version: Version = Field(description="the version wanted")
    step: Literal[
        "waiting", "downloading", "verifying", "testing", "shadowing", "done", "refused",
        "rolled_back",
    ] = Field(
        description="`waiting`: deferred while live; `shadowing`: looking beside the old one"
    )  # fmt: skip
    reason: Token | None = Field(None, description="why it was refused or rolled back")


class ReportedStream(Part):
    """Whether one stream is as desired."""

    id: Id = Field(description="the stream's id")
    converged: bool = Field(description="it runs, or rests, exactly as the applied version wants")
    reason: Token | None = Field(None, description="what is missing, if it is not converged")


class Reported(Message):
    """Sent after each connection and after each change."""

    at: Millis = Field(description="when it was written, ms since 1970-01-01 UTC")
    agent_version: Version = Field(description="version of the agent's software")
    applied: Count = Field(description="version of the desired document in force; 0: none yet")
    refused: Refusal | None = Field(
        None, description="the newest document, if it is not the one in force"
    )
    held_back: tuple[HeldBack, ...] = Field(
        (), max_length=MAX_STREAMS * 16, description="loosenings of `applied` that are not in force"
    )
    unknown_fields: tuple[FieldPath, ...] = Field(
        (), max_length=MAX_LISTED, description="fields of `applied` that this agent does not know"
    )
    streams: tuple[ReportedStream, ...] = Field(
        (), max_length=MAX_STREAMS, description="every stream of `applied`"
    )
    model: RunningModel | None = Field(None, description="the model in use; absent: none works")
    update: ModelUpdate | None = Field(None, description="the newest model update, if any")
    commands: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z-]{0,31}$", max_length=32)], ...] = (
        Field((), max_length=MAX_LISTED, description="names of the commands that it understands")
    )
