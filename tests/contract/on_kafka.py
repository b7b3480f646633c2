"""The contract's cases on Kafka: every agent in one worker, and those that stop in one of their own."""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Self, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka import TopicPartition as Coordinates
from runtime.cluster import Cluster, delivered
from runtime.records import CODEC

from contract.cases import CASES
from contract.in_memory import by_origin, in_memory, place_in
from contract.steps import Case, Given, Seen, Sent
from tradewind.connectors.dead_letters import letters, marks, plan, send, survey
from tradewind.connectors.dead_letters.skips import write_skip
from tradewind.connectors.settings import Settings
from tradewind.infra.cli.dead_letters.skip import check_ahead, record_at, skip_of
from tradewind.schemas.event import Event
from tradewind.schemas.runtime import DeadLetter, TaskPosition
from tradewind.streams.runtime import Agent, AgentCrashed
from tradewind.streams.runtime.agent import POSITION_KEY, changelog_topic, dead_letter_topic, skips_topic
from tradewind.streams.runtime.work.dead_letters import owner_of
from tradewind.streams.runtime.work.state import RESERVED
from tradewind.topics import Topic

SEEN_S = 30.0  # for all that the kit shows to be seen; only a difference takes that long
MORE_S = 0.3  # for anything beyond it
CRASH_S = 60.0
SENT_S = 120.0  # a broker on busy cores needs its time to make some hundred partitions


async def on_kafka(settings: Settings, folder: Path) -> dict[str, list[Seen]]:
    """Play every case; return by name what there is to see after each step."""
    cluster = Cluster(settings, folder)
    cluster.create(*(case.agent for case in CASES.values()))
    with Reader(settings, [case.agent for case in CASES.values()]) as reader:
        kafka = Kafka(cluster, reader)
        stopping = [case for case in CASES.values() if case.crashes]
        others = [case for case in CASES.values() if not case.crashes]
        await asyncio.gather(kafka.play(others), *map(kafka.play_crash, stopping))
        return kafka.seen


class Reader:
    """Keeps all that is committed on the topics that agents write to."""

    def __init__(self, settings: Settings, agents: Collection[Agent]) -> None:
        self._physical = settings.physical
        self._consumer = Consumer(
            {
                **settings.librdkafka(),
                "group.id": settings.physical("contract"),
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 20,
            }
        )
        self._records: defaultdict[tuple[str, int], list[Message]] = defaultdict(list)
        written = {
            topic.name: topic
            for agent in agents
            for topic in (*agent.outputs, dead_letter_topic(agent), changelog_topic(agent))
        }
        places = [(topic, partition) for topic in written.values() for partition in range(topic.partitions)]
        self._consumer.assign([Coordinates(settings.physical(at), part, OFFSET_BEGINNING) for at, part in places])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def read(self) -> None:
        """Take in what is there."""
        while batch := self._consumer.consume(5_000, 0.05):
            for message in batch:
                if (error := message.error()) is not None:
                    assert error.code() == KafkaError._ALL_BROKERS_DOWN, KafkaException(error)
                    continue
                self._records[message.topic(), message.partition()].append(message)

    def seen(self, agent: Agent, crash: str | None = None) -> Seen:
        """Return what an agent has sent and kept so far."""
        states: dict[int, dict[str, Event]] = {}
        positions: dict[tuple[str, int], int] = {}
        inputs = {topic.name for topic in agent.inputs}
        for partition in range(agent.partitions):
            values = {
                message.key().decode(): message.value() for message in self._of(changelog_topic(agent), partition)
            }
            kept = {key: CODEC.decode(value) for key, value in sorted(values.items()) if value is not None}
            position = kept.get(POSITION_KEY)
            if isinstance(position, TaskPosition):
                told = {str(at["topic"]): int(at["next"]) for at in position.inputs}
                positions |= {(topic, partition): told[topic] for topic in told.keys() & inputs}
            states[partition] = {key: value for key, value in kept.items() if not key.startswith(RESERVED)}
        letters = sorted(self._sent(dead_letter_topic(agent)), key=by_origin)
        return Seen({topic.name: self._sent(topic) for topic in agent.outputs}, letters, states, positions, crash)

    def _of(self, topic: Topic, partition: int) -> list[Message]:
        return self._records[self._physical(topic), partition]

    def _sent(self, topic: Topic) -> list[Sent]:
        return [
            Sent(
                partition,
                message.key(),
                CODEC.decode(message.value()),
                message.timestamp()[1],
                tuple(message.headers() or ()),
            )
            for partition in range(topic.partitions)
            for message in self._of(topic, partition)
        ]


