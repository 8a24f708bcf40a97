"""How far the control plane on AWS goes, on paper: rates, cost, and the first limit that is hit.

`python -m benchmarks.scale_model` prints the tables of docs/aws.md; --json says it to machines.
What a message costs in calls is measured by a test; how often messages come is assumed here.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from benchmarks import aws_prices as aws
from benchmarks.aws_prices import DAYS, GB, HOURS, SECONDS, Price, Quota
from benchmarks.fleet_cost import IN, IN_RETAINED, OUT_WITH_PUBACK, PER_CONNECTION, stepped

# Reads and written documents of DynamoDB for one message of an agent, as the adapters make them.
# All writes are transactions, which count twice; reads are consistent.
READS = {"telemetry": 2, "status": 5, "reported": 2, "state": 4}
WRITES = {"telemetry": 1, "status": 1, "reported": 1, "state": 1}
UNITS_A_WRITE, UNITS_A_READ = 2, 1  # documents up to 1 KB and 4 KB

# Of one agent in a day; of one stream in a day.
CONNECTS_A_DAY, REPORTS_A_DAY, DOCUMENTS_A_DAY, CALLS_A_DAY = 4, 10, 4, 10
STATES_A_DAY = 40
POLL_S, KEPT_S, EDGES = 5, 2, 20  # viewers' directory: asked, kept by each of CloudFront's places
STREAM_HOURS = 2  # of one broadcast, for which its channel is made

MESSAGE_SECONDS, MESSAGE_GB = 0.04, 0.5  # three round trips to DynamoDB at 5 ms, and decoding
CALL_SECONDS, CALL_GB = 0.08, 1.0
TICK_SECONDS, TICK_SECONDS_AN_AGENT = 1.0, 0.001  # of the minute's work, which reads every agent
TICK_READS_AN_AGENT = 3  # for certificates and documents
DOCUMENT_BYTES = 4_000  # an agent's, its standing and its streams'
LOG_BYTES = 500  # an invocation's
RECONNECT_S = 60  # the agents' longest backoff
BITRATE = 3e6  # bits a second of one stream
FLATS = {"alarms": 15, "secrets": 2, "metrics": 2}
TASK_CPU, TASK_GB, STREAMS_A_TASK = 1.0, 2.0, 50
HOOK_S = 5  # nginx asks so often whether a publisher may go on


@dataclass(frozen=True, slots=True)
class Load:
    """streams: at once, around the clock; viewers: of each, likewise."""

    agents: int
    streams: int
    telemetry_s: int = 10
    viewers: int = 1


@dataclass(frozen=True, slots=True)
class Rates:
    """A second, on average. polls: what viewers ask CloudFront; concurrency: functions at once."""

    telemetry: float
    news: float
    published: float
    rules: float
    reads: float
    writes: float
    requests: float
    polls: float
    concurrency: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A quota and how far it is used: beyond 1 it is hit. agents: at which it is."""

    quota: Quota
    used: float
    share: float
    agents: float


def rates(load: Load) -> Rates:
    day = 24 * 3600
    telemetry = load.agents / load.telemetry_s
    status, reported = load.agents * CONNECTS_A_DAY / day, load.agents * REPORTS_A_DAY / day
    state = load.streams * STATES_A_DAY / day
    by_kind = {"telemetry": telemetry, "status": status, "reported": reported, "state": state}
    presence = 2 * status  # connected and disconnected
    polls = load.streams * load.viewers / POLL_S
    requests = load.agents * CALLS_A_DAY / day + min(polls, EDGES / KEPT_S)
    messages = sum(by_kind.values()) + presence
    return Rates(
        telemetry=telemetry,
        news=status + reported + state,
        published=sum(by_kind.values()) + load.agents * DOCUMENTS_A_DAY / day,
        rules=messages,
        reads=sum(rate * READS[kind] * UNITS_A_READ for kind, rate in by_kind.items())
        + load.agents * TICK_READS_AN_AGENT * UNITS_A_READ / 60,
        writes=sum(rate * WRITES[kind] * UNITS_A_WRITE for kind, rate in by_kind.items()),
        requests=requests,
        polls=polls,
        concurrency=messages * MESSAGE_SECONDS + requests * CALL_SECONDS + tick(load) / 60,
    )


