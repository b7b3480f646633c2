"""Orders and cancels by hand: written once, with all that is wrong said before, and of the own tenant alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast, get_args

import httpx
import plain_http
import pytest
from gateway.serving import Served, served

from tradewind.connectors.gateway.commands.decided import MOST_WAITING, Decided, wait_s
from tradewind.connectors.gateway.cursors import Cursor
from tradewind.connectors.gateway.pages import FOLDER
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.routes import PREFIX
from tradewind.connectors.gateway.views.flow import FlowSeen
from tradewind.connectors.gateway.views.reads import Page
from tradewind.connectors.gateway.wire import encoded, event_for_wire
from tradewind.processors.execution.order import Status
from tradewind.processors.identity import derive_id
from tradewind.processors.risk.checks import Code
from tradewind.schemas.execution import CancelOrder, SubmitOrder
from tradewind.schemas.flaws import flaw_of
from tradewind.schemas.market import Tick

CREATE, CANCEL = f"{PREFIX}/orders/create", f"{PREFIX}/executions/cancel"
QUOTED_US = 1_700_000_000_000_000
BUY = {"account": "main", "symbol": "EURUSD.OANDA", "side": "BUY", "quantity": "2000"}
LIMIT = {**BUY, "type": "LIMIT", "limit_price": "1.1"}


@dataclass
class Orders:
    """Reads as PostgreSQL has them: the states of an order, one after the other."""

    states: list[str] = field(default_factory=list)
    tenant: str = "alpha"
    away: bool = False

    async def orders(
        self, tenant_id: str | None, _: str | None, order_id: str | None, after: Cursor, most: int
    ) -> Page:
        """Return the order as it is by now."""
        if self.away:
            raise Problem(503, "STORE_AWAY", "no database", "try again")
        if not self.states or tenant_id not in (None, self.tenant):
            return Page([], None)
        status = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        named = {"order_id": order_id, "tenant_id": self.tenant, "account_id": "main", "symbol": "EURUSD"}
        return Page([{**named, "venue": "OANDA", "status": status, "reason": "said so", "codes": []}], None)

    async def close(self) -> None:
        """Do nothing."""


def tick(symbol: str = "EURUSD", bid: float = 1.1, ask: float = 1.1002, venue: str = "OANDA") -> Tick:
    """Return a quote."""
    return Tick(symbol=symbol, venue=venue, seq=1, ts_event=QUOTED_US, bid=bid, ask=ask)


def put(gateway: Served, *ticks: Tick) -> None:
    """Let quotes come in."""
    for one in ticks:
        gateway.put(("ticks", f"{one.symbol}.{one.venue}"), encoded(event_for_wire(one)))


def read(gateway: Served, orders: Orders) -> Orders:
    """Let a gateway read orders."""
    gateway.gateway.reads = cast("Any", orders)
    gateway.gateway.decided = Decided(cast("Any", orders))
    return orders


def give(gateway: Served, url: str, body: Any, key: str = "k", **how: Any) -> httpx.Response:
    """Give a command as a trader of alpha."""
    headers = gateway.bearer(how.pop("role", "trader"), how.pop("tenant", "alpha"), key) | how.pop("headers", {})
    return plain_http.post(gateway.url + url, headers=headers, json=body, **how)


@pytest.fixture(scope="module")
def serving() -> Iterator[Served]:
    """Serve one for all tests: its start is the most of what they take."""
    with served() as found:
        yield found


@pytest.fixture
def gateway(serving: Served) -> Served:
    """Give one whose commands no other test has given, with a quote."""
    stores, gateway = serving.stores, serving.gateway
    for kept in (stores.rows, stores.answers, stores.events):
        kept.clear()  # type: ignore[attr-defined]
    gateway.flow.last = None
    read(serving, Orders())
    serving.loop.call_soon_threadsafe(gateway.hub._cells.clear)
    put(serving, tick(), tick("XYZXYZ"))
    return serving


def test_an_order_is_written_once_with_the_quote_and_its_audit_event(gateway: Served) -> None:
    """A repeat gets the same answer, also if the first process was killed before it could keep one."""
    body = {**LIMIT, "symbol": "EURUSD", "time_to_live_s": 60}
    first = give(gateway, CREATE, body)
    told = first.json()
    assert (first.status_code, told["status"]) == (202, "REQUESTED")
    assert first.headers["location"] == f"{PREFIX}/orders/{told['order_id']}"
    assert (told["quote"]["bid"], told["quote"]["ask"]) == ("1.1", "1.1002")
    gateway.stores.answers.clear()
    assert give(gateway, CREATE, body).json() == told
    (command,) = gateway.stores.of(SubmitOrder)
    assert (command.tenant_id, command.account_id, command.symbol, command.venue) == (
        "alpha",
        "main",
        "EURUSD",
        "OANDA",
    )
    assert (command.side, command.quantity, command.order_type) == ("BUY", Decimal(2000), "LIMIT")
    assert (command.limit_price, command.time_to_live_us, command.quote_ts) == (Decimal("1.1"), 60_000_000, QUOTED_US)
    assert command.order_id == told["order_id"] == derive_id("order", command.event_id)
    (audit,) = gateway.stores.audited
    assert (audit.outcome, audit.subject, audit.tenant_id) == ("CHANGED", f"order {told['order_id']}", "alpha")
    assert audit.detail == "BUY 2000 EURUSD.OANDA, LIMIT, for main"


@pytest.mark.parametrize(
    ("change", "status", "code", "pointer"),
    [
        ({"quantity": "NaN"}, 422, "INVALID", "#/quantity"),
        ({"quantity": "Infinity"}, 422, "INVALID", "#/quantity"),
        ({"quantity": "0"}, 422, "INVALID", "#/quantity"),
        ({"quantity": "-1000"}, 422, "INVALID", "#/quantity"),
        ({"quantity": "1e40"}, 422, "INVALID", "#/quantity"),
        ({"quantity": "1000.00000000001"}, 422, "INVALID", "#/quantity"),
        ({"quantity": "1500"}, 422, "OFF_STEP", "#/quantity"),
        ({"quantity": True}, 422, "INVALID", "#/quantity"),
        ({"side": "HOLD"}, 422, "INVALID", "#/side"),
        ({"type": "STOP"}, 422, "INVALID", "#/type"),
        ({"type": "LIMIT"}, 422, "INVALID", "#/limit_price"),
        ({"limit_price": "1.1"}, 422, "INVALID", "#/limit_price"),
        ({"type": "LIMIT", "limit_price": "0"}, 422, "INVALID", "#/limit_price"),
        ({"type": "LIMIT", "limit_price": "1.1000001"}, 422, "OFF_STEP", "#/limit_price"),
        ({"type": "LIMIT", "limit_price": "11"}, 422, "BEYOND_COLLAR", "#/limit_price"),
        ({"time_to_live_s": 0}, 422, "INVALID", "#/time_to_live_s"),
        ({"time_to_live_s": 90 * 86_400 + 1}, 422, "INVALID", "#/time_to_live_s"),
        ({"symbol": "EURUDS.OANDA"}, 404, "UNKNOWN_SYMBOL", "#/symbol"),
        ({"symbol": "XYZXYZ"}, 422, "UNKNOWN_INSTRUMENT", "#/symbol"),
        ({"account": "mian"}, 404, "UNKNOWN_ACCOUNT", "#/account"),
        ({"tenant": "beta"}, 404, "UNKNOWN_TENANT", "#/tenant"),
        ({"stop_price": "1"}, 422, "INVALID", "#/stop_price"),
    ],
)
def test_what_is_wrong_with_an_order_is_said_and_nothing_is_written(
    gateway: Served, change: dict[str, Any], status: int, code: str, pointer: str
) -> None:
    """With where and what to do; its key stays free, and the refusal is audited."""
    found = give(gateway, CREATE, {**BUY, **change})
    told = found.json()
    assert (found.status_code, told["code"], told["pointer"]) == (status, code, pointer), told
    assert told["remedy"]
    assert gateway.stores.of(SubmitOrder) == []
    assert gateway.stores.rows == {}
    (audit,) = gateway.stores.audited
    assert (audit.outcome, audit.code, audit.tenant_id) == ("REFUSED", code, "alpha")
    assert give(gateway, CREATE, BUY).status_code == 202


def test_bodies_that_are_not_json_of_numbers_are_refused(gateway: Served) -> None:
    """NaN, an infinity and a number of 5,000 digits, which Python's JSON reads or fails at."""
    headers = {**gateway.bearer("trader", "alpha", "k"), "Content-Type": "application/json"}
    for text in ("NaN", "-Infinity", "1" * 5_000, "1e999999"):
        body = f'{{"account": "main", "symbol": "EURUSD", "side": "BUY", "quantity": {text}}}'
        found = plain_http.post(gateway.url + CREATE, headers=headers, content=body)
        assert (found.status_code, found.json()["code"]) in {(422, "INVALID"), (400, "NOT_READABLE")}, text[:9]
    assert gateway.stores.of(SubmitOrder) == []


