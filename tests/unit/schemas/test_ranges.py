"""Ranges: every field that an agent or a sink reads states one, and all ways of checking say the same."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.schemas.strategies import EDGES, examples, ordinary, sound
from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.loop.money_columns import frame_of_rows
from tradewind.schemas.ai import AiAttempt, AiProvider, AiRequest, AiResponse, AiRoute
from tradewind.schemas.avsc import committed, kind_of, newest
from tradewind.schemas.codec import MODELS
from tradewind.schemas.event import Event
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.flaws import flaw_of, flaws_in, flaws_of
from tradewind.schemas.market import Tick
from tradewind.schemas.ranges import RANGES, UnknownRange, range_of, rule_of
from tradewind.schemas.runtime import DeadLetter
from tradewind.schemas.tenancy import Tenant, TenantCommand, TenantRefused
from tradewind.streams.agents import OURS
from tradewind.topics import DOMAIN_TOPICS
from tradewind.topics.tenancy import TENANT_CHANGES, TENANT_COMMANDS, TENANT_REFUSALS

NEWEST = newest(committed())
OF_TENANTS = (TENANT_COMMANDS, TENANT_CHANGES, TENANT_REFUSALS)
OF_RECORDS = {
    model.SCHEMA
    for model in (
        *(DeadLetter, Tenant, TenantCommand, TenantRefused),
        *(AiAttempt, AiProvider, AiRequest, AiResponse, AiRoute),
    )
}
"""Models with records in a field: nobody reads them by columns."""
MEASURED = ("double", "decimal", "long", "int", "string")
READ = sorted({model.SCHEMA for topic in (*DOMAIN_TOPICS, *OF_TENANTS) for model in topic.models} | {DeadLetter.SCHEMA})
"""What agents, sinks and people read."""


def test_what_agents_read_is_among_the_topics() -> None:
    """The next test misses no model."""
    inputs = {topic for agent in OURS for topic in agent.declare(Settings()).inputs}
    assert inputs <= set(DOMAIN_TOPICS)


@pytest.mark.parametrize("name", READ)
def test_every_number_and_text_that_is_read_states_its_range(name: str) -> None:
    """An agent is never given a value that nobody thought of. State `any` where every value is fine."""
    file = NEWEST[name]
    fields = [field["name"] for field in file.schema["fields"] if kind_of(field["type"]) in MEASURED]
    missing = [field for field in fields if field not in file.ranges]
    assert not missing, f"{file.path}: give {', '.join(missing)} a range of schemas/ranges.py"


def test_no_double_may_be_any() -> None:
    """NaN and the infinities are no prices, sizes or shares."""
    assert not [name for name, of in RANGES.items() if "double" in of.kinds and (of.low is None or of.high is None)]


def changed(name: str) -> list[Event]:
    """Return a sound event of a model, and it with every field at each edge, null included."""
    file = NEWEST[name]
    sound_one = ordinary(name)
    fields = [(field["name"], field["type"]) for field in file.schema["fields"] if field["name"] in file.ranges]
    edges = [
        replace(sound_one, **{field: value})  # type: ignore[type-var]
        for field, kind in fields
        for value in [*EDGES[kind_of(kind)], *([None] if isinstance(kind, list) else [])]
    ]
    return [sound_one, *edges, sound_one]


@pytest.mark.parametrize("name", READ)
def test_an_event_and_a_column_of_it_have_the_same_flaws(name: str) -> None:
    """Whatever the values are: the generated check, the reason, and the check of columns agree."""
    found = changed(name)
    flaws = flaws_of(found)
    assert flaws
    assert not {0, len(found) - 1} & set(flaws)
    assert set(flaws) == {at for at, event in enumerate(found) if not event.in_range()}
    assert [flaw_of(event) for event in found] == [flaws.get(at) for at in range(len(found))]
    if name in OF_RECORDS:
        return
    frame = frame_of_rows(MODELS[name], found)
    assert flaws_in(MODELS[name], frame) == flaws
    assert flaws_in(MODELS[name], pl.concat([frame, frame])) == flaws | {at + len(found): x for at, x in flaws.items()}
    for at in range(len(found)):  # nothing else hides a flaw
        assert flaws_in(MODELS[name], frame[at]) == ({0: flaws[at]} if at in flaws else {})
    assert not flaws_in(MODELS[name], frame.clear())


@pytest.mark.parametrize("name", READ)
@given(data=st.data())
@examples(5)
def test_what_is_drawn_in_range_is_in_range(name: str, data: st.DataObject) -> None:
    """Tests of processors draw what the runtime would give them."""
    assert flaw_of(data.draw(sound(name))) is None


TICK = Tick(symbol="EURUSD", venue="OANDA", seq=7, ts_event=1, bid=1.1, ask=1.2, bid_size=5.0)
REQUEST: dict[str, Any] = {
    "event_id": "e", "tenant_id": "t", "ts_event": 1, "ts_ingest": 1, "correlation_id": "", "causation_id": "",
    "order_id": "o", "account_id": "a", "symbol": "S", "venue": "V", "deployment": "d", "mode": "ADD",
    "units": Decimal(1), "lot_size": Decimal(1), "min_quantity": Decimal(1), "order_type": "MARKET",
    "time_in_force": "DAY", "strategy": "s", "signal_id": "i", "quote_bid": Decimal(1),
    "quote_ask": Decimal(1), "quote_ts": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "sound_values", "change", "said"),
    [
        (Tick, TICK.to_dict(), {"bid": float("nan")}, "bid is nan; its range is from 1e-10 to 1e+12"),
        (Tick, TICK.to_dict(), {"ask": float("inf")}, "ask is inf; its range is from 1e-10 to 1e+12"),
        (Tick, TICK.to_dict(), {"bid": -1.0}, "bid is -1.0; its range is"),
        (Tick, TICK.to_dict(), {"bid": 1.3}, "bid is 1.3 and ask is 1.2; the rule is bid <= ask"),
        (Tick, TICK.to_dict(), {"ask": 1e9}, "bid is 1.1 and ask is 1000000000.0; the rule is ask - bid <= 1e8"),
        (Tick, TICK.to_dict(), {"ask_size": float("nan")}, "ask_size is nan; its range is from 0 to 1e+12"),
        (Tick, TICK.to_dict(), {"ts_event": -1}, "ts_event is -1; its range is from 0 to 253370764800000000 µs"),
        (Tick, TICK.to_dict(), {"symbol": ""}, "symbol is ''; its range is from 1 to 256 characters"),
        (Tick, TICK.to_dict(), {"venue": "x" * 200_000}, "x'... of 200000 characters; its range is from 1 to 256"),
        (OrderRequest, REQUEST, {"lot_size": Decimal(0)}, "lot_size is 0; its range is above 0"),
        (OrderRequest, REQUEST, {"buy_limit": Decimal(1)}, "the rule is buy_limit exactly where order_type is LIMIT"),
        (OrderRequest, REQUEST, {"order_type": "LIMIT"}, "buy_limit is None and order_type is 'LIMIT'; the rule is"),
        (OrderRequest, REQUEST, {"time_in_force": "GTD"}, "expire_ts is None and time_in_force is 'GTD'; the rule is"),
        (OrderRequest, REQUEST, {"quote_bid": Decimal(2)}, "the rule is quote_bid <= quote_ask"),
    ],
)
def test_a_flaw_names_the_field_its_value_and_the_range(
    model: type[Event], sound_values: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    """What a person reads in a dead letter."""
    assert flaw_of(model(**sound_values)) is None
    found = flaw_of(model(**{**sound_values, **change}))
    assert found is not None
    assert said in found


@pytest.mark.parametrize("change", [{"order_type": "UNKNOWN", "buy_limit": Decimal(1)}, {"time_in_force": "UNKNOWN"}])
def test_a_rule_says_nothing_where_a_symbol_is_not_known(change: dict[str, Any]) -> None:
    """A later version's orders may have a limit and another type; by rows and by columns."""
    event = OrderRequest(**{**REQUEST, **change})
    assert event.in_range()
    assert flaws_of([event]) == flaws_in(OrderRequest, frame_of_rows(OrderRequest, [event])) == {}


def test_a_text_is_measured_in_characters() -> None:
    """A name of 256 letters of any script is one."""
    wide = [Tick(**{**TICK.to_dict(), "symbol": "é" * count}) for count in (256, 257)]
    assert set(flaws_in(Tick, frame_of_rows(Tick, wide))) == set(flaws_of(wide)) == {1}


def test_ranges_are_no_part_of_what_is_registered() -> None:
    """They may change without a version: the registry and the records know nothing of them."""
    for file in committed():
        assert '"range"' not in file.text
        assert '"rules"' not in file.text


@pytest.mark.parametrize("text", ["bid", "bid >= ask", "a exactly where b", "a - b < 5", ""])
def test_an_unknown_rule_is_refused(text: str) -> None:
    """A rule that nobody checks is worse than none."""
    with pytest.raises(UnknownRange, match="no rule"):
        rule_of(text)


def test_a_range_is_for_its_types() -> None:
    """The message lists those that would do."""
    with pytest.raises(UnknownRange, match="its range is 'price'; ranges of a decimal are amount, exact_price"):
        range_of("price", "decimal")
