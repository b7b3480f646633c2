"""A trace that Kafka answers slowly is searched on, or says what is left; an order by hand has a command."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import pytest
from processing import START, bar, tick

from tradewind.connectors.gateway import traces as traces_module
from tradewind.connectors.gateway.traces import Place, Traces
from tradewind.connectors.health.messages import Step
from tradewind.connectors.settings import Settings
from tradewind.processors.health.chain import Step as ChainStep
from tradewind.processors.health.chain import chained
from tradewind.processors.portfolio.commanded import BY_HAND
from tradewind.schemas.execution import SubmitOrder
from tradewind.topics import BARS, ORDER_COMMANDS, TICKS


class Record:
    """A record of which only the bytes count."""

    def value(self) -> bytes:
        """Return none."""
        return b""


class Slow:
    """A search that finds a record in its third step, or never ends."""

    steps = 0
    endless = False

    def __init__(self, *_of: object) -> None:
        type(self).steps = 0

    def bounds(self, partitions: list[int]) -> dict[int, tuple[int, int]]:
        """Return where each partition begins and ends."""
        return dict.fromkeys(partitions, (0, 1_000))

    def at_time(self, partitions: list[int], _moment_ms: int, _bounds: object) -> dict[int, int]:
        """Return where to begin."""
        return dict.fromkeys(partitions, 1_000)

    def backwards(self, reached: Mapping[int, int], _bounds: object, _takes: object, _limit: int) -> Step:
        """Go a step of 100 offsets."""
        type(self).steps += 1
        (number,) = reached
        found = [cast("Any", Record())] if self.steps == 3 and not self.endless else []
        return Step(found, {number: reached[number] - 100}, reached[number] - 100)

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("endless", [False, True])
def test_a_search_goes_on_until_it_has_found_or_says_what_is_left(
    monkeypatch: pytest.MonkeyPatch, *, endless: bool
) -> None:
    """One step of a search reads for a second or so, which is too short on a busy machine."""
    monkeypatch.setattr(traces_module, "Searcher", Slow)
    monkeypatch.setattr(Slow, "endless", endless)
    if endless:
        monkeypatch.setattr(traces_module, "SEARCH_S", -1.0)
    wanted, unread = bar(1), list[str]()
    codec = type("Same", (), {"decode": lambda _self, _value: wanted})()
    found = Traces(Settings(_env_file=None), codec, cast("Any", None))
    event = found._first(Place(BARS, "EURUSD.OANDA", 0, backwards=True), lambda _event: True, unread)
    assert (event, unread) == (
        (None, ["market.bars was searched for -1 s, 900 offsets are left"]) if endless else (wanted, [])
    )
    assert Slow.steps == (1 if endless else 3)


def test_an_order_by_hand_has_a_command_and_no_signal_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its request names the command as its cause."""
    command = SubmitOrder(
        event_id="c1",
        tenant_id="alpha",
        ts_event=START,
        ts_ingest=START,
        correlation_id="c1",
        causation_id="c1",
        account_id="main",
        symbol="EURUSD",
        venue="OANDA",
        order_id="o1",
        side="BUY",
        quantity=Decimal(1_000),
        order_type="MARKET",
        quote_bid=Decimal("1.1"),
        quote_ask=Decimal("1.2"),
        quote_ts=START,
    )
    shown = {"symbol": "EURUSD", "venue": "OANDA", "deployment": BY_HAND}
    request = ChainStep("request", "r1", START, START, shown, cause="c1", quote_us=START)
    looked: list[str] = []

    def first(_self: Traces, place: Place, wanted: Any, _unread: list[str]) -> Any:
        looked.append(place.topic.name)
        return next((one for one in (command, tick(START, 1.1)) if wanted(one)), None)

    monkeypatch.setattr(Traces, "_first", first)
    found = Traces(Settings(_env_file=None), cast("Any", None), cast("Any", None))._from_kafka([request], [])
    assert [one["kind"] for one in chained([request, *found])] == ["quote", "command", "request"]
    assert sorted(looked) == sorted((ORDER_COMMANDS.name, TICKS.name))
