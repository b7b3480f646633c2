"""The balance of orders: each request has one decision, each approved order one end, each filled order its fills.

Records come topic by topic, from the requests down to the fills. A record that is missing breaks the equation only if
who must write it has committed a position behind its cause: until then it is on its way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tradewind.processors.balance.equation import Equation, Place
from tradewind.processors.execution.order import FINAL
from tradewind.processors.money import ZERO
from tradewind.schemas.execution import Fill, OrderEvent, OrderRequest
from tradewind.schemas.risk import Decision

MOST_ORDERS: Final = 2_000_000
"""Orders that one balance holds in memory, some 400 B each."""
DECIDED: Final = ("execution.order_requests", "risk.decisions")
ENDED: Final = ("risk.decisions", "execution.order_events")
FILLED: Final = ("execution.order_events", "execution.fills")
ORDERED: Final = ("risk.decisions", "execution.fills")
"""The topics whose records are partners of each other."""
Positions = Mapping[tuple[str, int], int]
"""(topic, partition) -> the offset that a reader has committed, as it was before any topic's end was asked for."""


class TooManyOrders(ValueError):
    """More orders than a balance can hold."""


@dataclass(slots=True)
class _Order:
    """What is known of an order."""

    tenant_id: str
    requested: Place | None = None
    decided: Place | None = None
    approved: bool = False
    begun: bool = False
    ended: Place | None = None
    filled_quantity: Decimal = ZERO
    """As its end says."""
    filled: Decimal = ZERO
    """The sum of its fills."""
    first_fill: Place | None = None


class Orders:
    """Takes records and tells three equations. `cut` names topics of which retention has removed records."""

    def __init__(self, cut: frozenset[str] = frozenset()) -> None:
        self._orders: dict[str, _Order] = {}
        self._cut = cut
        self._whole = {pair: not cut.intersection(pair) for pair in (DECIDED, ENDED, FILLED, ORDERED)}
        self._decisions = Equation("order requests = decisions")
        self._ends = Equation("approved orders = ended + open")
        self._fills = Equation("filled orders = orders with fills")

    def take(self, at: Place, event: OrderRequest | Decision | OrderEvent | Fill) -> None:
        """Take the next record of a topic; raises `TooManyOrders`."""
        order = self._orders.get(event.order_id)
        if order is None:
            if len(self._orders) >= MOST_ORDERS:
                raise TooManyOrders(f"there are more than {MOST_ORDERS:,} orders, which is the most that is compared")
            order = self._orders[event.order_id] = _Order(str(event.tenant_id))
        match event:
            case OrderRequest():
                order.requested = order.requested or at
            case Decision():
                self._take_decision(at, event, order)
            case OrderEvent():
                self._take_event(at, event, order)
            case Fill():
                order.filled += event.quantity
                order.first_fill = order.first_fill or at

    def _take_decision(self, at: Place, decision: Decision, order: _Order) -> None:
        if order.decided is not None:
            self._decisions.breaks(
                at, f"order {decision.order_id} was decided before, at {order.decided}", order.tenant_id
            )
            return
        order.decided, order.approved = at, decision.outcome == "APPROVED"

    def _take_event(self, at: Place, event: OrderEvent, order: _Order) -> None:
        order.begun = True
        if event.status not in FINAL:
            return
        if order.ended is not None:
            self._ends.breaks(at, f"order {event.order_id} had ended before, at {order.ended}", order.tenant_id)
            return
        order.ended, order.filled_quantity = at, event.filled_quantity

    def equations(self, risk: Positions, venue: Positions) -> list[Equation]:
        """Return the equations, given what the agents of risk and execution had committed before the reading began."""
        for order_id, order in self._orders.items():
            self._decide(order_id, order, risk)
            self._end(order_id, order, venue)
            self._fill(order_id, order)
        decisions, ends, fills = self._decisions, self._ends, self._fills
        for equation, topics in (
            (decisions, DECIDED),
            (ends, ENDED),
            (fills, FILLED),
        ):
            removed = [topic for topic in topics if topic in self._cut]
            if removed:
                equation.note = (
                    f"retention has removed records of {' and '.join(removed)}: what lacks a partner is no difference"
                )
        return [decisions, ends, fills]

    def _decide(self, order_id: str, order: _Order, risk: Positions) -> None:
        equation = self._decisions
        whole = self._whole[DECIDED]
        equation.left += order.requested is not None
        equation.right += order.decided is not None
        if order.decided is None and order.requested is not None:
            if order.requested.offset >= risk.get(order.requested[:2], 0):
                equation.waiting += 1
            elif whole:
                equation.breaks(order.requested, f"order {order_id} has no decision", order.tenant_id)
        if order.requested is None and order.decided is not None and whole:
            equation.breaks(order.decided, f"order {order_id} was decided, and nobody requested it", order.tenant_id)

    def _end(self, order_id: str, order: _Order, venue: Positions) -> None:
        equation = self._ends
        whole = self._whole[ENDED]
        equation.left += order.approved
        equation.right += order.ended is not None
        if order.ended is not None and not order.approved and whole:
            equation.breaks(order.ended, f"order {order_id} has ended, and risk has not approved it", order.tenant_id)
        if order.approved and order.ended is None:
            assert order.decided is not None
            if order.begun or order.decided.offset >= venue.get(order.decided[:2], 0):
                equation.waiting += 1
            elif whole:
                equation.breaks(
                    order.decided, f"the venue has taken order {order_id}, and never said so", order.tenant_id
                )

    def _fill(self, order_id: str, order: _Order) -> None:
        equation = self._fills
        if not order.filled_quantity and not order.filled:
            return
        equation.left += 1
        if order.first_fill and not order.approved and self._whole[ORDERED]:
            equation.breaks(order.first_fill, f"risk has not approved order {order_id}", order.tenant_id)
            return
        if order.ended is None:
            equation.waiting += 1
            return
        equation.right += order.filled == order.filled_quantity
        if order.filled != order.filled_quantity and self._whole[FILLED]:
            said = f"order {order_id} ended with {order.filled_quantity} units filled, and its fills are {order.filled}"
            equation.breaks(order.ended, said, order.tenant_id)
