"""What the gateway answers, typed. Fields that a later gateway adds are left out."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Order(_Answer):
    """An order and its state."""

    order_id: str
    tenant_id: str
    account_id: str
    symbol: str
    venue: str
    deployment: str
    """`@manual` for orders by hand."""
    status: str
    """REQUESTED, then DENIED, MET or APPROVED, then what the venue says: ACCEPTED, FILLED, CANCELLED, EXPIRED."""
    side: str | None
    """None before risk has decided."""
    quantity: Decimal | None
    order_type: str
    limit_price: Decimal | None
    filled_quantity: Decimal
    codes: tuple[str, ...]
    """Why risk denied it."""
    reason: str
    ts_event: datetime
    ts_status: datetime


class Filled(_Answer):
    """A fill."""

    event_id: str
    order_id: str
    tenant_id: str
    account_id: str
    symbol: str
    venue: str
    deployment: str
    side: str
    quantity: Decimal
    price: Decimal
    liquidity: str
    ts_event: datetime


class Holding(_Answer):
    """What an account holds of an instrument."""

    tenant_id: str
    account_id: str
    symbol: str
    venue: str
    quantity: Decimal
    """Negative where it is short."""
    average_price: Decimal
    mark_price: Decimal
    realised_pnl: Decimal
    unrealised_pnl: Decimal
    fills: int
    ts_event: datetime


class Submitted(_Answer):
    """An order that was submitted, or a cancel."""

    order_id: str
    status: str
    """REQUESTED or CANCEL_REQUESTED, unless what came of it was waited for: then the order's status."""
    order: Order | None = None
    """Its state, where that was waited for and is known."""
    waits_for: str | None = None
    """Why nothing happens yet, such as no quotes coming in."""
