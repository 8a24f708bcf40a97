"""The kinds of values that messages are made of, each with its limits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from fleet_contract.strict_json import MAX_INTEGER

CONTRACT_VERSION = 1
ID_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"

Id = Annotated[str, Field(pattern=ID_PATTERN, max_length=64)]
Token = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$", max_length=48)]
Version = Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9}){2}$", max_length=29)]
FieldPath = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.?-]{1,128}$", max_length=128)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]

Voucher = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_-]{1,256}(\.[A-Za-z0-9_-]{1,1024}){2}$", max_length=2306)
]

Millis = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Ordinal = Annotated[int, Field(ge=1, le=MAX_INTEGER)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(ge=0.0, le=1e9)]
Rate = Annotated[float, Field(ge=0.0, le=1000.0)]


class Part(BaseModel):
    """Any object within a message: immutable, no coercion, no unknown fields.

    Validation errors never quote the input: it may hold a secret.
    """

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


class Message(Part):
    """The root object of a payload."""

    v: Literal[1] = Field(1, description="version of the contract; another is refused")
