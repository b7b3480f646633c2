"""The balance of what is held: positions are the sum of fills, deployments add up to accounts, and cash adds up.

Fills come in the order of their topic, which is that of each holding. They are summed in two ways. The way of the agent
`portfolio` ([the average cost](../portfolio/holding.py)) must give its positions, to the last decimal. And cash, which
needs no average: of each account and instrument,

    what was received - what was paid - fees = realised - fees - cost of what is open

to the last decimal, but for half of 10^-10 of each product that had more places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from tradewind.processors.balance.equation import Equation, Place
from tradewind.processors.identity import instrument
from tradewind.processors.money import PLACES, ZERO, exact, shown, signed_quantity
from tradewind.processors.portfolio.holding import Holding
from tradewind.schemas.execution import Fill
from tradewind.schemas.portfolio import DeploymentPosition, Position

MOST_HOLDINGS: Final = 500_000
"""Positions that one balance holds in memory, some 1 KB each."""
PRODUCTS: Final = 3
"""That a fill rounds: what it opens, what it closes, and the cost of what it closes."""
Key = tuple[str, str, str | None, str]
"""(tenant, account, deployment or None for the account as a whole, instrument)."""


class TooManyHoldings(ValueError):
    """More positions than a balance can hold."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the newest position says."""

    at: Place
    quantity: Decimal
    realised_pnl: Decimal
    fees: Decimal
    fills: int


@dataclass(slots=True)
class _Summed:
    """What fills come to."""

    holding: Holding = field(default_factory=Holding)
    fees: Decimal = ZERO
    cash: Decimal = ZERO
    """What was received, less what was paid, less fees."""
    fills: int = 0
    last: Place | None = None


@dataclass(frozen=True, slots=True)
class Cash:
    """The cash equation of an account, over its instruments; quote currency of each instrument, not converted."""

    tenant_id: str
    account_id: str
    instrument: str
    cash: Decimal
    realised_pnl: Decimal
    fees: Decimal
    cost: Decimal
    """Of what is open; negative when short."""
    fills: int

    @property
    def difference(self) -> Decimal:
        """What the sides differ by: 0, or what the rounding of products leaves."""
        with exact():
            return self.cash - (self.realised_pnl - self.fees - self.cost)

    @property
    def allowed(self) -> Decimal:
        """What the rounding of products may leave."""
        with exact():
            return PLACES / 2 * PRODUCTS * self.fills