def test_roles_and_tenants_are_kept_apart(gateway: Served) -> None:
    """Viewers order nothing, operators name the tenant, and a key belongs to a tenant."""
    assert give(gateway, CREATE, BUY, role="viewer").status_code == 403
    assert give(gateway, CANCEL, {"order_id": "x"}, role="analyst").status_code == 403
    nameless = give(gateway, CREATE, BUY, role="operator", tenant=None)
    assert (nameless.status_code, nameless.json()["pointer"]) == (422, "#/tenant")
    unknown = give(gateway, CREATE, {**BUY, "tenant": "bteA"}, role="operator", tenant=None)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "UNKNOWN_TENANT")
    assert give(gateway, CREATE, {**BUY, "tenant": "beta"}, role="operator", tenant=None).status_code == 202
    assert give(gateway, CREATE, BUY).status_code == 202
    assert give(gateway, CREATE, BUY, tenant="beta").status_code == 202
    assert [one.tenant_id for one in gateway.stores.of(SubmitOrder)] == ["beta", "alpha", "beta"]
    assert len({one.order_id for one in gateway.stores.of(SubmitOrder)}) == 3


def test_a_quote_that_no_agent_would_take_makes_no_order(gateway: Served) -> None:
    """Whose bid is above its ask; and no quote makes none."""
    put(gateway, tick(bid=1.2, ask=1.1))
    found = give(gateway, CREATE, BUY)
    assert (found.status_code, found.json()["code"]) == (422, "OUT_OF_RANGE")
    put(gateway, tick(venue="OTHER"))
    several = give(gateway, CREATE, {**BUY, "symbol": "EURUSD"})
    assert (several.status_code, several.json()["code"], several.json()["pointer"]) == (
        409,
        "SEVERAL_VENUES",
        "#/symbol",
    )


