"""Orders that people give and cancel. What is wrong with one is said before anything is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from tradewind.connectors.gateway.auth.roles import Who
from tradewind.connectors.gateway.commands.asked import Answer
from tradewind.connectors.gateway.commands.audit import changed
from tradewind.connectors.gateway.commands.ledger import Begun
from tradewind.connectors.gateway.commands.made import Made
from tradewind.connectors.gateway.problems import Problem, meant
from tradewind.connectors.kafka.json_events import time_from_json, time_to_json
from tradewind.processors.execution.order import FINAL
from tradewind.processors.identity import derive_id
from tradewind.processors.market.instruments import Instrument
from tradewind.processors.money import CONTEXT, money_of, shown
from tradewind.schemas.event import US_PER_MS, Event
from tradewind.schemas.execution import CancelOrder, SubmitOrder
from tradewind.schemas.flaws import flaw_of
from tradewind.schemas.ranges import AMOUNT_MAX, DURATION_MAX, NAME_CHARACTERS
from tradewind.topics import AUDIT, ORDER_COMMANDS

COLLAR: Final = Decimal("0.1")
"""A limit that is further from the quote than this part of it is a slip of the hand."""
US_PER_S: Final = 1000 * US_PER_MS
ENDED: Final = FINAL | {"DENIED", "MET"}
"""States after which there is nothing to cancel."""
Name = Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS)]
Money = Annotated[Decimal, Field(gt=0, le=AMOUNT_MAX, max_digits=38, decimal_places=10)]


class Create(BaseModel):
    """An order."""

    model_config = ConfigDict(extra="forbid")

    tenant: Annotated[Name | None, Field(description="For operators: whose account it is.")] = None
    account: Name
    symbol: Annotated[Name, Field(description="Such as EURUSD.OANDA, or EURUSD if only one venue quotes it.")]
    side: Literal["BUY", "SELL"]
    quantity: Annotated[Money, Field(description="Units, as text: a multiple of the instrument's lot.")]
    type: Literal["MARKET", "LIMIT"] = "MARKET"
    limit_price: Annotated[Money | None, Field(description="Of a limit order.")] = None
    time_to_live_s: Annotated[
        int | None,
        Field(ge=1, le=DURATION_MAX // US_PER_S, description="Event time until it expires; null is the source's end."),
    ] = None


class Cancel(BaseModel):
    """An order that is to end."""

    model_config = ConfigDict(extra="forbid")

    order_id: Name
    reason: Annotated[str, Field(min_length=1, max_length=500)] = "by hand"


@dataclass(frozen=True, slots=True)
class Quote:
    """What the user saw."""

    instrument: str
    bid: Decimal
    ask: Decimal
    ts_us: int

    @classmethod
    def of(cls, instrument: str, tick: bytes | None) -> Quote:
        """Return the quote of a tick as the hub has it; raises `Problem` (409) where there is none."""
        if tick is None:
            raise Problem(
                409,
                "NO_QUOTE",
                f"there is no quote of {instrument}",
                "start a feed of the instrument: ./dev feed --help",
                pointer="#/symbol",
            )
        found = json.loads(tick)
        return cls(instrument, money_of(found["bid"]), money_of(found["ask"]), time_from_json(found["ts_event"]))


def check_order(body: Create, quote: Quote, of: Instrument | None) -> None:
    """Raise `Problem` (422) for an order that would not be made as it is asked for."""
    if of is None:
        raise _wrong(
            "UNKNOWN_INSTRUMENT",
            f"the lots of {quote.instrument} are not known",
            "add it to TRADEWIND_INSTRUMENTS, and start the workers and the gateway again",
            "#/symbol",
        )
    if body.quantity % of.lot_size:
        below = body.quantity // of.lot_size * of.lot_size
        near = " or ".join(shown(one) for one in (below, below + of.lot_size) if one >= of.min_quantity)
        raise _wrong(
            "OFF_STEP",
            f"{shown(body.quantity)} is no multiple of the lot, {shown(of.lot_size)} units",
            f"order {near}",
            "#/quantity",
        )
    if body.quantity < of.min_quantity:
        raise _wrong(
            "TOO_SMALL",
            f"{shown(body.quantity)} is below the smallest order",
            f"order {shown(of.min_quantity)} or more",
            "#/quantity",
        )
    _check_price(body, quote, of)


def _check_price(body: Create, quote: Quote, of: Instrument) -> None:
    if (body.limit_price is not None) != (body.type == "LIMIT"):
        raise _wrong(
            "INVALID",
            "a limit price belongs to a limit order, and a limit order has one",
            "give type LIMIT and limit_price together",
            "#/limit_price",
        )
    if body.limit_price is None:
        return
    if body.limit_price % of.tick_size:
        raise _wrong(
            "OFF_STEP",
            f"{shown(body.limit_price)} is no multiple of the tick, {shown(of.tick_size)}",
            "round the price to the tick",
            "#/limit_price",
        )
    touch = quote.ask if body.side == "BUY" else quote.bid
    low, high = CONTEXT.multiply(touch, 1 - COLLAR), CONTEXT.multiply(touch, 1 + COLLAR)
    if not low <= body.limit_price <= high:
        raise _wrong(
            "BEYOND_COLLAR",
            f"{shown(body.limit_price)} is further than {COLLAR:.0%} from the quote, {shown(touch)}",
            f"give a price from {shown(low)} to {shown(high)}",
            "#/limit_price",
        )


def tenant_of(tenant: str | None, who: Who) -> str:
    """Return whose account a command is about; raises `Problem`."""
    if who.tenant_id is None:
        if tenant is None:
            raise _wrong("INVALID", "an operator names the tenant", "give a tenant", "#/tenant")
        return tenant
    if tenant not in (None, who.tenant_id):
        raise Problem(404, "UNKNOWN_TENANT", f"there is no tenant {tenant}", "leave `tenant` out", pointer="#/tenant")
    return who.tenant_id


def check_account(tenant: str, account: str, known: Mapping[str, Sequence[str]], *, operator: bool) -> None:
    """Raise `Problem` (404) for an account that does not exist."""
    if tenant not in known:
        remedy = meant(tenant, known if operator else (), "./dev tenants list shows them")
        raise Problem(404, "UNKNOWN_TENANT", f"there is no tenant {tenant}", remedy, pointer="#/tenant")
    if account not in known[tenant]:
        remedy = meant(account, known[tenant], f"the accounts are {', '.join(known[tenant])}")
        raise Problem(404, "UNKNOWN_ACCOUNT", f"{tenant} has no account {account}", remedy, pointer="#/account")


def created(body: Create, tenant: str, quote: Quote, begun: Begun) -> Made:
    """Return the command to submit an order, and its audit event. Raises `Problem` (422)."""
    symbol, _, venue = quote.instrument.rpartition(".")
    command = SubmitOrder(
        event_id=begun.asked.id,
        tenant_id=tenant,
        ts_event=begun.at_us,
        ts_ingest=begun.at_us,
        correlation_id=begun.asked.id,
        causation_id=begun.asked.id,
        account_id=body.account,
        symbol=symbol,
        venue=venue,
        order_id=derive_id("order", begun.asked.id),
        side=body.side,
        quantity=body.quantity,
        order_type=body.type,
        limit_price=body.limit_price,
        time_to_live_us=None if body.time_to_live_s is None else body.time_to_live_s * US_PER_S,
        quote_bid=quote.bid,
        quote_ask=quote.ask,
        quote_ts=quote.ts_us,
    )
    flaw = flaw_of(command)
    if flaw is not None:  # such as a quote whose bid is above its ask: the agents would refuse the order
        raise _wrong("OUT_OF_RANGE", f"the order is out of range: {flaw}", "correct it, or wait for another quote", "#")
    told = _requested(command)
    audit = changed(
        begun.asked.caller,
        begun.asked.id,
        begun.at_us,
        tenant_id=tenant,
        subject=f"order {command.order_id}",
        detail=f"{body.side} {shown(body.quantity)} {quote.instrument}, {body.type}, for {body.account}",
        before=None,
        after={**body.model_dump(mode="json"), **told},
    )
    return Made(Answer(202, told), ((ORDER_COMMANDS, command), (AUDIT, audit)))


def found_before(event: Event) -> Made:
    """Return the answer to a command that an earlier attempt has written."""
    match event:
        case SubmitOrder():
            return Made(Answer(202, _requested(event)))
        case CancelOrder():
            return Made(Answer(202, _cancelling(event)))
    raise TypeError(f"{type(event).__name__} is no command of an order")


def _requested(command: SubmitOrder) -> dict[str, Any]:
    bid, ask = shown(command.quote_bid), shown(command.quote_ask)
    return {
        "order_id": command.order_id,
        "status": "REQUESTED",
        "at": time_to_json(command.ts_event),
        "quote": {"bid": bid, "ask": ask, "ts_event": time_to_json(command.quote_ts)},
    }


def _cancelling(command: CancelOrder) -> dict[str, Any]:
    return {"order_id": command.order_id, "status": "CANCEL_REQUESTED", "at": time_to_json(command.ts_event)}


def cancelled(body: Cancel, order: Mapping[str, Any], begun: Begun) -> Made:
    """Return the command to cancel an order, as the reads have it, and its audit event. Raises `Problem` (409)."""
    if order["status"] in ENDED:
        why = f": {order['reason']}" if order["reason"] else ""
        raise Problem(
            409,
            "ORDER_ENDED",
            f"order {body.order_id} is {order['status']}{why}",
            "there is nothing to cancel",
            pointer="#/order_id",
        )
    command = CancelOrder(
        event_id=begun.asked.id,
        tenant_id=order["tenant_id"],
        ts_event=begun.at_us,
        ts_ingest=begun.at_us,
        correlation_id=begun.asked.id,
        causation_id=begun.asked.id,
        account_id=order["account_id"],
        symbol=order["symbol"],
        venue=order["venue"],
        order_id=body.order_id,
        reason=body.reason,
    )
    audit = changed(
        begun.asked.caller,
        begun.asked.id,
        begun.at_us,
        tenant_id=order["tenant_id"],
        subject=f"order {body.order_id}",
        detail=f"cancel: {body.reason}",
        before={"status": order["status"]},
        after={"status": "CANCEL_REQUESTED"},
    )
    return Made(Answer(202, _cancelling(command)), ((ORDER_COMMANDS, command), (AUDIT, audit)))


def _wrong(code: str, detail: str, remedy: str, pointer: str) -> Problem:
    return Problem(422, code, detail, remedy, pointer=pointer)