class Holdings:
    """Takes positions, then fills, and tells the equations. `whole` is false if retention has removed fills."""

    def __init__(self, *, whole: bool = True) -> None:
        self._whole = whole
        self._told: dict[Key, Told] = {}
        self._summed: dict[Key, _Summed] = {}
        self._positions = Equation("positions = sum of fills")
        self._shares = Equation("account = sum of its deployments")
        self._cash = Equation("cash = realised - fees - cost of what is open")

    def take_position(self, at: Place, position: Position | DeploymentPosition) -> None:
        """Take the next position of a topic: the newest one of each holding counts; raises `TooManyHoldings`."""
        deployment = position.deployment if isinstance(position, DeploymentPosition) else None
        key = (
            *(str(position.tenant_id), position.account_id, deployment),
            instrument(position.symbol, position.venue),
        )
        if len(self._told) >= MOST_HOLDINGS and key not in self._told:
            raise TooManyHoldings(
                f"there are more than {MOST_HOLDINGS:,} positions, which is the most that is compared"
            )
        self._told[key] = Told(at, position.quantity, position.realised_pnl, position.fees, position.fills)

    def take_fill(self, at: Place, fill: Fill) -> None:
        """Take the next fill of a topic, once every position is taken."""
        if not self._whole or fill.side == "UNKNOWN" or fill.tenant_id is None:
            return
        name = instrument(fill.symbol, fill.venue)
        units = signed_quantity(fill.side, fill.quantity)
        for deployment in (None, fill.deployment or fill.strategy):
            self._add(at, (fill.tenant_id, fill.account_id, deployment, name), fill, units)

    def _add(self, at: Place, key: Key, fill: Fill, units: Decimal) -> None:
        of = self._summed.setdefault(key, _Summed())
        of.holding = of.holding.filled(units, fill.price)
        with exact():
            of.fees += fill.fee
            of.cash -= units * fill.price + fill.fee
        of.fills += 1
        of.last = at
        told = self._told.get(key)
        if told is not None and told.fills == of.fills:
            self._compare(key, told, of)

    def _compare(self, key: Key, told: Told, of: _Summed) -> None:
        for what, says, are in (
            ("a quantity", told.quantity, of.holding.quantity),
            ("a realised profit", told.realised_pnl, of.holding.realised_pnl),
            ("fees", told.fees, of.fees),
        ):
            if says != are:
                said = f"{_name(key)} has {what} of {shown(says)}, and its {of.fills:,} fills make {shown(are)}"
                self._positions.breaks(told.at, said, key[0])

    def equations(self, portfolio: dict[tuple[str, int], int]) -> list[Equation]:
        """Return the equations, given what the agent portfolio had committed before the reading began."""
        if not self._whole:
            for equation in (self._positions, self._shares, self._cash):
                equation.note = "retention has removed records of execution.fills: nothing can be summed"
            return [self._positions, self._shares, self._cash]
        positions = self._positions
        positions.left = sum(told.fills for key, told in self._told.items() if key[2] is None)
        positions.right = sum(of.fills for key, of in self._summed.items() if key[2] is None)
        for key, told in self._told.items():
            of = self._summed.get(key)
            if of is None or of.fills < told.fills:
                found = 0 if of is None else of.fills
                positions.breaks(told.at, f"{_name(key)} counts {told.fills:,} fills, and there are {found:,}", key[0])
        for key, of in self._summed.items():
            if key not in self._told or of.fills > self._told[key].fills:
                assert of.last is not None
                if of.last.offset < portfolio.get(of.last[:2], 0):
                    said = (
                        f"{_name(key)}: no position counts its {of.fills:,} fills, though portfolio has read this one"
                    )
                    positions.breaks(of.last, said, key[0])
                else:
                    positions.waiting += key[2] is None
        self._add_up()
        self._count_cash()
        return [positions, self._shares, self._cash]

    def _add_up(self) -> None:
        equation = self._shares
        sums: dict[tuple[str, str, str], tuple[Decimal, int]] = {}
        with exact():
            for (tenant, account, deployment, name), told in self._told.items():
                if deployment is not None:
                    held, fills = sums.get((tenant, account, name), (ZERO, 0))
                    sums[tenant, account, name] = (held + told.quantity, fills + told.fills)
        for (tenant, account, deployment, name), told in self._told.items():
            if deployment is not None:
                continue
            equation.left += 1
            held, fills = sums.get((tenant, account, name), (ZERO, 0))
            if held == told.quantity:
                equation.right += 1
            elif fills != told.fills:  # the two topics were read up to different fills
                equation.waiting += 1
            else:
                whole = _name((tenant, account, None, name))
                said = f"{whole} holds {shown(told.quantity)}, and its deployments {shown(held)}"
                equation.breaks(told.at, said, tenant)

    def _count_cash(self) -> None:
        for one in self.cash():
            self._cash.left += 1
            if abs(one.difference) <= one.allowed:
                self._cash.right += 1
            else:
                last = self._summed[one.tenant_id, one.account_id, None, one.instrument].last
                said = (
                    f"{one.tenant_id}/{one.account_id} {one.instrument}: cash is {shown(one.cash)}, and realised - "
                    f"fees - cost differ from it by {shown(one.difference)}"
                )
                self._cash.breaks(str(last), said, one.tenant_id)

    def cash(self) -> Iterator[Cash]:
        """Yield the cash equation of each account and instrument."""
        for (tenant, account, deployment, name), of in sorted(self._summed.items(), key=lambda item: str(item[0])):
            if deployment is None:
                held = of.holding
                yield Cash(tenant, account, name, of.cash, held.realised_pnl, of.fees, held.cost, of.fills)


def _name(key: Key) -> str:
    tenant, account, deployment, name = key
    return f"{tenant}/{account}{'' if deployment is None else f' {deployment}'} {name}"