def test_whoever_waits_gets_the_decision_and_whoever_does_not_gets_202(gateway: Served) -> None:
    """Denied orders are decided, too. A wish that PostgreSQL cannot fulfil is no failure."""
    orders = read(gateway, Orders(["REQUESTED", "DENIED"]))
    decided = give(gateway, CREATE, BUY, "1", headers={"Prefer": "wait=5"})
    assert (decided.status_code, decided.json()["status"], decided.json()["order"]["reason"]) == (
        201,
        "DENIED",
        "said so",
    )
    orders.states = ["REQUESTED"]
    late = give(gateway, CREATE, BUY, "2", headers={"Prefer": "respond-async, wait=1"})
    assert (late.status_code, late.json()["status"]) == (202, "REQUESTED")
    orders.away = True
    assert give(gateway, CREATE, BUY, "3", headers={"Prefer": "wait=5"}).status_code == 202
    orders.away, orders.states = False, ["APPROVED"]
    gateway.gateway.decided._waiting = MOST_WAITING
    assert give(gateway, CREATE, BUY, "4", headers={"Prefer": "wait=5"}).status_code == 202


def test_a_wish_to_wait_is_read_as_rfc_7240_writes_it() -> None:
    """Up to ten seconds; what is no such wish is none."""
    for text, seconds in ((None, 0), ("", 0), ("wait=3", 3), ("a; wait=99", 10), ("wait=-1", 0), ("await=3", 0)):
        assert wait_s(text) == seconds


