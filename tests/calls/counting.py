"""A provider in memory that counts each call by itself, and what a call costs in fractions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil
from random import Random
from typing import Any

from asking import attempt

from tradewind.processors.ai.outcomes import RULES, Outcome
from tradewind.processors.ai.prices import RATES
from tradewind.schemas.ai import AiAttempt, AiCall, AiPrice

MICRO = Decimal("0.000001")
ANSWERS: tuple[Outcome, ...] = tuple(name for name in RULES if name not in {"LOST", "RETURNED", "EXPIRED", "MISSED"})


@dataclass(frozen=True, slots=True)
class Truth:
    """What came of a call at the provider, whether or not somebody hears of it."""

    outcome: Outcome
    tokens: tuple[int, int, int, int] | None
    """By class, as `RATES` has them; None if the provider counts nothing."""
    tells: bool
    """Whether its answer tells the tokens."""


class Provider:
    """Counts each call once, by a seed and the call's id."""

    def __init__(self, seed: int) -> None:
        self.truths: dict[str, Truth] = {}
        self._seed = seed

    def ask(self, call: AiCall) -> None:
        """Be sent a call."""
        assert call.call_id not in self.truths, "a call id was sent twice"
        chance = Random(f"{self._seed} {call.call_id}")
        outcome = chance.choice(("OK", "OK", "OK", "TIMED_OUT", *ANSWERS))
        counts = RULES[outcome].money == "HOLD" and (outcome == "OK" or chance.random() < 0.7)
        counts = counts or (outcome in {"FILTERED", "ERROR"} and chance.random() < 0.3)
        first = chance.randint(1, call.input_bound)
        tokens = (first, *_parts(call.input_bound - first, chance), chance.randint(0, call.max_tokens))
        tells = counts and (RULES[outcome].money == "RELEASE" or chance.random() < 0.8)
        self.truths[call.call_id] = Truth(outcome, tokens if counts else None, tells)

    def answer(self, call: AiCall, at: int) -> AiAttempt:
        """Return the attempt that a caller makes of the answer."""
        truth = self.truths[call.call_id]
        told = {"counted": True, **fields_of(truth.tokens)} if truth.tokens and truth.tells else NOTHING
        return attempt(call, truth.outcome, at, retry_after_ms=2_000 if truth.outcome == "BUSY" else None, **told)


NOTHING: dict[str, Any] = {"counted": False, "input_tokens": 0, "output_tokens": 0}


def _parts(most: int, chance: Random) -> tuple[int, int]:
    read = chance.randint(0, most)
    return read, chance.randint(0, most - read)


def fields_of(counted: Sequence[int]) -> dict[str, int]:
    """Return tokens by the fields of an attempt."""
    return dict(zip(("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"), counted, strict=True))


def cost(price: AiPrice, tokens: Sequence[int]) -> Decimal:
    """Return what tokens cost, rounded up to a millionth, in fractions."""
    by_class = zip(tokens, RATES[:4], strict=True)
    exact = sum((Fraction(getattr(price, rate)) * count for count, rate in by_class), Fraction(0)) / 10**6
    return ceil((exact + Fraction(price.per_call)) * 10**6) * MICRO
