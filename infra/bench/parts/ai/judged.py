"""What all topics, the provider and PostgreSQL say after faults: each figure is of what must not be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypeVar

from tradewind.connectors.ai.reconciling import held_calls
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.ai.asked import TENANTS, Asked
from tradewind.infra.bench.parts.ai.provider import Provider
from tradewind.schemas.ai import AiAttempt, AiCall, AiPrice
from tradewind.schemas.billing import Usage
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.topics import AI_ATTEMPTS, AI_CALLS, USAGE, Topic

E = TypeVar("E", bound=Event)
Total = tuple[str, str]
"""Meter and dimension."""
MICRO = Decimal("0.000001")
MILLION = Decimal(1_000_000)
WRITTEN_S = 120.0  # for rating, and for the sink, to have all
VERIFIED_S = 600.0
VERIFIED = ("ai", "rating")


class Judged:
    """Reads everything once; `figures` are 0 if all is right."""

    def __init__(self, settings: Settings, codec: Codec, provider: Provider, asked: Asked, price: AiPrice) -> None:
        self._settings, self._codec, self._provider = settings, codec, provider
        self._asked, self._price = asked, price
        self._environment = {**os.environ, "TRADEWIND_DATA": str(settings.data)}
        self.calls = list(self._all(AI_CALLS, AiCall))
        self.attempts = list(self._all(AI_ATTEMPTS, AiAttempt))
        self.usage = list(self._all(USAGE, Usage))

    def figures(self, claimed: set[str]) -> dict[str, int]:
        """Return what is wrong, by name; `claimed` has the calls that processes had claimed when they died."""
        sent = Counter(one.call_id for one in self._provider.log)
        known = {call.call_id for call in self.calls}
        lost = {one.call_id for one in self.attempts if one.outcome == "LOST"}
        by_meter = Counter((one.call_id, one.meter) for one in self.usage)
        return {
            "requests_without_a_response": len(self._asked.requests - self._asked.responses.keys()),
            "requests_with_two_responses": sum(count > 1 for count in self._asked.responses.values()),
            "call_ids_ordered_twice": len(self.calls) - len(known),
            "call_ids_sent_twice": sum(count > 1 for count in sent.values()),
            "calls_sent_without_an_order": len(sent.keys() - known),
            "calls_lost_that_waited": len(lost - sent.keys() - claimed),
            "usage_counted_twice": sum(count > 1 for count in by_meter.values()),
            "usage_sequences_missing": self._missing(),
            "usage_of_other_tokens": self._other_tokens(),
            "millionths_counted_and_not_held": self._not_held(),
            "totals_that_differ": self._totals_that_differ(),
            **{f"replays_of_{name}_that_differ": self._differs(name) for name in VERIFIED},
        }

    def counts(self) -> dict[str, int]:
        """Return how often what happened."""
        outcomes = Counter(one.outcome for one in {one.event_id: one for one in self.attempts}.values())
        return {"requests": len(self._asked.requests), "calls": len(self.calls), **dict(sorted(outcomes.items()))}

    def _all(self, topic: Topic, model: type[E]) -> Iterator[E]:
        name = self._settings.physical(topic)
        for batch in raw_records(self._settings, name, range(topic.partitions), "earliest"):
            for message in batch:
                event = self._codec.decode(message.value() or b"")
                if isinstance(event, model):
                    yield event

    def _missing(self) -> int:
        numbers: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for one in self.usage:
            numbers[one.tenant_id, one.source].append(one.sequence)
        return sum(sorted(found) != list(range(len(found))) for found in numbers.values())

    def _other_tokens(self) -> int:
        """Return how many calls have usage of other tokens than the provider has counted."""
        counted = {one.call_id: {"ai.tokens.in": one.input, "ai.tokens.out": one.output} for one in self._provider.log}
        used: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for one in self.usage:
            if one.meter in {"ai.tokens.in", "ai.tokens.out"}:
                used[str(one.call_id)][one.meter] = one.quantity
        found = ({meter: units for meter, units in counted[call_id].items() if units} for call_id in used)
        return sum(units != told for units, told in zip(used.values(), found, strict=True))

    def _not_held(self) -> int:
        """Return by how much the provider has counted more than what is spent and in suspense, millionths."""
        price = self._price
        counted = 0
        for one in self._provider.log:
            exact = (one.input * price.input_per_million + one.output * price.output_per_million) / MILLION
            counted += -(-exact // MICRO)
        held = held_calls(self.attempts)
        suspense = sum((call.reserved for call in self.calls if call.call_id in held), Decimal(0)) / MICRO
        spent = sum(one.quantity for one in self.usage if one.meter == "ai.cost")
        return max(0, int(counted - suspense - spent))

    def _totals_that_differ(self) -> int:
        """Return how many totals of `tradewind usage` are not the sums over the raw records."""
        sums: dict[str, Counter[Total]] = {name: Counter() for name in TENANTS}
        for one in self.usage:
            sums[one.tenant_id][one.meter, one.dimension] += one.quantity
        deadline = time.monotonic() + WRITTEN_S
        while True:
            differ = sum(len(dict(sums[name].items() ^ self._told(name).items())) for name in TENANTS)
            if not differ or time.monotonic() > deadline:
                return differ
            time.sleep(1.0)

    def _told(self, tenant: str) -> dict[Total, int]:
        totals: list[dict[str, Any]] = json.loads(self._run("usage", tenant, "--json").stdout)["totals"]
        return {(one["meter"], one["dimension"]): one["quantity"] for one in totals}

    def _differs(self, agent: str) -> int:
        return int(self._run("replay", "--verify", agent, check=False).returncode != 0)

    def _run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "tradewind.infra.cli", *arguments]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=VERIFIED_S, check=check
        )
