"""How long the comparison of the cluster and the guard beside a process wait for what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LookTimings:
    """In seconds."""

    answer_s: float = 15.0
    """How long Kafka may take to answer: a healthy broker takes milliseconds, one that was killed is back in 13 s."""
    settle_s: float = 5.0
    """How long a topic may seem missing: a broker that has just started answers before it knows all topics."""
    again_s: float = 0.5
    """Between two looks that wait for either."""
    known_s: float = 10.0
    """How long a start waits for PostgreSQL to tell what was known: longer than PostgreSQL recovers from a crash."""
    start_s: float = 60.0
    """How long a start waits for Kafka, as it does for the registry."""
    every_s: float = 10.0
    """Between two looks of a process that runs: one costs some 10 ms of processor time."""
    look_s: float = 5.0
    """How long such a look waits for Kafka: the watchdogs report a broker that is away."""
    close_s: float = 0.5
    """How long a process that ends waits for a look under way: a sink must end within 5 s of a stop."""


USUAL = LookTimings()
"""What processes have in service."""
