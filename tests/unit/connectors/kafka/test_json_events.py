"""Events as lines of JSON: what is written reads back, and what is wrong is told by its field."""

from __future__ import annotations

import json
import math
import string
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.kafka.json_events import (
    NotAnEvent,
    event_to_json,
    fields_of,
    parse_event,
    strict_json,
    time_from_json,
    time_to_json,
)
from tradewind.schemas.event import UNKNOWN, Event
from tradewind.schemas.market import Tick
from tradewind.topics import DECISIONS, DOMAIN_TOPICS, ORDER_EVENTS, TICKS, TRADES, Topic

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
            return st.sampled_from([symbol for symbol in symbols if symbol != UNKNOWN])
        case {"type": "array", "items": items}:
            return st.lists(values(items), max_size=3)
        case {"type": "record", "fields": fields}:
            return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in fields})
        case {"type": str(kind)}:
            return PLAIN[kind]
    return PLAIN[schema]


@cache
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


def test_nobody_publishes_a_symbol_that_stands_for_one_that_was_not_known() -> None:
    """It is a reader's word; in a list as well. The message has the symbols that may be written."""
    trade = '{"symbol":"A","venue":"V","seq":1,"ts_event":1,"trade_id":"t","price":1,"size":1,"aggressor":"UNKNOWN"}'
    with pytest.raises(NotAnEvent, match="aggressor: expected one of BUY, SELL, got 'UNKNOWN'"):
        parse_event(trade, TRADES)
    with pytest.raises(NotAnEvent, match=r"codes\[0\]: expected one of STALE_PRICE, .*, got 'UNKNOWN'"):
        parse_event(
            '{"event_id":"e","ts_event":1,"ts_ingest":1,"correlation_id":"","causation_id":"",'
            '"outcome":"DENIED","codes":["UNKNOWN"]}',
            DECISIONS,
        )


def test_the_main_event_of_a_topic_needs_no_name() -> None:
    """Others are named by `event`."""
    event = parse_event(TICK, TICKS)
    assert event == Tick(symbol="EURUSD", venue="SIM", seq=1, ts_event=1_398_902_400_292_000, bid=1.1, ask=1.2)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a JSON object"),
        (TICK.replace('"bid":1.1', '"bid":"x"'), "bid: expected a number, got 'x'"),
        (TICK.replace('"bid":1.1', '"bid":NaN'), "bid: NaN is not a number in JSON"),
        (TICK.replace('"bid":1.1', '"bid":-Infinity'), "bid: -Infinity is not a number in JSON"),
        (TICK.replace('"bid":1.1', '"bid":[NaN]'), "bid: NaN is not a number in JSON"),
        (TICK.replace("{", '{"at":NaN,'), "at: NaN is not a number in JSON"),
        (TICK.replace('"bid":1.1', '"bid":"NaN"'), "bid: expected a number, got 'NaN'"),
        (TICK.replace('"bid":1.1', '"bid":1e400'), "bid: 1E+400 is too large or too small for a double"),
        (TICK.replace('"bid":1.1', '"bid":-1e400'), "bid: -1E+400 is too large or too small for a double"),
        (TICK.replace('"bid":1.1', '"bid":1e-400'), "bid: 1E-400 is too large or too small for a double"),
        (TICK.replace('"bid":1.1', f'"bid":1{"0" * 400}'), "bid: 1000"),
        (TICK.replace('"bid":1.1', f'"bid":1{"0" * 5000}'), "not JSON"),
        (TICK.replace('"bid":1.1', '"bid":1.1,"bid":1.1'), "'bid': duplicate key"),
        (TICK.replace("{", '{"symbol":"X",'), "'symbol': duplicate key"),
        (TICK.replace("EURUSD", "\\ud800"), "symbol: '\\ud800' at character 1 is half a character"),
        (TICK.replace("EURUSD", "a\\udc00\\ud800"), "symbol: '\\udc00' at character 2 is half a character"),
        (TICK.replace('"ts_event":"2014-05-01T00:00:00.292Z"', f'"ts_event":{2**63}'), "ts_event: 92233720368"),
        (TICK.replace('"bid":1.1', '"bid":01.1'), "not JSON"),
        (TICK.replace('"bid":1.1', '"bid":.1'), "not JSON"),
        (TICK.replace('"bid":1.1', '"bid":0x1'), "not JSON"),
        (TICK.replace('"bid":1.1', '"bid":1_0'), "not JSON"),
        (TICK.replace('"', "'"), "not JSON"),
        (TICK + TICK, "not JSON: Extra data"),
        ("NaN", "not a JSON object"),
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
    with pytest.raises(NotAnEvent) as told:
        parse_event(line, TICKS)
    assert said in str(told.value)


def test_a_word_that_is_not_in_an_enumeration_is_told_with_those_that_are() -> None:
    """Sides, statuses and such."""
    line = TICK.replace('"bid":1.1,"ask":1.2', '"trade_id":"1","price":1,"size":1,"aggressor":"buy"')
    with pytest.raises(NotAnEvent, match="aggressor: expected one of BUY, SELL, got 'buy'"):
        parse_event(line, TRADES)


@pytest.mark.parametrize(
    "written",
    ['"NaN"', '"Infinity"', '"sNaN"', '"1_000"', '" 1"', '"1."', '""', '"0x1"', '"\u0661"', "1e999999999", "NaN"],
)
def test_a_decimal_is_digits_only(written: str) -> None:
    """Python's own reader of decimals takes more than any schema has."""
    names = ("event_id", "tenant_id", "correlation_id", "causation_id", "order_id", "account_id", "symbol", "venue")
    fields = {**dict.fromkeys(names, "a"), "ts_event": 1, "ts_ingest": 1, "sequence": 1, "status": "FILLED"}
    line = json.dumps(fields)[:-1] + f',"filled_quantity":{written}}}'
    with pytest.raises(
        NotAnEvent, match=r"filled_quantity: (expected a decimal|.* too small for a decimal|NaN is not a number)"
    ):
        parse_event(line, ORDER_EVENTS)


@given(st.sampled_from([math.nan, math.inf, -math.inf, 1.5, 1e308, 5e-324]))
def test_what_is_printed_is_strict_json_whatever_an_event_holds(bid: float) -> None:
    """Numbers that JSON lacks are strings, which are not read back: no event should hold them."""
    event = Tick(symbol="\u20ac", venue="SIM", seq=1, ts_event=0, bid=bid, ask=1.2)
    for encoding in ("utf-8", "ascii", "latin-1", None, "no such"):
        text = strict_json(event_to_json(event), encoding=encoding)
        text.encode(encoding if encoding in {"utf-8", "latin-1"} else "ascii")
        shown = json.loads(text, parse_constant=pytest.fail)
        assert shown["symbol"] == "\u20ac"
        assert shown["bid"] == {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(str(bid), bid)


def test_any_value_is_printed_as_strict_json() -> None:
    """Reports have numbers deep inside, and paths with bytes that are no text."""
    told = strict_json({"a": [1.0, math.nan, (math.inf,)], "path": "/tmp/\udcff", "b": {"c": -math.inf}})
    assert json.loads(told) == {"a": [1.0, "NaN", ["Infinity"]], "path": "/tmp/\udcff", "b": {"c": "-Infinity"}}
    told.encode()


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
