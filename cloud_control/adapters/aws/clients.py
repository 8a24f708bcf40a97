"""Clients of AWS's services, by the environment's own region and credentials."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import boto3

from cloud_control.adapters.aws.calls import CONFIG, S3_CONFIG, explained

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_iot_data import IoTDataPlaneClient
    from mypy_boto3_ivs import IVSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient


def dynamodb() -> DynamoDBClient:
    with explained("DynamoDB"):
        return boto3.client("dynamodb", config=CONFIG, region_name=_region())


def iot() -> IoTClient:
    with explained("IoT Core"):
        return boto3.client("iot", config=CONFIG, region_name=_region())


def iot_data(host: str) -> IoTDataPlaneClient:
    """host: of this account's messages, unless the SDK is told by its own variables whom to ask."""
    told = any(name in os.environ for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IOT_DATA"))
    url = f"https://{host}" if host and not told else None
    with explained("IoT Core"):
        return boto3.client("iot-data", config=CONFIG, region_name=_region(), endpoint_url=url)


def ivs() -> IVSClient:
    with explained("IVS"):
        return boto3.client("ivs", config=CONFIG, region_name=_region())


def s3() -> S3Client:
    with explained("S3"):
        return boto3.client("s3", config=S3_CONFIG, region_name=_region())


def secrets() -> SecretsManagerClient:
    with explained("Secrets Manager"):
        return boto3.client("secretsmanager", config=CONFIG, region_name=_region())


def _region() -> str | None:
    """As all of AWS's tools name it; boto3 itself knows only AWS_DEFAULT_REGION and profiles."""
    return os.environ.get("AWS_REGION")
