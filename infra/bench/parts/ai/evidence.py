"""What requests, calls, attempts, usage and the provider's log say together. Each figure is of what must not be."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from tradewind.connectors.ai.reconciling import held_calls
from tradewind.infra.bench.parts.ai.provider import Counted
from tradewind.schemas.ai import AiAttempt, AiCall, AiPrice
from tradewind.schemas.billing import Usage

Total = tuple[str, str]
"""Meter and dimension."""
MICRO = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was written, and all that the provider was sent."""

    requests: Collection[str]
    responses: Mapping[str, int]
    """How many responses each request has."""
    calls: Sequence[AiCall]
    attempts: Sequence[AiAttempt]
    usage: Sequence[Usage]
    log: Sequence[Counted]
    claimed: Collection[str]
    """Calls that processes had claimed when they died or froze."""
    price: AiPrice

    def wrong(self) -> dict[str, int]:
        """Return what is wrong, by name."""
        sent = Counter(one.call_id for one in self.log)
        known = {call.call_id for call in self.calls}
        lost = {one.call_id for one in self.attempts if one.outcome == "LOST"}
        by_meter = Counter((one.call_id, one.meter) for one in self.usage)
        return {
            "requests_without_a_response": len(set(self.requests) - self.responses.keys()),
            "requests_with_two_responses": sum(count > 1 for count in self.responses.values()),
            "call_ids_ordered_twice": len(self.calls) - len(known),
            "call_ids_sent_twice": sum(count > 1 for count in sent.values()),
            "calls_sent_without_an_order": len(sent.keys() - known),
            "calls_lost_that_waited": len(lost - sent.keys() - set(self.claimed)),
            "usage_counted_twice": sum(count > 1 for count in by_meter.values()),
            "usage_sequences_missing": self._missing(),
            "usage_of_other_tokens": self._other_tokens(),
            "millionths_counted_and_not_held": self._not_held(),
        }

    def counts(self) -> dict[str, int]:
        """Return how often what happened."""
        outcomes = Counter(one.outcome for one in {one.event_id: one for one in self.attempts}.values())
        return {"requests": len(self.requests), "calls": len(self.calls), **dict(sorted(outcomes.items()))}

    def totals(self, tenant: str) -> Counter[Total]:
        """Return the sums over the raw usage of a tenant."""
        found: Counter[Total] = Counter()
        for one in self.usage:
            if one.tenant_id == tenant:
                found[one.meter, one.dimension] += one.quantity
        return found

    def _missing(self) -> int:
        numbers: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for one in self.usage:
            numbers[one.tenant_id, one.source].append(one.sequence)
        return sum(sorted(found) != list(range(len(found))) for found in numbers.values())

    def _other_tokens(self) -> int:
        """Return how many calls have usage of other tokens than the provider has counted."""
        counted = {one.call_id: {"ai.tokens.in": one.input, "ai.tokens.out": one.output} for one in self.log}
        used: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for one in self.usage:
            if one.meter in {"ai.tokens.in", "ai.tokens.out"}:
                used[str(one.call_id)][one.meter] = one.quantity
        told = {call_id: {meter: units for meter, units in of.items() if units} for call_id, of in counted.items()}
        return sum(units != told.get(call_id) for call_id, units in used.items())

    def _not_held(self) -> int:
        """Return by how much the provider has counted more than what is spent and in suspense, millionths."""
        counted = sum(cost(self.price, one) for one in self.log)
        held = held_calls(self.attempts)
        suspense = sum((call.reserved for call in self.calls if call.call_id in held), Decimal(0)) / MICRO
        spent = sum(one.quantity for one in self.usage if one.meter == "ai.cost")
        return max(0, counted - int(suspense) - spent)


def cost(price: AiPrice, of: Counted) -> int:
    """Return what a call costs, millionths, rounded up: a price is of a million tokens."""
    return ceil(of.input * price.input_per_million + of.output * price.output_per_million)
