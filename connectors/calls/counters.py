"""What a caller has done so far, for telemetry and for tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Counts since the start of the process."""

    read: int = 0
    """Records of calls taken from Kafka; at each assignment, those since the oldest call without an attempt."""
    sent: int = 0
    """Calls that were claimed and performed."""
    outcomes: dict[str, int] = field(default_factory=dict)
    """Attempts published, by outcome; LOST, RETURNED and EXPIRED among them."""
    transactions: int = 0
    """Of claims and attempts."""
    refused: int = 0
    """Transactions that the broker refused, since the lease had ended."""
    undecodable: int = 0
    """Records that no schema fits; they are in the dead letters."""
    poison: int = 0
    """Records that are out of range; they are in the dead letters."""

    def ended(self, outcomes: Iterable[str]) -> None:
        """Count attempts that are published."""
        for outcome in outcomes:
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