def test_an_order_without_a_feed_says_what_it_waits_for(gateway: Served) -> None:
    """Once quotes come, it says nothing of it."""
    for rate, waits in ((0.0, True), (5.0, False)):
        seen = FlowSeen(1.0, {"market.ticks": {"records": "9", "rate_per_s": rate}}, {})
        gateway.gateway.flow.last = seen
        assert ("waits_for" in give(gateway, CREATE, BUY, f"{rate}").json()) == waits


def test_a_cancel_is_written_once_for_the_own_open_order_alone(gateway: Served) -> None:
    """Another tenant's is as unknown as one that never was; what has ended has nothing to cancel."""
    orders = read(gateway, Orders(["ACCEPTED"]))
    body = {"order_id": "o1", "reason": "changed my mind"}
    first = give(gateway, CANCEL, body)
    assert (first.status_code, first.json()["status"]) == (202, "CANCEL_REQUESTED")
    gateway.stores.answers.clear()
    assert give(gateway, CANCEL, body).json() == first.json()
    (command,) = gateway.stores.of(CancelOrder)
    assert (command.order_id, command.tenant_id, command.reason) == ("o1", "alpha", "changed my mind")
    assert flaw_of(command) is None
    (audit,) = gateway.stores.audited
    assert (audit.outcome, audit.subject, audit.before) == ("CHANGED", "order o1", '{"status": "ACCEPTED"}')
    foreign = give(gateway, CANCEL, body, "2", tenant="beta")
    assert (foreign.status_code, foreign.json()["code"], foreign.json()["pointer"]) == (
        404,
        "UNKNOWN_ORDER",
        "#/order_id",
    )
    orders.states = ["ACCEPTED", "ACCEPTED", "CANCELED"]
    ended = give(gateway, CANCEL, body, "3", headers={"Prefer": "wait=5"})
    assert (ended.status_code, ended.json()["status"]) == (200, "CANCELED")
    for state in ("FILLED", "CANCELED", "EXPIRED", "REJECTED", "DENIED"):
        orders.states = [state]
        late = give(gateway, CANCEL, body, f"late {state}".replace(" ", "-"))
        assert (late.status_code, late.json()["code"]) == (409, "ORDER_ENDED")
        assert state in late.json()["detail"]
    assert len(gateway.stores.of(CancelOrder)) == 2


def test_a_ticket_gets_its_own_accounts_and_the_instruments_that_can_be_ordered(gateway: Served) -> None:
    """Operators get those of all tenants; an instrument without known lots, or without a quote, is left out."""
    url = f"{gateway.url}{PREFIX}/orders/choices"
    found = httpx.get(url, headers=gateway.bearer("trader", "beta")).json()
    assert found["accounts"] == {"beta": ["main"]}
    steps = {"tick_size": "0.00001", "lot_size": "1000", "min_quantity": "1000"}
    assert found["instruments"] == [{"instrument": "EURUSD.OANDA", **steps}]
    assert set(httpx.get(url, headers=gateway.bearer()).json()["accounts"]) == {"alpha", "beta"}
    assert httpx.get(url, headers=gateway.bearer("trader", "gamma")).json()["accounts"] == {"gamma": []}


def test_the_page_says_what_to_do_about_each_denial_and_each_state() -> None:
    """As the schemas name them."""
    text = (FOLDER / "orders" / "words.js").read_text("utf-8")
    states, remedies = (re.findall(r"^  ([A-Z_]+): ", part, re.MULTILINE) for part in text.split("REMEDIES")[:2])
    assert set(remedies) == set(get_args(Code))
    assert set(states) == {*get_args(Status), "REQUESTED", "APPROVED", "DENIED", "MET"}
