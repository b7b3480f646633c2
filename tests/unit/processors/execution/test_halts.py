"""A halt ends what is open of whom it names, and nothing of theirs is filled after its place among the records."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing import START, as_columns, assert_law, decision, heartbeat, places, result, tick

from tradewind.processors.batch import Segment
from tradewind.processors.execution.processor import execution
from tradewind.processors.identity import derive_id
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OpenOrderState, OrderEvent, VenueTimeState
from tradewind.schemas.risk import Decision, KillSwitch
from tradewind.testing import MemoryState, rows, run

LATENCY = 100
NOW = START + 4_000_000_000_000_000  # of a command: years after the quotes that are replayed
TOPICS: dict[type[Event], str] = {Decision: "risk.decisions", KillSwitch: "risk.kill_switches"}


def halt(tenant_id: str | None = "alpha", account_id: str | None = None, *, engaged: bool = True) -> KillSwitch:
    """Return a command of now, in wall-clock time."""
    event_id = derive_id("switch", str(engaged), str(tenant_id), str(account_id))
    return KillSwitch(
        event_id=event_id,
        tenant_id=tenant_id,
        ts_event=NOW,
        ts_ingest=NOW,
        correlation_id=event_id,
        causation_id=event_id,
        account_id=account_id,
        engaged=engaged,
        reason="too fast",
    )


def lift(tenant_id: str | None = "alpha", account_id: str | None = None) -> KillSwitch:
    """Return the command that releases one."""
    return halt(tenant_id, account_id, engaged=False)


def limited(number: int, ts_event: int = START, **other: Any) -> Decision:
    """Return the approval of a buy at 1.1."""
    return decision(number, ts_event, order_type="LIMIT", limit_price=Decimal("1.1"), **other)


def segments_of(records: list[Event]) -> list[Segment]:
    """Return records as segments, in their order: ticks and heartbeats on the ticks' topic."""
    found: list[Segment] = []
    for topic, run_of in groupby(records, lambda record: TOPICS.get(type(record), "market.ticks")):
        found += rows(run_of, topic)
    return found


def sent(records: list[Event], state: MemoryState | None = None) -> list[Event]:
    """Return what comes of records."""
    kept = MemoryState() if state is None else state
    return [event for segment in segments_of(records) for event in run(execution(LATENCY), segment, kept)]


def told(events: list[Event]) -> list[tuple[str, str, int]]:
    """Return each step of each order: its id, its status, its time after the start."""
    return [(event.order_id, event.status, event.ts_event - START) for event in events if isinstance(event, OrderEvent)]


def test_a_halt_cancels_what_rests_once_and_no_quote_fills_it() -> None:
    """It was filled by the next quote that reached its limit, though the tenant was halted."""
    events = sent([limited(1), tick(START + LATENCY, 1.2), halt(), halt(), tick(START + 500, 0.5)])
    assert told(events) == [("order-1", "ACCEPTED", 0), ("order-1", "CANCELED", LATENCY)]
    (cancelled,) = [event for event in events if isinstance(event, OrderEvent) and event.status == "CANCELED"]
    assert cancelled.reason == "trading is stopped for the tenant: too fast"
    assert (cancelled.sequence, cancelled.filled_quantity) == (1, Decimal(0))
    assert cancelled.causation_id == derive_id("OrderEvent", "order-1", 0)
    assert cancelled.ts_ingest == NOW


def test_a_market_order_that_waits_for_its_first_quote_is_cancelled() -> None:
    """Its latency is not over: it is as open as an order that rests."""
    assert told(sent([decision(1), halt(), tick(START + LATENCY)])) == [
        ("order-1", "ACCEPTED", 0),
        ("order-1", "CANCELED", 0),
    ]


@pytest.mark.parametrize("order", [decision(1), limited(1), limited(1, time_in_force="GTD", expire_ts=START + 10)])
def test_an_approval_that_was_on_its_way_is_cancelled_when_it_comes(order: Decision) -> None:
    """It was approved before risk heard of the halt: one acceptance, one end, and nothing of it is kept."""
    state = MemoryState()
    events = sent([halt(), order, tick(START + LATENCY, 0.5), heartbeat(START + 999, closing=True)], state)
    assert told(events) == [("order-1", "ACCEPTED", 0), ("order-1", "CANCELED", 0)]
    assert not any(isinstance(value, OpenOrderState | VenueTimeState) for value in state.values.values())


