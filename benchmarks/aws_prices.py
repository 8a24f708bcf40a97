"""What AWS asks for and where it draws lines: list prices and default quotas of us-east-1.

LOOKED_UP was read in AWS's own pages on that day; REMEMBERED was not, and is to be checked at
aws.amazon.com/SERVICE/pricing and in Service Quotas before money depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass

LOOKED_UP = "looked up 2026-11-29"
REMEMBERED = "list of 2025, not looked up since"

MILLION, HOURS, DAYS = 1e6, 730, 30
SECONDS = DAYS * 24 * 3600  # of a month
GB = 1e9


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for one `unit`."""

    dollars: float
    unit: str
    source: str
    known: str = REMEMBERED


@dataclass(frozen=True, slots=True)
class Quota:
    """The default for an account in a region; adjustable: more can be asked for."""

    name: str
    value: float
    adjustable: bool
    source: str
    past: str
    known: str = REMEMBERED


IOT, DYNAMO, LAMBDA = "iot-core/pricing", "dynamodb/pricing/on-demand", "lambda/pricing"
# Messages of IoT Core cost less in steps; see `fleet_cost`.
IOT_MINUTE = Price(0.08 / MILLION, "minute connected", IOT)
IOT_RULE = Price(0.15 / MILLION, "rule triggered", IOT)
IOT_ACTION = Price(0.15 / MILLION, "action of a rule", IOT)
TABLE_WRITE = Price(0.625 / MILLION, "write unit of 1 KB", DYNAMO)
TABLE_READ = Price(0.125 / MILLION, "read unit of 4 KB", DYNAMO)
TABLE_STORED = Price(0.25, "GB and month", DYNAMO)
TABLE_BACKUP = Price(0.20, "GB and month of point-in-time recovery", DYNAMO)
LAMBDA_CALL = Price(0.20 / MILLION, "invocation", LAMBDA)
LAMBDA_ARM = Price(0.0000133334, "GB and second on Graviton", LAMBDA)
API_CALL = Price(1.00 / MILLION, "request to an HTTP API", "api-gateway/pricing")
LOGS = Price(0.50, "GB written to CloudWatch Logs", "cloudwatch/pricing")
METRIC = Price(0.30, "metric and month", "cloudwatch/pricing")
ALARM = Price(0.10, "alarm and month", "cloudwatch/pricing")
SECRET = Price(0.40, "secret and month", "secrets-manager/pricing")
CDN_GB = Price(0.085, "GB to viewers, first 10 TB", "cloudfront/pricing")
CDN_CALL = Price(1.00 / MILLION, "HTTPS request", "cloudfront/pricing")
IVS_BASIC = Price(0.20, "hour of input, BASIC channel", "ivs/pricing")
IVS_STANDARD = Price(2.00, "hour of input, STANDARD channel", "ivs/pricing")
IVS_VIEW = Price(
    0.072, "hour viewed in 720p, first 10,000 h, North America and Europe", "ivs/pricing"
)
FARGATE_CPU = Price(0.03238, "vCPU hour on Graviton", "fargate/pricing")
FARGATE_GB = Price(0.00356, "GB hour on Graviton", "fargate/pricing")
BALANCER = Price(0.0225, "hour of a network load balancer", "elasticloadbalancing/pricing")
BALANCER_UNIT = Price(0.006, "LCU hour: 1 GB an hour", "elasticloadbalancing/pricing")

IOT_QUOTAS = "general/latest/gr/iot-core.html"
IVS_QUOTAS = "ivs/latest/LowLatencyUserGuide/service-quotas.html"
CONNECTIONS = Quota(
    "IoT: concurrent client connections", 500_000, True, IOT_QUOTAS,
    "ask for more; or a fleet an account", LOOKED_UP,
)  # fmt: skip
CONNECTS = Quota(
    "IoT: connect requests a second", 500, True, IOT_QUOTAS,
    "agents' backoff grows with the fleet: 1 million at 500/s are back after 33 minutes", LOOKED_UP,
)  # fmt: skip
SUBSCRIPTIONS = Quota(
    "IoT: subscriptions", 500_000, True, IOT_QUOTAS,
    "ask for more: it goes with the connections, 3 each", LOOKED_UP,
)  # fmt: skip
PUBLISHES_IN = Quota(
    "IoT: inbound publishes a second", 20_000, True, IOT_QUOTAS,
    "telemetry every 60 s; telemetry by Basic Ingest",
)  # fmt: skip
RULES = Quota(
    "IoT: rule evaluations a second", 20_000, True, IOT_QUOTAS,
    "telemetry every 60 s; telemetry into a stream (Kinesis), read in batches",
)  # fmt: skip
RETAINED = Quota(
    "IoT: retained messages", 500_000, True, IOT_QUOTAS,
    "ask for more: 3 an agent and 1 a stream",
)  # fmt: skip
CERTIFICATES = Quota(
    "IoT: CreateCertificateFromCsr a second", 15, True, IOT_QUOTAS,
    "enrol over weeks; or an authority of your own, registered with IoT Core",
)  # fmt: skip
CONCURRENCY = Quota(
    "Lambda: concurrent executions", 1_000, True, "lambda/latest/dg/gettingstarted-limits.html",
    "ask for more; telemetry in batches",
)  # fmt: skip
PARTITION_WRITES = Quota(
    "DynamoDB: write units a second of one partition", 1_000, False,
    "amazondynamodb/latest/developerguide/bp-partition-key-design.html",
    "DynamoDB splits a kind by its keys when it is hot for some minutes; for good, add a shard to "
    "`kind` in the adapter",
)  # fmt: skip
TABLE_WRITES = Quota(
    "DynamoDB: write units a second of a table", 40_000, True,
    "amazondynamodb/latest/developerguide/ServiceQuotas.html",
    "telemetry every 60 s; keep it out of the table: only its latest is of use",
)  # fmt: skip
API_RATE = Quota(
    "API Gateway: requests a second", 10_000, True, "apigateway/latest/developerguide/limits.html",
    "ask for more: what viewers poll is answered by CloudFront already",
)  # fmt: skip
IVS_STREAMS = Quota(
    "IVS: concurrent streams", 100, True, IVS_QUOTAS,
    "ask for more; several regions; or an ingest of your own",
)  # fmt: skip
IVS_CREATES = Quota(
    "IVS: CreateChannel a second", 5, False, IVS_QUOTAS,
    "keep a stream and its channel instead of making one for each broadcast; several accounts",
    LOOKED_UP,
)  # fmt: skip
# No quota of AWS but ours: the function's time, beyond which the next minute has begun.
TICK = Quota(
    "Schedule: seconds of its minute", 55, False, "infra/terraform/main.tf",
    "several calls a minute, each for a range of keys; an index of what is due",
)  # fmt: skip
