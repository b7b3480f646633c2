"""What all positions of a tenant would be worth after an order, in the currency of the tenant's accounts.

Approved orders count as filled, in all accounts. The request's own instrument is valued at the price that the order can
expect, as in `MAX_POSITION`; every other one at its newest mark that is not dated after the request. Currencies are
converted by mids: that of the request's quote, and marks. A value that lacks a mark or a rate is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from tradewind.processors.batch import State
from tradewind.processors.identity import instrument
from tradewind.processors.market.instruments import Instrument
from tradewind.processors.money import ZERO, exact, rounded
from tradewind.processors.risk.conversion import Rates, rates_of
from tradewind.processors.risk.exposure import held_by
from tradewind.processors.risk.limits import across
from tradewind.processors.risk.marks import Marked, marks_at
from tradewind.processors.risk.target import Order
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.risk import LimitsState

NAMED: Final = 16  # missing rates that a decision names; a few stopped feeds lack them all


@dataclass(frozen=True, slots=True)
class Totals:
    """What an order would lead to, over all instruments of the tenant."""

    exposure: Decimal | None = None
    """All positions, long and short added. None where no limit is about that, or where something is missing."""
    currency: Decimal | None = None
    """Of the currencies of the order's instrument but the accounts' own, the larger net amount. None likewise."""
    missing: str = ""
    """Which marks and rates are missing; empty where none is."""


NOT_ASKED: Final = Totals()


@dataclass(slots=True)
class _Book:
    """What the tenant would hold of one instrument, over all accounts."""

    symbol: str
    gross: Decimal = ZERO
    net: Decimal = ZERO


def totals_after(
    state: State, request: OrderRequest, order: Order, limits: LimitsState, instruments: Mapping[str, Instrument]
) -> Totals:
    """Return what an order would lead to; `NOT_ASKED` where no limit adds up instruments."""
    if not across(limits):
        return NOT_ASKED
    own = instrument(request.symbol, request.venue)
    with exact():
        mid = rounded((request.quote_bid + request.quote_ask) / 2)
        quote = Marked(own, request.symbol, request.ts_event, mid)  # no mark is newer
        oldest = request.ts_event - limits.max_mark_age_us
        marks = [mark for mark in marks_at(state, request.ts_event, oldest) if mark.name != own]
        rates = rates_of([*marks, quote], instruments)
        prices = {mark.name: mark.price for mark in marks} | {own: order.price}
        value = _Valuing(prices, rates, instruments, limits.account_currency)
        books = _books(state, request, order, limits)
        exposure = None if limits.max_total_exposure is None else value.exposure(books)
        currency = None if limits.max_currency_exposure is None else value.currency(books, request.symbol)
        return Totals(exposure, currency, value.said())


@dataclass(slots=True)
class _Valuing:
    """Values what is held in one currency, and notes what that lacks."""

    prices: Mapping[str, Decimal]
    """Name of an instrument -> price."""
    rates: Rates
    instruments: Mapping[str, Instrument]
    into: str
    """The currency of the accounts."""
    missing: set[str] = field(default_factory=set)

    def exposure(self, books: Mapping[str, _Book]) -> Decimal | None:
        """Return what all positions are worth, long and short added."""
        return _sum([self._value(name, book) for name, book in sorted(books.items())])

    def currency(self, books: Mapping[str, _Book], symbol: str) -> Decimal | None:
        """Return the larger of what is held net of the two currencies of an instrument, the accounts' own left out."""
        of = self._instrument(symbol)
        if of is None:
            return None
        values = [self._net(books, one) for one in (of.base, of.quote) if one != self.into]
        return None if None in values else max((one for one in values if one is not None), default=ZERO)

    def said(self) -> str:
        """Return what is missing, in words."""
        named = sorted(self.missing)
        more = f", and {len(named) - NAMED} more" if len(named) > NAMED else ""
        return ", ".join(named[:NAMED]) + more

    def _value(self, name: str, book: _Book) -> Decimal | None:
        of, price = self._instrument(book.symbol), self._price(name)
        return None if of is None or price is None else self._converted(book.gross * price, of.quote)

    def _net(self, books: Mapping[str, _Book], currency: str) -> Decimal | None:
        """Return the absolute value of what all positions hold of a currency: bases, less what they were bought for."""
        amounts: list[Decimal | None] = []
        for name, book in sorted(books.items()):
            of = self._instrument(book.symbol)
            if of is None:
                return None
            if of.base == currency:
                amounts.append(book.net)
            elif of.quote == currency:
                price = self._price(name)
                amounts.append(None if price is None else -book.net * price)
        amount = _sum(amounts)
        return None if amount is None else self._converted(abs(amount), currency)

    def _converted(self, amount: Decimal, currency: str) -> Decimal | None:
        rate = self.rates.rate(currency, self.into)
        if rate is None:
            self.missing.add(f"a rate from {currency} to {self.into}")
            return None
        return rounded(amount * rate)

    def _price(self, name: str) -> Decimal | None:
        price = self.prices.get(name)
        if price is None:
            self.missing.add(f"a mark of {name}")
        return price

    def _instrument(self, symbol: str) -> Instrument | None:
        of = self.instruments.get(symbol)
        if of is None:
            self.missing.add(f"the currencies of {symbol}")
        return of


def _sum(values: Sequence[Decimal | None]) -> Decimal | None:
    """Return the sum, None where one is None."""
    known = [value for value in values if value is not None]
    return sum(known, ZERO) if len(known) == len(values) else None


def _books(state: State, request: OrderRequest, order: Order, limits: LimitsState) -> dict[str, _Book]:
    """Return what the tenant would hold after the order, by the name of the instrument; nothing of what is flat."""
    own = instrument(request.symbol, request.venue)
    books: dict[str, _Book] = {}
    for account_id in limits.accounts:
        held = {name: (symbol, units) for name, symbol, units in held_by(state, limits.tenant_id, account_id)}
        if account_id == request.account_id:
            held[own] = request.symbol, order.exposure_after
        for name, (symbol, units) in held.items():
            if units:
                book = books.setdefault(name, _Book(symbol))
                book.gross += abs(units)
                book.net += units
    return books
