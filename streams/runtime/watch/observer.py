"""What a worker tells of itself: plain calls at assignments, restores and batches, for metrics and watchdogs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.kafka.json_events import time_to_json
from tradewind.connectors.settings import Settings
from tradewind.connectors.telemetry.metrics import GROUP, SYSTEM
from tradewind.connectors.telemetry.process import Telemetry
from tradewind.connectors.watchdogs.watchdog import Seen, Stuck
from tradewind.connectors.watchdogs.words import describe, named
from tradewind.streams.runtime.agent import Agent, group_of, redrive_topic
from tradewind.streams.runtime.commit.outbox import Outcome
from tradewind.streams.runtime.lease import TopicPartition
from tradewind.streams.runtime.read.inbox import Inbox
from tradewind.streams.runtime.watch.facts import Facts, Waiting
from tradewind.streams.runtime.watch.progress import Progress
from tradewind.streams.runtime.watch.statistics import TaskSize
from tradewind.streams.runtime.work.assigned_tasks import Batch
from tradewind.streams.runtime.work.hold import Wait

UNASSIGNED = "it waits for an assignment of partitions"


class Observer:
    """Watches one worker. The worker's event loop calls what begins with `note_`, the watch's thread the rest."""

    def __init__(self, agent: Agent, settings: Settings, telemetry: Telemetry) -> None:
        self.agent = agent
        self.group = group_of(agent, settings)
        self.inputs = (*agent.inputs, redrive_topic(agent))
        self._facts = Facts(None if agent.hold is None else settings.physical(agent.hold.topic))
        self._spans = telemetry.spans
        self._begun_us = 0
        self._measures = None
        if telemetry.instruments is not None:
            from tradewind.streams.runtime.watch.measures import Measures  # noqa: PLC0415 - loads OpenTelemetry

            self._measures = Measures(self.group, self._facts, telemetry.instruments)
        self._others = [settings.physical(topic) for topic in self.inputs if not topic.broadcast]
        self._until = "" if agent.hold is None else settings.physical(agent.hold.until)
        through = None if agent.hold is None else agent.hold.through
        self._through = "" if through is None else settings.physical(through)
        telemetry.health.must_be_ready(f"agent {agent.name}", self.reasons)
        telemetry.health.add_details("held", self.held_partitions)
        telemetry.health.add_details("waiting", self.waiting)
        telemetry.health.add_details("restoring", self.restoring)

    @property
    def traces(self) -> bool:
        """Whether spans are wanted."""
        return self._spans is not None

    def note_assignment(self) -> None:
        """Note an assignment."""
        self._facts.rebalances += 1

    def note_restoring(self, progress: Callable[[], Progress]) -> None:
        """Note that tasks are brought to what is committed; `progress` tells how far that is."""
        self._facts.progress = progress
        self._facts.restoring_since_s = time.monotonic()
        self._facts.established = False

    def note_restored(self, positions: Mapping[TopicPartition, int], sizes: Mapping[int, TaskSize]) -> None:
        """Note that the tasks are restored, where each input goes on, and what each task holds."""
        facts = self._facts
        if self._measures is not None and facts.restoring_since_s is not None:
            self._measures.record_restore(time.monotonic() - facts.restoring_since_s)
        if any(positions.get(source, 0) > facts.positions.get(source, 0) for source in facts.uncommitted):
            facts.uncommitted_since_s, facts.uncommitted = None, ()  # a commit that was in doubt has been done
        facts.begin_anew(positions, sizes)
        facts.restoring_since_s, facts.established = None, True

    def note_lease_end(self) -> None:
        """Note that the lease has ended: the next assignment says what this worker has."""
        facts = self._facts
        facts.begin_anew({}, {})
        facts.restoring_since_s = facts.uncommitted_since_s = None
        facts.uncommitted = ()
        facts.established = False

    def note_begin(self, batch: Batch, inboxes: Mapping[TopicPartition, Inbox]) -> None:
        """Note that a batch is run, and what it left waiting."""
        facts = self._facts
        if facts.uncommitted_since_s is None:
            facts.uncommitted_since_s = time.monotonic()
        facts.uncommitted = batch.sources(facts.held_topic)
        self._begun_us = clock_us()
        facts.waiting = _waiting(inboxes)
        facts.in_hand_ms = {
            source: int(chunks[0].records.timestamps[0]) for source, chunks in batch.by_source() if chunks[0].records
        }

    def note_end(self, batch: Batch, outcome: Outcome, inboxes: Mapping[TopicPartition, Inbox]) -> None:
        """Note how the batch ended: metrics and spans of what has committed."""
        facts, statistics = self._facts, batch.statistics
        facts.outcomes[outcome.kind] += 1
        if outcome.kind != "committed":
            return
        facts.uncommitted_since_s, facts.uncommitted = None, ()
        facts.positions.update(statistics.offsets)
        facts.sizes.update(statistics.sizes)
        facts.in_hand_ms = {}
        facts.waiting = _waiting(inboxes)
        records = self._count(batch)
        now_us = clock_us()
        if self._measures is not None:
            self._measures.record_commit(batch, records, now_us)
        if self._spans is not None and statistics.traced:
            attributes = {SYSTEM: "kafka", GROUP: self.group}
            self._spans.emit(statistics.traced, self._begun_us, now_us, attributes, statistics.origins)

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
        facts.letters.update(batch.statistics.letters)
        facts.sent += batch.statistics.sent
        return sum(consumed.values())

    def seen(self, at_s: float, ends: Mapping[TopicPartition, int] | None) -> Seen:
        """Return what watchdogs judge by, `ends` being last stable offsets, and keep those for the lag."""
        facts = self._facts
        if ends is not None:
            facts.note_ends(ends, at_s)
        restored = None if facts.restoring_since_s is None else facts.progress()
        return Seen(
            at_s,
            dict(facts.positions),
            ends,
            facts.uncommitted_since_s,
            facts.uncommitted,
            restored,
            self._waits(),
            UNASSIGNED if restored is None and not facts.established else "",
            facts.rebalances,
        )

    def _waits(self) -> dict[TopicPartition, str]:
        """Return what each held partition waits for, in words."""
        held, sizes = self._facts.held_topic, list(self._facts.sizes.items())
        found = {(name, at): size.waits for at, size in sizes if size.waits for name in self._others}
        if held is not None:
            found |= {
                (held, at): waits_for(size.wait, self._until, self._through)
                for at, size in sizes
                if size.wait is not None
            }
        return found

    def waiting(self) -> list[dict[str, object]]:
        """Return why tasks process nothing but broadcast inputs, and which. For any thread."""
        by_reason: dict[str, list[int]] = {}
        for at, size in sorted(self._facts.sizes.copy().items()):
            if size.waits:
                by_reason.setdefault(size.waits, []).append(at)
        return [
            {"group": self.group, "partitions": tasks, "reason": reason} for reason, tasks in sorted(by_reason.items())
        ]

    def restoring(self) -> list[dict[str, object]]:
        """Return the group while its tasks are being restored. For any thread."""
        since_s = self._facts.restoring_since_s
        return [] if since_s is None else [{"group": self.group, "seconds": round(time.monotonic() - since_s, 1)}]

    def held_partitions(self) -> list[dict[str, object]]:
        """Return each partition that is held: by what, since when, and how many records wait. For any thread."""
        facts, now_s = self._facts, time.monotonic()
        lags, stands = facts.lags(), facts.stands
        return [
            {
                "group": self.group,
                "topic": facts.held_topic,
                "partition": at,
                "instrument": size.wait.key,
                "ts_event": time_to_json(size.wait.ts_event),
                "until": self._until,
                "reached": None if size.wait.reached is None else time_to_json(size.wait.reached),
                "seconds": round(now_s - stands[source][1], 1) if source in stands else 0.0,
                "records": max(lags.get(source, 0), size.held),
                "through": self._through,
                "behind": list(size.wait.behind),
            }
            for at, size in sorted(facts.sizes.copy().items())
            if size.wait is not None and (source := (facts.held_topic or "", at))
        ]

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
            found.append(f"{self.group}: {UNASSIGNED}")
        return found


def waits_for(wait: Wait, until: str, through: str = "") -> str:
    """Return what a held partition waits for in words.

    `until` is the topic of the heartbeats, `through` the one whose partitions pass them on.
    """
    far = "there was none" if wait.reached is None else f"they have reached {time_to_json(wait.reached)}"
    of = f"heartbeats of {wait.key} on {until}"
    which = "" if not wait.behind else f"; behind: {named((through, lane) for lane in wait.behind)}"
    return f"its first held record, of {time_to_json(wait.ts_event)}, waits for {of}: {far}{which}"


def _waiting(inboxes: Mapping[TopicPartition, Inbox]) -> dict[TopicPartition, Waiting]:
    return {source: Waiting(inbox.records, inbox.first_ms, not inbox.has_room) for source, inbox in inboxes.items()}
