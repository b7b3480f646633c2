"""The contract's cases on the test kit."""

from __future__ import annotations

import re
from functools import cache
from typing import cast

import pytest

from contract.cases import CASES
from contract.steps import Case, Seen, Sent
from tradewind.streams.runtime import Agent, AgentCrashed
from tradewind.streams.runtime.agent import dead_letter_topic, redrive_topic
from tradewind.testing import MemoryAgent, MemoryBroker
from tradewind.topics import Topic


@cache
def in_memory(name: str) -> list[Seen]:
    """Return what there is to see after each step of a case."""
    return play(CASES[name])


def play(case: Case, limit: int | None = None) -> list[Seen]:
    """Return what there is to see after each step, with batches of at most `limit` records of each partition."""
    broker, kit, seen, crash = MemoryBroker(), None, list[Seen](), None
    for step in case.steps:
        for given in step.given:
            for partition, key, value in given.places():
                broker.append(
                    given.topic,
                    value,
                    key=key,
                    partition=partition,
                    timestamp_ms=given.timestamp,
                    headers=given.headers,
                )
        if kit is None:  # `latest` begins after what was there before
            kit = MemoryAgent(case.agent, broker)
        if step.repaired is not None:
            kit = MemoryAgent(step.repaired, broker)
        if step.redrive:
            kit.redrive()
        if step.skip:
            assert crash is not None
            topic, partition, offset = place_in(case.agent, crash)
            kit.skip(topic, partition, offset, step.skip)
        crash = None
        if step.crashes:
            with pytest.raises(AgentCrashed) as crashed:
                kit.run(limit)
            crash = str(crashed.value)
        else:
            kit.run(limit)
        seen.append(_seen(kit, crash))
    return seen


def place_in(agent: Agent, crash: str) -> tuple[Topic, int, int]:
    """Return (topic, partition, offset) of the command that an agent names as it stops."""
    found = re.search(rf"tradewind dlq skip {agent.name} (\S+) (\d+) (\d+)$", crash)
    assert found is not None, crash
    topics = {topic.name: topic for topic in (*agent.inputs, redrive_topic(agent))}
    return topics[found[1]], int(found[2]), int(found[3])


def _seen(kit: MemoryAgent, crash: str | None) -> Seen:
    inputs = {topic.name for topic in kit.agent.inputs}
    return Seen(
        sent={topic.name: _sent(kit, topic) for topic in kit.agent.outputs},
        letters=sorted(_sent(kit, dead_letter_topic(kit.agent)), key=by_origin),
        states=kit.states(),
        positions={at: offset for at, offset in kit.positions().items() if at[0] in inputs},
        crash=crash,
    )


def _sent(kit: MemoryAgent, topic: Topic) -> list[Sent]:
    decode = kit.broker.codec.decode
    return [
        Sent(
            record.partition,
            record.key,
            decode(record.value or b""),
            record.timestamp,
            cast("tuple[tuple[str, bytes], ...]", tuple(record.headers)),
        )
        for record in kit.broker.records(topic)
    ]


def by_origin(sent: Sent) -> tuple[str, int, int, int]:
    """Return where the record of a dead letter lay, and the attempt."""
    letter = sent.event
    return letter.topic, letter.partition, letter.offset, letter.attempt  # type: ignore[attr-defined]
