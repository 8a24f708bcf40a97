"""Keys and other secrets in AWS Secrets Manager, below one prefix."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from cloud_control.adapters.aws.calls import code_of, explained

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

SERVICE = "Secrets Manager"
GONE = "ResourceNotFoundException"


class Secrets:
    """Each holds a few named texts. prefix: such as veilcast/acme."""

    def __init__(self, client: SecretsManagerClient, prefix: str) -> None:
        self._client, self._prefix = client, prefix

    def read(self, name: str) -> dict[str, str]:
        """Empty where there is none."""
        with explained(SERVICE):
            try:
                found = self._client.get_secret_value(SecretId=f"{self._prefix}/{name}")
            except ClientError as problem:
                if code_of(problem) == GONE:
                    return {}
                raise
        texts = json.loads(found["SecretString"])
        return {str(key): str(value) for key, value in texts.items()}

    def write(self, name: str, texts: Mapping[str, str]) -> None:
        """In the place of what was there."""
        path, content = f"{self._prefix}/{name}", json.dumps(dict(texts))
        with explained(SERVICE):
            try:
                self._client.put_secret_value(SecretId=path, SecretString=content)
            except ClientError as problem:
                if code_of(problem) != GONE:
                    raise
                self._client.create_secret(Name=path, SecretString=content)
