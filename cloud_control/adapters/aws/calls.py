"""How AWS is called: how often, how long, and what is said when it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

from cloud_control.errors import CloudError

CONFIG = Config(
    connect_timeout=3.0,
    read_timeout=10.0,
    retries={"mode": "standard", "max_attempts": 5},  # throttling, timeouts, faults of theirs
)
S3_CONFIG = CONFIG.merge(Config(signature_version="s3v4"))  # older ones sign no headers
STALE = frozenset(
    {
        "ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId",
        "UnrecognizedClientException", "InvalidSignatureException", "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
    }
)  # fmt: skip


def code_of(problem: ClientError) -> str:
    """AWS's own word for what went wrong."""
    return str(problem.response.get("Error", {}).get("Code", ""))


@contextmanager
def explained(service: str) -> Iterator[None]:
    """What goes wrong inside becomes a CloudError that says what would mend it."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError):
        raise CloudError(
            f"{service}: there are no AWS credentials here; sign in, or give the function its role."
        ) from None
    except NoRegionError:
        raise CloudError(f"{service}: no AWS region is set; set AWS_REGION.") from None
    except ClientError as problem:
        code = code_of(problem)
        if code in STALE:
            raise CloudError(
                f"{service} refuses these AWS credentials ({code}): renew them and try again."
            ) from None
        raise CloudError(f"{service} refuses {problem.operation_name}: {code}.") from problem
    except BotoCoreError as problem:
        raise CloudError(f"{service} does not answer: {type(problem).__name__}.") from problem