def test_an_order_after_the_lift_lives() -> None:
    """One from before it stays cancelled, and a second halt ends the later one in its turn."""
    orders = [limited(number, START + number) for number in (1, 2, 3)]
    events = sent([orders[0], halt(), lift(), orders[1], tick(START + 500, 0.5), orders[2], halt(), tick(START + 900)])
    ends = {of: status for of, status, _ in told(events)}
    assert ends == {"order-1": "CANCELED", "order-2": "FILLED", "order-3": "CANCELED"}


def test_lifting_an_accounts_halt_leaves_its_tenants() -> None:
    """Each switch is released by a command for the same whom."""
    events = sent([halt(), halt("alpha", "main"), lift("alpha", "main"), limited(1), lift(), limited(2)])
    assert told(events) == [("order-1", "ACCEPTED", 0), ("order-1", "CANCELED", 0), ("order-2", "ACCEPTED", 0)]


@pytest.mark.parametrize(
    ("command", "stopped"),
    [
        (halt(), {"alpha/main", "alpha/second"}),
        (halt("alpha", "second"), {"alpha/second"}),
        (halt(None), {"alpha/main", "alpha/second", "beta/main"}),
        (halt("gamma"), set[str]()),
    ],
)
def test_a_halt_ends_the_orders_of_whom_it_names_on_every_instrument(command: KillSwitch, stopped: set[str]) -> None:
    """Others that rest in the same book are filled by the next quote, as if nothing had been."""
    accounts = [("alpha", "main"), ("alpha", "second"), ("beta", "main")]
    orders = [
        limited(number, START + number, tenant_id=tenant, account_id=account, symbol=symbol)
        for number, (symbol, (tenant, account)) in enumerate(
            (symbol, of) for symbol in ("EURUSD", "XAUUSD") for of in accounts
        )
    ]
    ticks = [tick(START + 500, 0.5, symbol=symbol) for symbol in ("EURUSD", "XAUUSD")]
    events = sent([*orders, command, *ticks])
    ends = Counter(
        (event.status, f"{event.tenant_id}/{event.account_id}")
        for event in events
        if isinstance(event, OrderEvent) and event.status != "ACCEPTED"
    )
    expected = {f"{t}/{a}": "CANCELED" if f"{t}/{a}" in stopped else "FILLED" for t, a in accounts}
    assert ends == Counter({(status, of): 2 for of, status in expected.items()})


