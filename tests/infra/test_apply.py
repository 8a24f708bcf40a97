"""The root applied to moto's AWS, as far as moto goes, used, and destroyed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cloud_control.aws_start import begin
from cloud_control.lambdas import http, ivs, messages, provisioning, schedule
from cloud_control.pki import Authority
from tests.cloud_control.aws import test_functions as life
from tests.cloud_control.aws.account import Account
from tests.cloud_control.aws.front import fronted
from tests.cloud_control.aws.moto_server import Cloud
from tests.cloud_control.brokers import make_request
from tests.infra.calls import Calls
from tests.infra.moto_server import aws
from tests.infra.terraform import Terraform, aws_at

# moto has no cache policies of CloudFront and no provisioning templates of IoT, so those are only
# planned; it refuses TLS, too, by the policy that refuses all else; and the provider waits a minute
# for a lifecycle, whatever answers.
OVERRIDES = {
    "modules/models": """
output "url" {
  value = "https://models.example"
}
""",
    "modules/bucket": """
resource "aws_s3_bucket_policy" "this" {
  count = 0
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  count = 0
}
""",
}
TARGETS = (
    "aws_secretsmanager_secret.this",
    "module.api",
    "module.fleet.aws_iot_policy.claim",
    "module.fleet.aws_iot_policy.device",
    "module.fleet.aws_iot_thing_type.agent",
    "module.functions",
    "module.ingest_ivs",
    "module.messages",
    "module.models.module.bucket.aws_s3_bucket_versioning.this",
    "module.observability",
    "module.schedules",
    "module.state",
    "module.uploads",
)
MODELS, UPLOADS = "veilcast-acme-models-123456789012", "veilcast-acme-uploads-123456789012"

Clients = Callable[[str], Any]
FUNCTIONS = {
    "http": http, "messages": messages, "schedule": schedule, "provisioning": provisioning,
    "ivs": ivs,
}  # fmt: skip


@pytest.mark.timeout(600)
def test_the_root_is_applied_serves_a_streams_life_and_is_destroyed(
    terraform: Terraform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder, text in OVERRIDES.items():
        (terraform.folder / folder / "moto_override.tf").write_text(text)
    with aws() as endpoint:
        for name, value in aws_at(endpoint).items():
            monkeypatch.setenv(name, value)
        variables = terraform.values(pages="false", force_destroy="true")
        values = ["-auto-approve", "-parallelism=30", *variables]
        before = left(boto3.client)
        terraform.run("apply", *values, *(f"-target={each}" for each in TARGETS))
        environment = terraform.output("environment")
        stands(boto3.client, environment)
        calls = serve(endpoint, environment, tmp_path)
        for function in FUNCTIONS:
            assert calls.refused(function, policy_of(boto3.client, function)) == set(), function
        leave_something(boto3.client)
        assert all(left(boto3.client).values())
        terraform.run("destroy", *values)
        assert left(boto3.client) == before


def serve(endpoint: str, environment: Mapping[str, str], folder: Path) -> Calls:
    """The deployed functions carry a stream from enrolment to its end, in this process."""
    calls = Calls()
    with fronted(Cloud(endpoint)) as front, pytest.MonkeyPatch.context() as patch:
        account = Account(front, folder)
        front.rules += [account.stream_keys, account._published]
        told = {
            **front.cloud.environment,
            **environment,
            "VEILCAST_AWS_IOT_ENDPOINT": "iot.example",
        }
        for name, value in told.items():
            patch.setenv(name, value)
        account.cold()
        account.token = begin(folder).token or ""
        patch.setattr(schedule, "REFRESH_EVERY", timedelta(0))  # the timestamp is signed anew
        calls.watch(patch, FUNCTIONS)
        life.test_a_streams_life_from_enrolment_to_its_end(account)
        account.stream_keys.channels.clear()  # of the stream that is gone
        life.test_a_new_key_reaches_the_agent_and_the_old_one_is_void(account)
        provision(account, folder)
        revoke(account)
    account.cold()
    return calls


def provision(account: Account, folder: Path) -> None:
    """By claim, as IoT Core asks the hook; the certificate is ours, since moto's are for no key."""
    authority = Authority(folder / "ca")
    authority.create()
    pem = authority.certify(make_request(ec.generate_private_key(ec.SECP256R1())), "acme", "any")
    claim = account.json("POST", "/v1/claims", {"agent": "van-9"})["token"]
    told = account.provision(parameters={"Claim": claim, "Agent": "van-9"}, certificatePem=pem)
    assert told["allowProvisioning"]


