"""Buckets of tokens: how many calls somebody may make, on average and at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

US_PER_S: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Policy:
    """How much somebody may do of one kind."""

    name: str
    per_s: int
    """Tokens that come back each second."""
    burst: int
    """The most that a bucket holds: so many calls may come at once."""

    @property
    def window_s(self) -> int:
        """After so long an empty bucket is full again."""
        return math.ceil(self.burst / self.per_s)


@dataclass(slots=True)
class Bucket:
    """Tokens that are left; full at first."""

    policy: Policy
    tokens: float
    at_us: int
    """When they were counted, of a clock that never steps, µs."""

    @classmethod
    def full(cls, policy: Policy, now_us: int) -> Bucket:
        """Return a bucket of which nothing was taken."""
        return cls(policy, float(policy.burst), now_us)

    def take(self, wanted: int, now_us: int) -> int:
        """Take up to so many tokens and return how many there were."""
        came = (now_us - self.at_us) * self.policy.per_s / US_PER_S
        self.tokens = min(float(self.policy.burst), self.tokens + came)
        self.at_us = now_us
        taken = min(wanted, int(self.tokens))
        self.tokens -= taken
        return taken

    def next_s(self) -> float:
        """Return after how many seconds there is a token again; 0 if there is one."""
        return max(0.0, (1.0 - self.tokens) / self.policy.per_s)