def tick(load: Load) -> float:
    """Seconds of the minute's work."""
    return TICK_SECONDS + load.agents * TICK_SECONDS_AN_AGENT


def cost(load: Load, ingest: str) -> dict[str, float]:
    """US dollars a month by part. ingest: none, self-hosted, ivs-basic or ivs-standard."""
    rate = rates(load)
    of = _monthly
    stored = (load.agents + load.streams) * DOCUMENT_BYTES / GB
    invocations = (rate.rules + rate.requests) * SECONDS
    return {
        "IoT": load.agents * SECONDS / 60 * aws.IOT_MINUTE.dollars
        + stepped(_messages(load))
        + of(rate.rules, aws.IOT_RULE)
        + of(rate.rules, aws.IOT_ACTION),
        "table": of(rate.writes, aws.TABLE_WRITE)
        + of(rate.reads, aws.TABLE_READ)
        + stored * (aws.TABLE_STORED.dollars + aws.TABLE_BACKUP.dollars),
        "functions": invocations * aws.LAMBDA_CALL.dollars
        + of(rate.rules * MESSAGE_SECONDS * MESSAGE_GB, aws.LAMBDA_ARM)
        + of(rate.requests * CALL_SECONDS * CALL_GB + tick(load) / 60, aws.LAMBDA_ARM),
        "API and pages": of(rate.requests, aws.API_CALL)
        + of(rate.requests + rate.polls, aws.CDN_CALL),
        "logs and alarms": invocations * LOG_BYTES / GB * aws.LOGS.dollars
        + FLATS["alarms"] * aws.ALARM.dollars
        + FLATS["secrets"] * aws.SECRET.dollars
        + FLATS["metrics"] * aws.METRIC.dollars,
        "video": video(load, ingest),
    }


