"""What a function is told by its environment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from cloud_control.errors import ServeError
from fleet_contract.fields import Id

PREFIX = "VEILCAST_AWS_"


class AwsSettings(BaseSettings):
    """table: of DynamoDB; iot_endpoint: the host of IoT Core's messages, or HOST:PORT; secrets: a
    prefix in Secrets Manager; recording: the ARN of a recording configuration of IVS; ivs_type: of
    its channels; authority: PEM of what devices shall trust, instead of Amazon's roots."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    fleet: Id
    table: str = Field(min_length=1)
    iot_endpoint: str = ""
    iot_policy: str = ""
    models_bucket: str = ""
    models_url: str = ""
    uploads_bucket: str = ""
    url: str = ""
    ingest: Literal["ivs", "self-hosted", "none"] = "none"
    ingest_url: str = ""
    hls_url: str = ""
    secrets: str = ""
    recording: str = ""
    ivs_type: Literal["BASIC", "STANDARD"] = "BASIC"
    authority: str = ""


def settings() -> AwsSettings:
    """Raises ServeError for what is missing or wrong."""
    try:
        return AwsSettings()
    except ValidationError as problem:
        names = {f"{PREFIX}{one['loc'][0]}".upper() for one in problem.errors(include_input=False)}
        raise ServeError(
            f"{', '.join(sorted(names))}: missing or wrong in the environment; see docs/aws.md."
        ) from None
