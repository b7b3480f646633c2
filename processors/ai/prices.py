"""What a model costs: the price in force, the most that a call can cost, and what it did cost.

Costs are whole millionths of the currency, rounded up, so that usage counts them to the last unit and a bound stays a
bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from tradewind.processors.batch import State
from tradewind.processors.billing.meters import MICRO
from tradewind.processors.money import CONTEXT, ceiled
from tradewind.schemas.ai import AiAttempt, AiCallState, AiPrice, AiPricesState

MILLION: Final = Decimal(1_000_000)
EVERYONE: Final = "*"
RATES: Final = (
    "input_per_million",
    "cache_read_per_million",
    "cache_write_per_million",
    "output_per_million",
    "per_call",
)


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs from a moment on."""

    price_id: str
    currency: str
    rates: Mapping[str, Decimal]
    """By the names of `RATES`."""


def price_of(state: State, tenant_id: str, provider: str, model: str, now: int) -> Price | None:
    """Return the price in force, the tenant's own first; None where there is none, for free is an explicit 0."""
    for whose in (tenant_id, EVERYONE):
        known = state.get(_key(whose, provider, model), AiPricesState)
        dated = [] if known is None else [price for price in known.prices if _from(price) <= now]
        if dated:
            newest = dated[-1]
            rates = {name: _decimal(newest[name]) for name in RATES}
            return Price(str(newest["price_id"]), str(newest["currency"]), rates)
    return None


def keep_price(state: State, price: AiPrice) -> None:
    """Add a price to those of its model, or take one of the same moment out of use."""
    key = _key(price.tenant_id or EVERYONE, price.provider, price.model)
    known = state.get(key, AiPricesState)
    others = [] if known is None else [one for one in known.prices if _from(one) != price.valid_from]
    if price.active:
        rates = {name: getattr(price, name) for name in RATES}
        others.append({"price_id": price.price_id, "currency": price.currency, "valid_from": price.valid_from, **rates})
    if not others:
        state.delete(key)
        return
    ordered = tuple(sorted(others, key=_from))
    state.put(key, AiPricesState(provider=price.provider, model=price.model, prices=ordered))


def bound_of(price: Price, input_bound: int, output_bound: int) -> Decimal:
    """Return the most that a call can cost: each token of its prompt in the dearest class."""
    dearest = max(price.rates[name] for name in RATES[:3])
    return _cost(((input_bound, dearest), (output_bound, price.rates["output_per_million"])), price.rates["per_call"])


def cost_of(call: AiCallState, attempt: AiAttempt) -> Decimal:
    """Return what a call cost, by the tokens that the provider counted."""
    parts = (
        (attempt.input_tokens, call.input_per_million),
        (attempt.cache_read_tokens, call.cache_read_per_million),
        (attempt.cache_write_tokens, call.cache_write_per_million),
        (attempt.output_tokens, call.output_per_million),
    )
    return _cost(parts, call.per_call)


def _cost(parts: tuple[tuple[int, Decimal], ...], per_call: Decimal) -> Decimal:
    total = Decimal(0)
    for tokens, rate in parts:
        total = CONTEXT.add(total, CONTEXT.multiply(Decimal(tokens), rate))
    return ceiled(CONTEXT.add(CONTEXT.divide(total, MILLION), per_call), MICRO)


def _key(whose: str, provider: str, model: str) -> str:
    return f"price/{whose}/{provider}/{model}"


def _from(price: Mapping[str, Any]) -> int:
    return int(price["valid_from"])


def _decimal(value: object) -> Decimal:
    assert isinstance(value, Decimal)
    return value