def video(load: Load, ingest: str) -> float:
    """US dollars a month for taking and showing the streams."""
    viewed = load.streams * load.viewers * HOURS
    if ingest.startswith("ivs"):
        price = aws.IVS_BASIC if ingest == "ivs-basic" else aws.IVS_STANDARD
        return load.streams * HOURS * price.dollars + viewed * aws.IVS_VIEW.dollars
    if ingest == "self-hosted":
        tasks = -(-load.streams // STREAMS_A_TASK)
        a_task = TASK_CPU * aws.FARGATE_CPU.dollars + TASK_GB * aws.FARGATE_GB.dollars
        gigabytes = BITRATE / 8 * 3600 / GB  # of a stream in an hour
        balancer = tasks * aws.BALANCER.dollars + (
            load.streams * gigabytes * aws.BALANCER_UNIT.dollars
        )
        hook = aws.API_CALL.dollars + aws.LAMBDA_CALL.dollars
        hook += CALL_SECONDS * CALL_GB * aws.LAMBDA_ARM.dollars
        asked = load.streams / HOOK_S * SECONDS * hook
        shown = viewed * gigabytes * aws.CDN_GB.dollars
        return HOURS * (tasks * a_task + balancer) + asked + shown
    return 0.0


def limits(load: Load) -> list[Hit]:
    """Every quota by how far it is used, the worst first. Both agents and streams grow."""
    rate = rates(load)
    agents, streams = load.agents, load.streams
    used: Mapping[Quota, float] = {
        aws.CONNECTIONS: agents,
        aws.CONNECTS: agents / RECONNECT_S,
        aws.SUBSCRIPTIONS: agents * 3,
        aws.PUBLISHES_IN: rate.published,
        aws.RULES: rate.rules,
        aws.RETAINED: agents * 3 + streams,
        aws.CERTIFICATES: agents / (30 * 24 * 3600),  # enrolled within a month
        aws.CONCURRENCY: rate.concurrency,
        aws.PARTITION_WRITES: rate.writes,  # standings are of one kind
        aws.TABLE_WRITES: rate.writes,
        aws.API_RATE: rate.requests,
        aws.TICK: tick(load),
        aws.IVS_STREAMS: streams,
        aws.IVS_CREATES: streams / (STREAM_HOURS * 3600),
    }
    found = [
        Hit(quota, value, value / quota.value, agents * quota.value / value if value else 0.0)
        for quota, value in used.items()
    ]
    return sorted(found, key=lambda hit: -hit.share)


def _messages(load: Load) -> float:
    """As IoT Core meters them in a month."""
    of_agents = (
        CONNECTS_A_DAY * PER_CONNECTION
        + REPORTS_A_DAY * IN_RETAINED
        + DOCUMENTS_A_DAY * (IN_RETAINED + OUT_WITH_PUBACK)
    )
    of_streams = STATES_A_DAY * IN_RETAINED
    daily = load.agents * of_agents + load.streams * of_streams
    return daily * DAYS + load.agents / load.telemetry_s * SECONDS * IN


def _monthly(a_second: float, price: Price) -> float:
    return a_second * SECONDS * price.dollars


LARGE = (Load(1_000_000, 50_000), Load(1_000_000, 50_000, telemetry_s=60))
SMALL = (Load(1, 1), Load(100, 100), Load(10_000, 10_000))
INGESTS = ("self-hosted", "ivs-basic", "ivs-standard")


def cost_table() -> str:
    """What it costs at 1, 100 and 10,000 streams, and where the money goes."""
    parts = list(cost(SMALL[0], "none"))
    lines = [f"| Streams | Ingest | {' | '.join(parts)} | Sum a month |", "|---" * 9 + "|"]
    for load in SMALL:
        for ingest in INGESTS:
            found = cost(load, ingest)
            cells = " | ".join(f"{value:,.0f} $" for value in found.values())
            total = sum(found.values())
            lines.append(f"| {load.streams:,} | {ingest} | {cells} | **{total:,.0f} $** |")
    return "\n".join(lines)


def rate_table() -> str:
    """A million agents: rates and the control plane's cost."""
    lines = ["| | " + " | ".join(f"telemetry every {load.telemetry_s} s" for load in LARGE) + " |"]
    lines.append("|---" * (len(LARGE) + 1) + "|")
    found = [rates(load) for load in LARGE]
    rows = {
        "messages from agents a second": [one.telemetry + one.news for one in found],
        "rules a second": [one.rules for one in found],
        "DynamoDB write units a second": [one.writes for one in found],
        "DynamoDB read units a second": [one.reads for one in found],
        "API requests a second": [one.requests for one in found],
        "viewers' requests that CloudFront answers": [one.polls for one in found],
        "functions at once": [one.concurrency for one in found],
        "$ a month without video": [sum(cost(load, "none").values()) for load in LARGE],
    }
    lines += [
        f"| {name} | {' | '.join(f'{value:,.0f}' for value in values)} |"
        for name, values in rows.items()
    ]
    return "\n".join(lines)


def limit_table(load: Load) -> str:
    lines = ["| Limit | Value | Used | Hit at agents | Past it |", "|---|---|---|---|---|"]
    lines += [
        f"| {hit.quota.name}{'' if hit.quota.adjustable else ' (fixed)'} | {hit.quota.value:,.0f} "
        f"| {hit.used:,.0f} ({hit.share:.1f} x) | {hit.agents:,.0f} | {hit.quota.past} |"
        for hit in limits(load)
    ]
    return "\n".join(lines)


def as_json() -> str:
    return json.dumps(
        [
            {
                "load": asdict(load),
                "rates": asdict(rates(load)),
                "cost": {ingest: cost(load, ingest) for ingest in ("none", *INGESTS)},
                "limits": [asdict(hit) for hit in limits(load)],
            }
            for load in (*SMALL, *LARGE)
        ],
        indent=1,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_model", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON text")
    if parser.parse_args().json:
        print(as_json())
        return
    print(cost_table(), rate_table(), limit_table(LARGE[0]), sep="\n\n")


if __name__ == "__main__":
    main()
