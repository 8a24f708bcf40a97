"""Where a stream comes from or goes to: a name that the device knows, or a network address."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, PlainSerializer, SecretStr, model_validator

from fleet_contract.fields import Id, Part

# No user, password, query or fragment: these are where credentials hide. Cameras, screens and
# files cannot be named here at all: only the device's owner may open them, as a `ref`.
Url = Annotated[
    str,
    Field(
        pattern=r"^(listen:)?(rtmps?|rtsps?|srt|https?)://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._~/-]*)?$",
        max_length=512,
    ),
]

_KEY = re.compile(r"[A-Za-z0-9._~-]{1,256}")


def _url_safe(key: SecretStr) -> SecretStr:
    if not _KEY.fullmatch(key.get_secret_value()):
        raise ValueError("a key is 1 to 256 letters, digits or . _ ~ -")
    return key


Secret = Annotated[
    SecretStr,
    AfterValidator(_url_safe),
    PlainSerializer(SecretStr.get_secret_value, return_type=str, when_used="json"),
    Field(json_schema_extra={"maxLength": 256, "x-secret": True}),
]


class Endpoint(Part):
    """Exactly one of `ref` and `url`."""

    ref: Id | None = Field(None, description="name of a source or sink in the device's settings")
    url: Url | None = Field(None, description="network address, without any credential")
    key: Secret | None = Field(
        None,
        description="stream key, put behind `url` as its last path segment; "
        "a secret: never logged, shown or reported back",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.ref is None) == (self.url is None):
            raise ValueError("exactly one of ref and url is needed")
        if self.key is not None and self.url is None:
            raise ValueError("a key needs a url")
        return self