class Kafka:
    """Plays cases on a cluster, step by step: a step is done once what the kit shows is seen, or never comes."""

    def __init__(self, cluster: Cluster, reader: Reader) -> None:
        self._cluster = cluster
        self._reader = reader
        self._reading = asyncio.Lock()
        self._producer = Producer({**cluster.settings.librdkafka(), "linger.ms": 5, "enable.idempotence": True})
        self.seen: defaultdict[str, list[Seen]] = defaultdict(list)
        self._different: set[str] = set()

    async def play(self, cases: Collection[Case]) -> None:
        """Run agents in one worker, a step of each at a time."""
        self._publish(given for case in cases for given in case.steps[0].given)
        async with self._cluster.running(*(case.agent for case in cases)):
            for number in range(max(len(case.steps) for case in cases)):
                now = [case for case in cases if number < len(case.steps)]
                if number:
                    self._publish(given for case in now for given in case.steps[number].given)
                for case in now:
                    if case.steps[number].redrive:
                        await asyncio.to_thread(self._redrive, case.agent)
                await self._see(now, number)

    async def play_crash(self, case: Case) -> None:
        """Run an agent that stops in its second step, and in the third what repairs it, or itself after a skip."""
        first, second, third, *rest = case.steps
        assert second.crashes
        self._publish(first.given)
        crash = None
        try:
            async with self._cluster.running(case.agent) as worker:
                await self._see([case], 0)
                self._publish(second.given)
                await asyncio.wait({worker}, timeout=CRASH_S)
        except AgentCrashed as reason:
            crash = str(reason)
        await self._see([case], 1, crash)
        if third.skip:
            await asyncio.to_thread(self._skip, case.agent, crash or "", third.skip)
        async with self._cluster.running(third.repaired or case.agent):
            await self._see([case], 2)
            for number, step in enumerate(rest, 3):
                self._publish(step.given)
                await self._see([case], number)

    def _skip(self, agent: Agent, crash: str, reason: str) -> None:
        """Do what `tradewind dlq skip` does, as the agent's last words say."""
        settings = self._cluster.settings
        topic, partition, offset = place_in(agent, crash)
        check_ahead(settings, agent, topic.name, partition, offset)
        made = skip_of(agent.name, (topic.name, partition), record_at(settings, topic.name, partition, offset), reason)
        told = skips_topic(agent)
        write_skip(settings, told, told.key(made), CODEC.encode(made))

    def _publish(self, records: Iterable[Given]) -> None:
        for given in records:
            for partition, key, value in given.places():
                name = self._cluster.settings.physical(given.topic)
                self._producer.produce(
                    name, value, key, partition, delivered, timestamp=given.timestamp, headers=list(given.headers)
                )
        assert self._producer.flush(SENT_S) == 0

    def _redrive(self, agent: Agent) -> None:
        """Do what `tradewind dlq redrive` does."""
        settings, owner = self._cluster.settings, owner_of(agent)
        assert owner.returns is not None
        known = marks(settings, owner, CODEC)
        found = survey((letter for _, letter in letters(settings, owner, CODEC, print)), known)
        send(settings, owner, CODEC, plan(found, owner.returns))

    async def _see(self, cases: Collection[Case], number: int, crash: str | None = None) -> None:
        """Wait until all is seen that the kit shows, and then for anything more; keep what there is."""
        begun = time.monotonic()
        waiting = [case for case in cases if case.agent.name not in self._different]
        while waiting and time.monotonic() - begun < SEEN_S:
            await self._read()
            waiting = [case for case in waiting if not self._is_seen(case, number)]
        self._different |= {case.agent.name for case in waiting}
        await asyncio.sleep(MORE_S)
        await self._read()
        for case in cases:
            self.seen[case.agent.name].append(self._reader.seen(case.agent, crash))

    async def _read(self) -> None:
        async with self._reading:
            await asyncio.to_thread(self._reader.read)

    def _is_seen(self, case: Case, number: int) -> bool:
        expected = replace(in_memory(case.agent.name)[number], crash=None)
        return unsigned(self._reader.seen(case.agent)).by_key() == unsigned(expected).by_key()


def unsigned(seen: Seen) -> Seen:
    """Return the same without who said when that a record is skipped."""

    def without(sent: Sent) -> Sent:
        letter = cast("DeadLetter", sent.event)
        return replace(
            sent, event=replace(letter, reason=re.sub("by hand, by .* at [^ ]*:", "by hand:", letter.reason))
        )

    return replace(seen, letters=[without(one) for one in seen.letters])