def revoke(account: Account) -> None:
    assert account.ask("DELETE", "/v1/agents/van-1")["statusCode"] == 204
    assert account.tick() == []


def policy_of(client: Clients, function: str) -> dict[str, Any]:
    found = client("iam").get_role_policy(RoleName=f"veilcast-acme-{function}", PolicyName="own")
    return dict(found["PolicyDocument"])


def stands(client: Clients, environment: Mapping[str, str]) -> None:
    """What was applied is what the functions and the adapters need."""
    table = client("dynamodb").describe_table(TableName=environment["VEILCAST_AWS_TABLE"])["Table"]
    keys = {each["AttributeName"]: each["KeyType"] for each in table["KeySchema"]}
    assert keys == {"kind": "HASH", "key": "RANGE"}
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    for bucket in (
        environment["VEILCAST_AWS_MODELS_BUCKET"],
        environment["VEILCAST_AWS_UPLOADS_BUCKET"],
    ):
        assert client("s3").get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    functions = {
        each["FunctionName"]: each for each in client("lambda").list_functions()["Functions"]
    }
    assert set(functions) == {
        f"veilcast-acme-{name}" for name in ("http", "messages", "schedule", "provisioning", "ivs")
    }
    for function in functions.values():
        assert function["Environment"]["Variables"] == environment
    rules = client("iot").list_topic_rules()["rules"]
    assert len(rules) == 6
    assert client("iot").get_policy(policyName=environment["VEILCAST_AWS_IOT_POLICY"])
    (api,) = client("apigatewayv2").get_apis()["Items"]
    assert environment["VEILCAST_AWS_URL"] == api["ApiEndpoint"]


def leave_something(client: Clients) -> None:
    """What a fleet leaves behind: versions and marks in buckets, documents, keys."""
    for bucket in (MODELS, UPLOADS):
        for body in (b"one", b"two"):
            client("s3").put_object(Bucket=bucket, Key="a/b", Body=body)
        client("s3").delete_object(Bucket=bucket, Key="a/b")
        client("s3").put_object(Bucket=bucket, Key="c", Body=b"three")
    item = {"kind": {"S": "agent"}, "key": {"S": "acme/van-7"}, "value": {"S": "{}"}}
    client("dynamodb").put_item(TableName="veilcast-acme", Item=item)
    client("secretsmanager").put_secret_value(
        SecretId="veilcast/acme/ingest-hook", SecretString="{}"
    )


def left(client: Clients) -> dict[str, list[Any]]:
    """All that costs money or keeps data, by kind."""
    iot, events, logs = client("iot"), client("events"), client("logs")
    return {
        "tables": client("dynamodb").list_tables()["TableNames"],
        "buckets": client("s3").list_buckets()["Buckets"],
        "functions": client("lambda").list_functions()["Functions"],
        "roles": client("iam").list_roles()["Roles"],
        "apis": client("apigatewayv2").get_apis()["Items"],
        "queues": client("sqs").list_queues().get("QueueUrls", []),
        "topics": client("sns").list_topics()["Topics"],
        "policies": iot.list_policies()["policies"],
        "things": iot.list_thing_types()["thingTypes"],
        "rules": iot.list_topic_rules()["rules"],
        "events": events.list_rules()["Rules"],
        "schedules": client("scheduler").list_schedules()["Schedules"],
        "secrets": client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"],
        "logs": logs.describe_log_groups()["logGroups"],
        "alarms": client("cloudwatch").describe_alarms()["MetricAlarms"],
    }


def test_what_a_role_does_not_allow_is_noticed() -> None:
    asked_for = {("s3:GetObject", "arn:aws:s3:::models/a"), ("ivs:StopStream", "")}
    allowed = {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::uploads/*"}
    refused = Calls({"http": asked_for}).refused("http", {"Statement": [allowed]})
    assert refused == asked_for
    allowed["Resource"] = "arn:aws:s3:::models/*"
    assert Calls({"http": asked_for}).refused("http", {"Statement": [allowed]}) == {
        ("ivs:StopStream", "")
    }