def test_a_cancel_is_dated_by_the_venues_time_of_its_instrument() -> None:
    """By no clock, and never before the order or after its expiry, though quotes of others are years ahead."""
    later = tick(START + 9_000_000, symbol="XAUUSD")
    first, last = limited(1), limited(2, START + 700, time_in_force="GTD", expire_ts=START + 800)
    assert told(sent([first, tick(START + 300, 1.2), later, heartbeat(START + 400), last, halt()]))[2:] == [
        ("order-1", "CANCELED", 400),
        ("order-2", "CANCELED", 700),
    ]
    assert told(sent([limited(1), tick(START + 900, 1.2), last, halt()]))[2:] == [
        ("order-1", "CANCELED", 900),
        ("order-2", "CANCELED", 800),
    ]


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Draw records in the order in which a journal has them: orders, commands, quotes and time, of two instruments."""
    records: list[Event] = []
    now = START
    for number in range(draw(st.integers(0, 40))):
        now += draw(st.sampled_from((0, 1, 20, 60, 100)))
        symbol = draw(st.sampled_from(("EURUSD", "XAUUSD")))
        kind = draw(st.integers(0, 9))
        if kind < 4:
            limit = draw(st.sampled_from((None, "0.9", "1.1", "1.3")))
            lives = draw(st.sampled_from((None, 50, 400))) if limit else None
            change: dict[str, Any] = {
                "symbol": symbol,
                "tenant_id": draw(st.sampled_from(("alpha", "beta"))),
                "account_id": draw(st.sampled_from(("main", "second"))),
                "order_type": "LIMIT" if limit else "MARKET",
                "limit_price": Decimal(limit) if limit else None,
                "time_in_force": "GTD" if lives else "DAY",
                "expire_ts": now + lives if lives else None,
            }
            records.append(decision(number, now, draw(st.sampled_from(("APPROVED", "APPROVED", "DENIED"))), **change))
        elif kind < 6:
            whose = draw(st.sampled_from(((None, None), ("alpha", None), ("alpha", "main"), ("beta", "second"))))
            records.append(halt(*whose, engaged=draw(st.booleans())))
        elif kind < 7:
            records.append(heartbeat(now, symbol=symbol, closing=draw(st.integers(0, 3)) == 0))
        else:
            late = draw(st.sampled_from((0, 0, 30)))
            records.append(tick(now - late, draw(st.integers(8, 13)) / 10, symbol=symbol, seq=number))
    return records


class Desk:
    """Who is halted and what is open, as somebody would write down who reads the records one after the other."""

    def __init__(self) -> None:
        self.engaged: set[tuple[str | None, str | None]] = set()
        self.open: dict[str, Decision] = {}
        self.ended: set[str] = set()

    def halted(self, of: Decision | OrderEvent | Fill) -> bool:
        """Return whether an account may not trade."""
        return bool({(None, None), (of.tenant_id, None), (of.tenant_id, of.account_id)} & self.engaged)

    def read(self, record: Event, came: list[Event]) -> None:
        """Take a record with what came of it."""
        if isinstance(record, KillSwitch):
            whose = (record.tenant_id, record.account_id)
            (self.engaged.add if record.engaged else self.engaged.discard)(whose)
        elif isinstance(record, Decision) and record.outcome == "APPROVED":
            self.open[record.order_id] = record
        for event in came:
            assert isinstance(event, OrderEvent | Fill)
            if isinstance(event, Fill) or event.status == "FILLED":
                assert not self.halted(event), "an order of a halted account was filled"
            if isinstance(event, OrderEvent) and event.status != "ACCEPTED":
                order = self.open.pop(event.order_id)
                assert event.order_id not in self.ended
                self.ended.add(event.order_id)
                assert event.status != "CANCELED" or self.halted(event)
                assert event.ts_event >= order.ts_event
        assert not [order for order in self.open.values() if self.halted(order)], "an order of a halted account is open"


@given(histories())
def test_nothing_of_a_halted_account_is_open_or_filled_after_the_halts_place(records: list[Event]) -> None:
    """Whatever orders, commands and quotes there are; and each order ends once."""
    state, desk = MemoryState(), Desk()
    for record in [*records, *(heartbeat(START + 10**7, closing=True, symbol=of) for of in ("EURUSD", "XAUUSD"))]:
        desk.read(record, sent([record], state))
        open_ids = {value.order_id for value in state.values.values() if isinstance(value, OpenOrderState)}
        assert open_ids == desk.open.keys()
        timed = {value.symbol for value in state.values.values() if isinstance(value, VenueTimeState)}
        assert timed <= {order.symbol for order in desk.open.values()}
    assert not desk.open


@given(histories(), places)
def test_cuts_change_nothing_among_halts(records: list[Event], cuts: list[int]) -> None:
    """f(a + b) = f(a) ; f(b), with commands between decisions and ticks."""
    assert_law(lambda: execution(LATENCY), segments_of(records), cuts)
    assert_law(lambda: execution(LATENCY), as_columns(segments_of(records)), cuts)


@given(histories())
def test_without_a_halt_nothing_is_cancelled(records: list[Event]) -> None:
    """And released switches that were never engaged change no end of any order."""
    others = [record for record in records if not isinstance(record, KillSwitch)]
    released = [one for record in others for one in (lift(), lift(None), record)]
    plain, _ = result(execution(LATENCY), segments_of(others))
    assert "CANCELED" not in {event.status for event in plain if isinstance(event, OrderEvent)}
    key = _without_stamps(plain)
    assert key == _without_stamps(result(execution(LATENCY), segments_of(released))[0])


def _without_stamps(events: list[Event]) -> list[dict[str, Any]]:
    return [{name: value for name, value in event.to_dict().items() if name != "ts_ingest"} for event in events]
