"""Events as lines of JSON: what is written reads back, and what is wrong is told by its field."""

from __future__ import annotations

import json
import string
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.kafka.json_events import (
    NotAnEvent,
    event_to_json,
    fields_of,
    parse_event,
    time_from_json,
    time_to_json,
)
from tradewind.schemas.event import Event
from tradewind.schemas.market import Tick
from tradewind.topics import DOMAIN_TOPICS, TICKS, TRADES, Topic

TICK = '{"symbol":"EURUSD","venue":"SIM","seq":1,"ts_event":"2014-05-01T00:00:00.292Z","bid":1.1,"ask":1.2}'
PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(alphabet=string.printable + "µ–", max_size=20),
    "bytes": st.binary(max_size=20),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
}


def values(schema: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for the values of an Avro type."""
    match schema:
        case ["null", other]:
            return st.none() | values(other)
        case {"logicalType": "decimal"}:
            return st.decimals(-(10**12), 10**12, places=8)
        case {"type": "enum", "symbols": symbols}:
            return st.sampled_from(symbols)
        case {"type": "array", "items": items}:
            return st.lists(values(items), max_size=3)
        case {"type": "record", "fields": fields}:
            return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in fields})
        case {"type": str(kind)}:
            return PLAIN[kind]
    return PLAIN[schema]


def events(model: type[Event]) -> st.SearchStrategy[Event]:
    """Return a strategy for the events of a model."""
    fields = {name: values(field["type"]) for name, field in fields_of(model).items()}
    return st.fixed_dictionaries(fields).map(model.from_dict)


@pytest.mark.parametrize("topic", DOMAIN_TOPICS, ids=lambda topic: topic.name)
@given(st.data())
def test_every_event_reads_back_as_it_was_written(topic: Topic, data: st.DataObject) -> None:
    """Money, times, bytes, lists and absent values included."""
    for model in topic.models:
        event = data.draw(events(model))
        line = json.dumps(event_to_json(event, at="x/0@1"))
        assert parse_event(line, topic) == event


def test_the_main_event_of_a_topic_needs_no_name() -> None:
    """Others are named by `event`."""
    event = parse_event(TICK, TICKS)
    assert event == Tick(symbol="EURUSD", venue="SIM", seq=1, ts_event=1_398_902_400_292_000, bid=1.1, ask=1.2)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "not a JSON object"),
        (TICK.replace('"bid":1.1', '"bid":"x"'), "bid: expected a number, got 'x'"),
        (TICK.replace('"bid":1.1', '"bid":NaN'), "NaN is no number"),
        (TICK.replace('"bid":1.1', '"bid":true'), "bid: expected a number"),
        (TICK.replace('"bid":1.1,', ""), "bid: missing"),
        (TICK.replace('"bid"', '"bidd"'), "bidd: Tick has no such field; is it bid"),
        (TICK.replace('"seq":1', '"seq":1.5'), "seq: expected a whole number"),
        (TICK.replace('"seq":1', '"seq":9223372036854775808'), "does not fit 64 bits"),
        (TICK.replace(".292Z", ""), "has no time zone"),
        (TICK.replace(".292Z", ".2921111Z"), "finer than microseconds"),
        (TICK.replace("2014-05-01T", "yesterday"), "ts_event: Invalid isoformat"),
        (TICK.replace('"symbol":"EURUSD"', '"symbol":5'), "symbol: expected a string"),
        (TICK.replace("{", '{"event":"Bar",'), "market.ticks carries Tick or Heartbeat, not 'Bar'"),
    ],
)
def test_what_is_no_event_is_told_by_its_field(line: str, said: str) -> None:
    """The words say what was expected there."""
    with pytest.raises(NotAnEvent, match="") as told:
        parse_event(line, TICKS)
    assert said in str(told.value)


def test_a_word_that_is_not_in_an_enumeration_is_told_with_those_that_are() -> None:
    """Sides, statuses and such."""
    line = TICK.replace('"bid":1.1,"ask":1.2', '"trade_id":"1","price":1,"size":1,"aggressor":"buy"')
    with pytest.raises(NotAnEvent, match="aggressor: expected one of BUY, SELL, got 'buy'"):
        parse_event(line, TRADES)


@given(st.text(max_size=200))
def test_any_text_is_an_event_or_an_error(line: str) -> None:
    """Nothing else escapes."""
    with pytest.raises(NotAnEvent):
        parse_event(line, TICKS)


@given(st.integers(-(2**63), 2**63 - 1))
def test_times_read_back(ts: int) -> None:
    """In years that no calendar has, too."""
    assert time_from_json(time_to_json(ts)) == ts


def test_decimals_keep_their_digits() -> None:
    """No binary fraction comes between."""
    assert json.loads("1.10", parse_float=Decimal) == Decimal("1.10")
