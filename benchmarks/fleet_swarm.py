"""Many simulated agents in processes of their own, asked and told from one place."""

from __future__ import annotations

import asyncio
import multiprocessing as mp
import resource
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.fleet_agent import Arrival, SimulatedAgent

OPEN_FILES = 16_384


@dataclass(frozen=True, slots=True)
class Member:
    """Who a simulated agent is, and where its certificate and key lie."""

    fleet: str
    agent: str
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """What one process simulates, and against which broker."""

    members: tuple[Member, ...]
    authority: Path
    host: str
    port: int
    telemetry_seconds: float


@dataclass(frozen=True, slots=True)
class Count:
    """How a swarm is connected."""

    agents: int
    connected: int
    connections: int
    last_connected_at: float  # of the monotonic clock, in seconds


class Swarm:
    """A context manager: its processes end with it."""

    def __init__(
        self,
        members: Sequence[Member],
        authority: Path,
        host: str,
        port: int,
        telemetry_seconds: float = 10.0,
        per_process: int = 500,
    ) -> None:
        context = mp.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for start in range(0, len(members), per_process):
            part = tuple(members[start : start + per_process])
            plan = Plan(part, authority, host, port, telemetry_seconds)
            ours, theirs = context.Pipe()
            process = context.Process(target=_simulate, args=(plan, theirs), daemon=True)
            process.start()
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Swarm:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.join()

    def count(self) -> Count:
        parts: list[Count] = self._ask("count")
        return Count(
            sum(part.agents for part in parts),
            sum(part.connected for part in parts),
            sum(part.connections for part in parts),
            max(part.last_connected_at for part in parts),
        )

    def arrivals(self) -> list[Arrival]:
        """Documents that came since this was asked last."""
        parts: list[list[Arrival]] = self._ask("arrivals")
        return [arrival for part in parts for arrival in part]

    def fail_updates(self, agents: Sequence[str]) -> None:
        """Let these agents refuse the next model."""
        self._ask(("fail", frozenset(agents)))

    def _ask(self, question: object) -> list:  # type: ignore[type-arg]
        for pipe in self._pipes:
            pipe.send(question)
        return [pipe.recv() for pipe in self._pipes]


def _simulate(plan: Plan, pipe: Connection) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, most), most))
    asyncio.run(_all(plan, pipe))


async def _all(plan: Plan, pipe: Connection) -> None:
    agents = list(_agents(plan))
    tasks = [asyncio.ensure_future(agent.run()) for agent in agents]
    tasks += [asyncio.ensure_future(agent.telemetry(plan.telemetry_seconds)) for agent in agents]
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(pipe.fileno(), asked.set)
    while True:
        await asked.wait()
        asked.clear()
        while pipe.poll():
            pipe.send(_answer(agents, pipe.recv()))


def _agents(plan: Plan) -> Iterator[SimulatedAgent]:
    for member in plan.members:
        tls = ssl.create_default_context(cafile=str(plan.authority))
        tls.load_cert_chain(member.certificate, member.key)
        yield SimulatedAgent(member.fleet, member.agent, plan.host, plan.port, tls)


def _answer(agents: list[SimulatedAgent], question: object) -> object:
    if question == "count":
        return Count(
            len(agents),
            sum(agent.connected for agent in agents),
            sum(agent.connections for agent in agents),
            max(agent.connected_at for agent in agents),
        )
    if question == "arrivals":
        found = [arrival for agent in agents for arrival in agent.arrivals]
        for agent in agents:
            agent.arrivals.clear()
        return found
    if isinstance(question, tuple) and question[0] == "fail":
        for agent in agents:
            agent.fails_updates = agent.agent in question[1]
    return None
