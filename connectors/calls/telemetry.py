"""What a caller tells of itself: its counters, its lag, whether it is ready, and what its watchdogs say."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from tradewind.connectors.calls.loop import Caller
from tradewind.connectors.kafka.offsets import Place
from tradewind.connectors.telemetry import metrics
from tradewind.connectors.telemetry.metrics import GROUP, KIND, OUTCOME, PARTITION, SYSTEM, TOPIC, Metric
from tradewind.connectors.telemetry.process import Telemetry
from tradewind.connectors.watchdogs.watchdog import Kind, Seen, Stuck
from tradewind.connectors.watchdogs.words import describe

KINDS: tuple[Kind, ...] = ("assignment", "broker")
"""Complaints that are of no partition, and that a caller can have."""
Points = list[tuple[float, dict[str, str]]]


class CallerTelemetry:
    """Tells of one caller, whenever somebody asks: from other threads."""

    def __init__(self, caller: Caller, telemetry: Telemetry) -> None:
        """Be asked from now on."""
        self.group = caller.group
        self.inputs = (caller.kind.calls,)
        self._caller = caller
        self._labels = {SYSTEM: "kafka", GROUP: caller.group}
        self._ends: Mapping[Place, int] = {}
        self._stuck: tuple[Stuck, ...] = ()
        if telemetry.instruments is not None:
            telemetry.instruments.add_source(self.points)
        telemetry.health.must_be_ready(caller.name, self.reasons)

    def seen(self, at_s: float, ends: Mapping[Place, int] | None) -> Seen:
        """Return what watchdogs judge by, `ends` being last stable offsets, and keep those for the lag."""
        if ends is not None:
            self._ends = {**self._ends, **ends}
        caller = self._caller
        why = f"its window is full: {len(caller.book.flying)} calls are in flight, {len(caller.book.turns)} wait"
        positions = caller.positions()
        return Seen(at_s, positions, ends, waits=dict.fromkeys(positions, why), waiting=caller.unread())

    def complain(self, stuck: tuple[Stuck, ...]) -> None:
        """Take what the watchdogs say."""
        self._stuck = stuck

    def reasons(self) -> list[str]:
        """Return why the caller is not ready; nothing where it is."""
        now_s = time.monotonic()
        unread = self._caller.unread()
        return [
            *(describe(of, self.group, now_s) for of in self._stuck),
            *([f"{self.group}: {unread}"] if unread else []),
        ]

    def points(self, metric: Metric) -> Iterable[tuple[float, dict[str, str]]]:
        """Return what a counter or gauge is now."""
        caller, count = self._caller, self._caller.counters
        if metric is metrics.CALLS_ATTEMPTS:
            return [(float(of), {**self._labels, OUTCOME: name}) for name, of in list(count.outcomes.items())]
        if metric is metrics.DEAD_LETTERS:
            kinds = {"UNDECODABLE": count.undecodable, "POISON": count.poison}
            return [(float(value), {**self._labels, KIND: kind}) for kind, value in kinds.items() if value]
        if metric is metrics.LAG:
            positions, ends = caller.positions(), self._ends
            return [(float(max(0, ends[at] - of)), self._of(at)) for at, of in positions.items() if at in ends]
        if metric is metrics.STUCK:
            return self._complaints()
        totals = {
            metrics.CONSUMED: count.read,
            metrics.CALLS_WAITING: len(caller.book.turns),
            metrics.CALLS_IN_FLIGHT: len(caller.book.flying),
            metrics.CALLS_REFUSED: count.refused,
        }
        return [(float(totals[metric]), self._labels)] if metric in totals else []

    def _of(self, at: Place) -> dict[str, str]:
        return {**self._labels, TOPIC: at[0], PARTITION: str(at[1])}

    def _complaints(self) -> Points:
        """Return 1 for each complaint, 0 for what could be one."""
        complaints = {of.what for of in self._stuck}
        found = [
            (float(("position", at) in complaints), {**self._of(at), KIND: "position"})
            for at in self._caller.positions()
        ]
        return found + [(float((kind, None) in complaints), {**self._labels, KIND: kind}) for kind in KINDS]
