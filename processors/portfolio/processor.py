"""Fills become positions of accounts and of their deployments; each bar of a minute values them again, and is a mark.

A fill changes the position of its account, and that of the deployment that ordered. A fill that names no deployment is
of the one with the strategy's name, as the order of a signal that names none. The quantities of an account's
deployments add up to its own. So do the profits, realised and not, but for rounding. Only the sum is realised where one
deployment sells what another one holds.

The newest price in event time values a position: the mid of a one-minute bar's closing quote, or the price of the
position's last fill. So the last version is the same whether bars or fills came first; only versions between differ.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

from tradewind.processors.batch import PoisonRecord, Processor, Rows, Segment, State, checked, require_known, rows_of
from tradewind.processors.identity import derive_id, instrument
from tradewind.processors.money import CONTEXT, ZERO, money_of, signed_quantity
from tradewind.processors.portfolio.holding import Holding
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill
from tradewind.schemas.market import Bar, Heartbeat, Mark
from tradewind.schemas.portfolio import DeploymentPosition, MarkState, Position, PositionState
from tradewind.schemas.ranges import AMOUNT_MAX, EXACT_PRICE_MAX

MARK_INTERVAL_S = 60  # a value each minute is what a person watches; each second would be sixty times the records


def portfolio(*, shares: bool = True, marks: bool = True) -> Processor:
    """Return the portfolio agent's processor: fills and bars -> positions, and marks; heartbeats end here.

    Without `shares`, only positions of accounts are kept: if an account has one deployment, they are the deployment's.
    Without `marks`, none are sent, for a reader whose tenants have no limits over several instruments.

    Raises `PoisonRecord` for a fill without a tenant or with an unknown side, and for a fill that makes a position too
    large to be valued.
    """

    def process(state: State, segment: Segment) -> list[Event]:
        if not len(segment) or segment.model is Heartbeat:
            return []
        if segment.model is Fill:
            return _on_fills(state, rows_of(segment), shares=shares)
        if segment.model is Bar:
            return _on_bars(state, rows_of(segment), tell=marks)
        raise TypeError(f"positions are made of fills and bars, not of {segment.model.__name__} ({segment.topic})")

    return process


def _on_fills(state: State, segment: Rows, *, shares: bool) -> list[Event]:
    fills = zip(cast("list[Fill]", list(segment.events)), segment.ts_ingest.tolist(), strict=True)
    sent: list[Event] = []
    for index, (fill, ts_ingest) in enumerate(fills):
        if fill.tenant_id is None:
            raise PoisonRecord(index, f"fill {fill.event_id} has no tenant, and so no position")
        require_known(fill, index, "side")
        account, name = f"{fill.tenant_id}/{fill.account_id}", instrument(fill.symbol, fill.venue)
        sent.append(_on_fill(state, index, fill, f"position/{account}/{name}", None, ts_ingest=ts_ingest))
        if shares:
            of = fill.deployment or fill.strategy
            sent.append(_on_fill(state, index, fill, f"share/{account}/{of}/{name}", of, ts_ingest=ts_ingest))
    return sent


def _on_fill(
    state: State, index: int, fill: Fill, key: str, deployment: str | None, *, ts_ingest: int
) -> Position | DeploymentPosition:
    """Change what an account, or a deployment, holds at a key of the state."""
    before = state.get(key, PositionState) or PositionState(
        tenant_id=str(fill.tenant_id),
        account_id=fill.account_id,
        deployment=deployment,
        symbol=fill.symbol,
        venue=fill.venue,
        version=0,
        quantity=ZERO,
        cost=ZERO,
        realised_pnl=ZERO,
        fees=ZERO,
        mark_price=fill.price,
        mark_ts=fill.ts_event,
        fills=0,
    )
    holding = _holding(before).filled(signed_quantity(fill.side, fill.quantity), fill.price)
    for price in (EXACT_PRICE_MAX, ZERO):  # so that no bar and no fill that follow can fail
        worth = holding.unrealised_pnl(Decimal(price))
        if abs(worth) > AMOUNT_MAX:
            raise PoisonRecord(
                index,
                f"fill {fill.event_id} makes {key} {holding.quantity} units, bought for {holding.cost}: at a price of "
                f"{price} their profit would be {worth:.0f}, and amounts end at {AMOUNT_MAX:.0e}",
            )
    marks = _marks(state, fill.symbol, fill.venue)
    mark_price, mark_ts = _newest(
        (before.mark_price, before.mark_ts), (fill.price, fill.ts_event), (marks.price or fill.price, marks.ts_event)
    )
    after = replace(
        before,
        version=before.version + 1,
        quantity=holding.quantity,
        cost=holding.cost,
        realised_pnl=holding.realised_pnl,
        fees=CONTEXT.add(before.fees, fill.fee),
        mark_price=mark_price,
        mark_ts=mark_ts,
        fills=before.fills + 1,
    )
    made = checked(_position(after, fill, fill.ts_event, ts_ingest), index)
    state.put(key, after)
    _hold(state, marks, key, held=holding.quantity != 0)
    return made


def _on_bars(state: State, segment: Rows, *, tell: bool) -> list[Event]:
    sent: list[Event] = []
    bars = zip(cast("list[Bar]", list(segment.events)), segment.ts_ingest.tolist(), strict=True)
    for index, (bar, ts_ingest) in enumerate(bars):
        if bar.interval_s == MARK_INTERVAL_S:
            if tell:
                sent.append(_mark(index, bar, ts_ingest))
            sent += _on_bar(state, index, bar, ts_ingest)
    return sent


def _mark(index: int, bar: Bar, ts_ingest: int) -> Mark:
    made = Mark(
        ts_event=bar.ts_event,
        ts_ingest=ts_ingest,
        symbol=bar.symbol,
        venue=bar.venue,
        price=money_of(bar.mid_close),
    )
    return checked(made, index)


def _on_bar(state: State, index: int, bar: Bar, ts_ingest: int) -> list[Event]:
    marks = _marks(state, bar.symbol, bar.venue)
    price, ts_event = _newest((marks.price or ZERO, marks.ts_event), (money_of(bar.mid_close), bar.quote_ts))
    marks = replace(marks, price=price, ts_event=ts_event)
    state.put(_marks_key(bar.symbol, bar.venue), marks)
    sent: list[Event] = []
    for key in marks.holders:
        before = cast("PositionState", state.get(key, PositionState))
        mark_price, mark_ts = _newest((before.mark_price, before.mark_ts), (price, ts_event))
        moved = mark_price != before.mark_price
        after = replace(before, mark_price=mark_price, mark_ts=mark_ts, version=before.version + moved)
        if moved:
            sent.append(checked(_position(after, bar, bar.ts_event, ts_ingest), index))
        state.put(key, after)
    return sent


def _newest(*marks: tuple[Decimal, int]) -> tuple[Decimal, int]:
    """Return the (price, event time) that is newest; of equals, the one named last."""
    newest = marks[0]
    for mark in marks[1:]:
        if mark[1] >= newest[1]:
            newest = mark
    return newest


def _marks_key(symbol: str, venue: str) -> str:
    return f"mark/{instrument(symbol, venue)}"


def _marks(state: State, symbol: str, venue: str) -> MarkState:
    known = state.get(_marks_key(symbol, venue), MarkState)
    return known or MarkState(symbol=symbol, venue=venue, ts_event=0, holders=())


def _hold(state: State, marks: MarkState, key: str, *, held: bool) -> None:
    """Keep whether a position is open: bars value the open ones."""
    holders = list(marks.holders)
    place = bisect_left(holders, key)
    listed = place < len(holders) and holders[place] == key
    if held and not listed:
        insort(holders, key)
    elif listed and not held:
        del holders[place]
    else:
        return
    state.put(_marks_key(marks.symbol, marks.venue), replace(marks, holders=tuple(holders)))


def _holding(of: PositionState) -> Holding:
    return Holding(of.quantity, of.cost, of.realised_pnl)


def _position(of: PositionState, cause: Fill | Bar, ts_event: int, ts_ingest: int) -> Position | DeploymentPosition:
    """Return the event that tells a state: of the account as a whole, or of one of its deployments."""
    holding, name = _holding(of), instrument(of.symbol, of.venue)
    told: dict[str, Any] = {
        "tenant_id": of.tenant_id,
        "ts_event": ts_event,
        "ts_ingest": ts_ingest,
        "correlation_id": cause.correlation_id,
        "causation_id": cause.event_id,
        "account_id": of.account_id,
        "symbol": of.symbol,
        "venue": of.venue,
        "version": of.version,
        "quantity": of.quantity,
        "average_price": holding.average_price,
        "realised_pnl": of.realised_pnl,
        "unrealised_pnl": holding.unrealised_pnl(of.mark_price),
        "fees": of.fees,
        "mark_price": of.mark_price,
        "fills": of.fills,
    }
    if of.deployment is None:
        return Position(event_id=derive_id("Position", of.tenant_id, of.account_id, name, of.version), **told)
    event_id = derive_id("DeploymentPosition", of.tenant_id, of.account_id, of.deployment, name, of.version)
    return DeploymentPosition(event_id=event_id, deployment=of.deployment, **told)
