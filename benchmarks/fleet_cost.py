"""What a fleet's messages cost on AWS IoT Core in a month, computed from list prices.

`python -m benchmarks.fleet_cost` prints the tables of docs/scale.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SECONDS = 30 * 24 * 3600  # of a month
MINUTES = SECONDS // 60
DAYS = 30

# List prices of us-east-1 in US dollars, per million.
CONNECTED_MINUTES = 0.08
MESSAGES = ((1_000e6, 1.00), (4_000e6, 0.80), (float("inf"), 0.70))  # steps: how many, at what
RULE_AND_ACTION = 0.15 + 0.15
TABLE_WRITES = 0.625  # DynamoDB on demand, up to 1 KB each

# What one agent does in a day beside telemetry.
CONNECTIONS = 4
STATE_CHANGES = 40  # of its streams, each retained
REPORTS = 10
DOCUMENTS = 4  # desired, changed

# Metered per message, by the broker's own rules: a retained one counts twice, the PUBACK of what a
# device gets counts, and so do CONNECT and SUBSCRIBE.
IN, IN_RETAINED, OUT_WITH_PUBACK = 1, 2, 2
PER_CONNECTION = (
    1  # CONNECT
    + 3  # three filters
    + IN_RETAINED  # status
    + OUT_WITH_PUBACK  # which it hears itself
    + OUT_WITH_PUBACK  # desired
    + IN_RETAINED * 2  # reported, the state of a stream
)


@dataclass(frozen=True, slots=True)
class Variant:
    """How telemetry travels. basic_ingest: straight to a rule, past the broker."""

    name: str
    telemetry_seconds: int
    basic_ingest: bool


VARIANTS = (
    Variant("as on one machine: every 10 s, published", 10, basic_ingest=False),
    Variant("every 10 s by Basic Ingest", 10, basic_ingest=True),
    Variant("every 60 s by Basic Ingest", 60, basic_ingest=True),
)


@dataclass(frozen=True, slots=True)
class Month:
    """Counts of a month of the whole fleet."""

    minutes: float
    messages: float
    rules: float
    writes: float


def month_of(agents: int, variant: Variant) -> Month:
    telemetry = agents * SECONDS / variant.telemetry_seconds
    news = agents * DAYS * (CONNECTIONS * 3 + STATE_CHANGES + REPORTS)  # a rule stores each
    messages: float = (
        agents
        * DAYS
        * (
            CONNECTIONS * PER_CONNECTION
            + (STATE_CHANGES + REPORTS) * IN_RETAINED
            + DOCUMENTS * (IN_RETAINED + OUT_WITH_PUBACK)
        )
    )
    if not variant.basic_ingest:
        messages += telemetry * IN
    return Month(agents * MINUTES, messages, telemetry + news, news + agents * SECONDS / 60)


def dollars(month: Month) -> dict[str, float]:
    return {
        "connections": month.minutes * CONNECTED_MINUTES / 1e6,
        "messages": stepped(month.messages),
        "rules": month.rules * RULE_AND_ACTION / 1e6,
        "table": month.writes * TABLE_WRITES / 1e6,
    }


def stepped(messages: float) -> float:
    cost = 0.0
    for size, price in MESSAGES:
        cost += min(messages, size) * price / 1e6
        messages = max(0.0, messages - size)
    return cost


def table(sizes: Sequence[int]) -> str:
    lines = [
        "| Agents | Telemetry | Connections | Messages | Rules | Table | Sum a month | An agent |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for agents in sizes:
        for variant in VARIANTS:
            parts = dollars(month_of(agents, variant))
            total = sum(parts.values())
            cells = [f"{value:,.0f} $" for value in parts.values()]
            lines.append(
                f"| {agents:,} | {variant.name} | {' | '.join(cells)} "
                f"| **{total:,.0f} $** | {total / agents:.3f} $ |"
            )
    return "\n".join(lines)


def rates(sizes: Sequence[int]) -> str:
    """Messages a second, on average."""
    head = ["| Agents | Telemetry, 10 s | Telemetry, 60 s | A change to all within 10 s |"]
    head += ["|---|---|---|---|"]
    rows = [(f"{n:,}", f"{n / 10:,.0f}/s", f"{n / 60:,.0f}/s", f"{n / 10:,.0f}/s") for n in sizes]
    return "\n".join(head + [f"| {' | '.join(row)} |" for row in rows])


if __name__ == "__main__":
    print(table((10_000, 1_000_000)))
    print()
    print(rates((2_000, 10_000, 1_000_000)))
