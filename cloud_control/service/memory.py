"""What a control plane remembers between messages and requests."""

from __future__ import annotations

from dataclasses import dataclass

from cloud_control.ports import Clock, Store
from cloud_control.service import answers, once, spent, stored_publishers
from cloud_control.service.answers import Answers, MemoryAnswers, StoredAnswers
from cloud_control.service.once import MemoryOnce, Once, StoredOnce
from cloud_control.service.spent import MemorySpent, Spent, StoredSpent
from cloud_control.service.standings import MemoryStandings, Standings
from cloud_control.service.stored_standings import StoredStandings

LIVES = {
    answers.KIND: answers.KEPT_MS // 1000,
    spent.KIND: 600,
    once.KIND: once.KEPT_MS // 1000,
    stored_publishers.SESSIONS: 2 * 24 * 3600,
}
"""Kinds of documents that a store may forget by itself, and after how many seconds."""


@dataclass(frozen=True, slots=True)
class Memory:
    """alone: one process does everything, and knows since when it has; otherwise several work
    beside each other, and what is kept here outlives each of them."""

    standings: Standings
    answers: Answers
    spent: Spent
    once: Once
    alone: bool


def in_process(clock: Clock) -> Memory:
    """For one process: it begins empty, and the broker's retained messages fill it."""
    return Memory(
        MemoryStandings(), MemoryAnswers(clock), MemorySpent(clock), MemoryOnce(clock), alone=True
    )


def in_store(store: Store) -> Memory:
    """For several processes on one store."""
    return Memory(
        StoredStandings(store),
        StoredAnswers(store),
        StoredSpent(store),
        StoredOnce(store),
        alone=False,
    )
