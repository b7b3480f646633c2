"""What a worker tells of itself: plain calls at assignments, restores and batches, for metrics and watchdogs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from tradewind.connectors.kafka.json_events import time_to_json
from tradewind.connectors.settings import Settings
from tradewind.connectors.telemetry.metrics import GROUP, SYSTEM
from tradewind.connectors.telemetry.process import Telemetry
from tradewind.streams.runtime.account import TaskSize
from tradewind.streams.runtime.agent import Agent, group_of
from tradewind.streams.runtime.facts import Facts, Waiting
from tradewind.streams.runtime.hold import Wait
from tradewind.streams.runtime.inbox import Inbox
from tradewind.streams.runtime.lease import TopicPartition, named
from tradewind.streams.runtime.outbox import Outcome
from tradewind.streams.runtime.progress import Progress
from tradewind.streams.runtime.tasks import Batch
from tradewind.streams.runtime.watchdog import Seen, Stuck


class Observer:
    """Watches one worker. The worker's event loop calls `assigned` to `ended`, the watch's thread the rest."""

    def __init__(self, agent: Agent, settings: Settings, telemetry: Telemetry) -> None:
        self.agent = agent
        self.group = group_of(agent, settings)
        self._facts = Facts(None if agent.hold is None else settings.physical(agent.hold.topic))
        self._spans = telemetry.spans
        self._begun_us = 0
        self._measures = None
        if telemetry.instruments is not None:
            from tradewind.streams.runtime.measures import Measures  # noqa: PLC0415 - loads OpenTelemetry

            self._measures = Measures(self.group, self._facts, telemetry.instruments)
        self._until = "" if agent.hold is None else settings.physical(agent.hold.until)
        telemetry.health.must_be_ready(f"agent {agent.name}", self.reasons)

    @property
    def traces(self) -> bool:
        """Whether spans are wanted."""
        return self._spans is not None

    def assigned(self) -> None:
        """Note an assignment."""
        self._facts.rebalances += 1

    def restoring(self, progress: Callable[[], Progress]) -> None:
        """Note that tasks are brought to what is committed; `progress` tells how far that is."""
        self._facts.progress = progress
        self._facts.restoring_since_s = time.monotonic()
        self._facts.established = False

    def restored(self, positions: Mapping[TopicPartition, int], sizes: Mapping[int, TaskSize]) -> None:
        """Note that the tasks are restored, where each input goes on, and what each task holds."""
        facts = self._facts
        if self._measures is not None and facts.restoring_since_s is not None:
            self._measures.restored(time.monotonic() - facts.restoring_since_s)
        if any(positions.get(source, 0) > facts.positions.get(source, 0) for source in facts.uncommitted):
            facts.uncommitted_since_s, facts.uncommitted = None, ()  # a commit that was in doubt has been done
        facts.begin_anew(positions, sizes)
        facts.restoring_since_s, facts.established = None, True

    def let_go(self) -> None:
        """Note that the lease has ended: the next assignment says what this worker has."""
        facts = self._facts
        facts.begin_anew({}, {})
        facts.restoring_since_s = facts.uncommitted_since_s = None
        facts.uncommitted = ()
        facts.established = False

    def began(self, batch: Batch, inboxes: Mapping[TopicPartition, Inbox]) -> None:
        """Note that a batch is run, and what it left waiting."""
        facts = self._facts
        if facts.uncommitted_since_s is None:
            facts.uncommitted_since_s = time.monotonic()
        facts.uncommitted = batch.sources(facts.held_topic)
        self._begun_us = time.time_ns() // 1000
        facts.waiting = _waiting(inboxes)
        facts.in_hand_ms = {
            source: int(chunks[0].records.timestamps[0]) for source, chunks in batch.by_source() if chunks[0].records
        }

    def ended(self, batch: Batch, outcome: Outcome, inboxes: Mapping[TopicPartition, Inbox]) -> None:
        """Note how the batch ended: metrics and spans of what has committed."""
        facts, account = self._facts, batch.account
        facts.outcomes[outcome.kind] += 1
        if outcome.kind != "committed":
            return
        facts.uncommitted_since_s, facts.uncommitted = None, ()
        facts.positions.update(account.offsets)
        facts.sizes.update(account.sizes)
        facts.in_hand_ms = {}
        facts.waiting = _waiting(inboxes)
        records = self._count(batch)
        now_us = time.time_ns() // 1000
        if self._measures is not None:
            self._measures.committed(batch, records, now_us)
        if self._spans is not None and account.traced:
            attributes = {SYSTEM: "kafka", GROUP: self.group}
            self._spans.emit(account.traced, self._begun_us, now_us, attributes, account.origins)

    def _count(self, batch: Batch) -> int:
        """Add up what was consumed and sent; returns the records of the batch."""
        facts = self._facts
        held = facts.held_topic
        consumed = {
            source: sum(len(chunk.records) for chunk in chunks)
            for source, chunks in batch.by_source()
            if source[0] != held
        }
        if held is not None:
            consumed.update({(held, partition): count for partition, count in batch.released.items()})
        facts.consumed.update(consumed)
        facts.letters.update(batch.account.letters)
        facts.sent += batch.account.sent
        return sum(consumed.values())

    def seen(self, at_s: float, ends: Mapping[TopicPartition, int] | None) -> Seen:
        """Return what watchdogs judge by, `ends` being last stable offsets, and keep those for the lag."""
        facts = self._facts
        if ends is not None:
            facts.note_ends(ends, at_s)
        restored = None if facts.restoring_since_s is None else facts.progress()
        return Seen(
            at_s, dict(facts.positions), ends, facts.uncommitted_since_s, facts.uncommitted, restored, self._waits()
        )

    def _waits(self) -> dict[TopicPartition, str]:
        """Return what each held partition waits for, in words."""
        held, sizes = self._facts.held_topic, list(self._facts.sizes.items())
        if held is None:
            return {}
        return {(held, at): waits_for(size.wait, self._until) for at, size in sizes if size.wait is not None}

    def complain(self, stuck: tuple[Stuck, ...]) -> None:
        """Take what the watchdogs say."""
        self._facts.stuck = stuck

    def reasons(self) -> list[str]:
        """Return why the worker is not ready; nothing where it is. For any thread."""
        facts, now_s = self._facts, time.monotonic()
        found = [describe(of, self.group, now_s) for of in facts.stuck]
        since_s = facts.restoring_since_s
        if since_s is not None:
            for_s = f"for {now_s - since_s:.0f} s by now"
            found.append(f"{self.group}: its tasks are being restored, {for_s}; it {facts.progress()}")
        elif not facts.established:
            found.append(f"{self.group}: it waits for an assignment of partitions")
        return found


def describe(stuck: Stuck, group: str, now_s: float) -> str:
    """Return a complaint in words."""
    for_s = f"for {now_s - stuck.since_s:.0f} s"
    if stuck.kind == "position":
        assert stuck.source is not None
        topic, partition = stuck.source
        because = f"; {stuck.detail}" if stuck.detail else ""
        stands = f"{topic}, partition {partition}, stands at {stuck.at} {for_s}"
        return f"{group}: {stands} with {stuck.behind} to read{because}"
    if stuck.kind == "transaction":
        of = f", the batch in hand is of {named(stuck.among)}" if stuck.among else ""
        return f"{group}: no transaction has committed {for_s}{of}"
    if stuck.kind == "restore":
        return f"{group}: a restore has read nothing more {for_s}; it {stuck.detail}"
    return f"{group}: the broker has not answered {for_s}"


def waits_for(wait: Wait, until: str) -> str:
    """Return what a held partition waits for in words, `until` being the topic of the heartbeats."""
    far = "there was none" if wait.reached is None else f"they have reached {time_to_json(wait.reached)}"
    of = f"heartbeats of {wait.instrument} on {until}"
    return f"its first held record, of {time_to_json(wait.ts_event)}, waits for {of}: {far}"


def _waiting(inboxes: Mapping[TopicPartition, Inbox]) -> dict[TopicPartition, Waiting]:
    return {source: Waiting(inbox.records, inbox.first_ms, not inbox.has_room) for source, inbox in inboxes.items()}
