"""Who publishes ticks by hand is told what they leave open, and can end it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from processing import SECOND, START, heartbeat, tick

from tradewind.connectors.kafka import publication
from tradewind.connectors.kafka.ends import Ends, closed, closing_ts
from tradewind.connectors.kafka.json_events import event_to_json
from tradewind.infra.cli.group import tradewind
from tradewind.processors.signals.built_in import BUILT_IN
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.testing import Pipeline, rows
from tradewind.topics import BARS, TICKS

GRACE = 500_000
Recorded = list[tuple[str, list[Event]]]


def ends(events: Iterable[Event]) -> Ends:
    """Return the ends of events."""
    found = Ends(GRACE)
    for event in events:
        found.note(event)
    return found


@pytest.mark.parametrize(
    ("events", "left"),
    [
        ([tick(START)], {("EURUSD", "OANDA"): START}),
        ([tick(START), heartbeat(START)], {}),
        ([tick(START), heartbeat(START - 1)], {("EURUSD", "OANDA"): START}),
        ([heartbeat(START), tick(START)], {("EURUSD", "OANDA"): START}),
        ([tick(START), heartbeat(START, symbol="XAUUSD")], {("EURUSD", "OANDA"): START}),
        ([tick(START + 9), tick(START), heartbeat(START + 9)], {}),
        ([], {}),
    ],
)
def test_a_tick_leaves_bars_open_unless_a_heartbeat_of_its_instrument_follows_that_reaches_it(
    events: list[Event], left: dict[Any, int]
) -> None:
    """Later ticks do so, too, and leave bars open themselves."""
    assert ends(events).open == left


def test_each_instrument_that_is_not_closed_gets_a_closing_heartbeat_past_its_last_minute() -> None:
    """As a feed sends them; one that was closed, and had a tick since, is closed again."""
    events = [tick(START + 7), tick(START, symbol="XAUUSD"), heartbeat(START + 8, symbol="XAUUSD", closing=True)]
    assert [(beat.symbol, beat.closing, beat.ts_event) for beat in ends(events).closing()] == [
        ("EURUSD", True, START + 60 * SECOND + GRACE)
    ]
    again = [*events, tick(START + 9, symbol="XAUUSD")]
    assert [beat.symbol for beat in ends(again).closing()] == ["EURUSD", "XAUUSD"]
    assert list(closed(TICKS, events, Ends(GRACE)))[: len(events)] == events
    with pytest.raises(ValueError, match=r"market\.bars cannot be closed"):
        list(closed(BARS, events, Ends(GRACE)))


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from(("AA", "BB", "CC")), st.integers(0, 300), st.booleans()), max_size=30))
def test_what_is_closed_is_held_by_nobody(drawn: list[tuple[str, int, bool]]) -> None:
    """Every agent in memory: whatever ticks and heartbeats were published, every tick of theirs is processed."""
    events: list[Event] = [
        heartbeat(START + at * SECOND, symbol=symbol) if beats else tick(START + at * SECOND, symbol=symbol)
        for symbol, at, beats in drawn
    ]
    pipeline = Pipeline(strategies=BUILT_IN)
    for segment in rows(list(closed(TICKS, events, Ends(GRACE))), TICKS.name):
        pipeline.feed(segment)
    pipeline.agents["execution"].run()
    positions = pipeline.agents["execution"].positions()
    held = {at: len(pipeline.broker.log(at)) - positions[at] for at in positions if at[0] == TICKS.name}
    assert not any(held.values())
    assert {beat.symbol for beat in ends(events).closing()} == {symbol for symbol, _, _ in drawn}
    assert all(beat.ts_event == closing_ts(beat.ts_event - GRACE - 1, GRACE) for beat in ends(events).closing())


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """Give what the command publishes, a call at a time; nothing reaches a broker."""
    calls: Recorded = []

    def publish(topic: Any, events: Iterable[Event], settings: object) -> int:
        calls.append((topic.name, []))
        calls[-1][1].extend(events)  # in place: what came before an error was published in part
        return len(calls[-1][1])

    monkeypatch.setattr(publication, "publish", publish)
    return calls


def ran(path: Path, events: Iterable[Event | str], *options: str, topic: str = "market.ticks") -> Any:
    """Return how `tradewind publish` ends that is given events, or lines."""
    lines = [event if isinstance(event, str) else json.dumps(event_to_json(event)) for event in events]
    (path / "events").write_text("\n".join(lines))
    return CliRunner().invoke(tradewind, ["publish", topic, str(path / "events"), *options, "--data", str(path)])


def test_publish_warns_of_ticks_that_no_heartbeat_ends(recorded: Recorded, tmp_path: Path) -> None:
    """By name, on standard error; and it says nothing where one does."""
    done = ran(tmp_path, [tick(START), tick(START, symbol="XAUUSD")])
    assert done.exit_code == 0
    assert "warning: no heartbeat follows the last ticks of EURUSD.OANDA (2014-05-01T00:00:00.000000Z)" in done.stderr
    assert "and of 1 other instruments" in done.stderr
    assert "--close" in done.stderr
    assert done.stdout == ""
    assert "warning" not in ran(tmp_path, [tick(START), heartbeat(START)]).stderr
    assert "warning" not in ran(tmp_path, [heartbeat(START)], topic="market.bars").stderr


def test_publish_closes_what_it_published(recorded: Recorded, tmp_path: Path) -> None:
    """After its events, by one closing heartbeat for each instrument; where a line is none, what was published."""
    done = ran(tmp_path, [tick(START), tick(START, symbol="XAUUSD")], "--close")
    assert (done.exit_code, "published 2 closing heartbeats" in done.stderr, "warning" in done.stderr) == (
        0,
        True,
        False,
    )
    (_, events), (_, beats) = recorded
    assert [type(event) for event in events] == [Tick, Tick]
    assert [(type(beat), beat.to_dict()["symbol"]) for beat in beats] == [(Heartbeat, "EURUSD"), (Heartbeat, "XAUUSD")]
    recorded.clear()
    bad = [*(tick(START) for _ in range(1000)), tick(START, symbol="XAUUSD"), "nonsense"]
    done = ran(tmp_path, bad, "--close")
    assert done.exit_code == 1
    assert "line 1002" in done.stderr
    assert [beat.to_dict()["symbol"] for beat in recorded[-1][1]] == ["EURUSD"], "XAUUSD was not published"


def test_only_ticks_can_be_closed(recorded: Recorded, tmp_path: Path) -> None:
    """Nothing is published then."""
    done = ran(tmp_path, [heartbeat(START)], "--close", topic="market.bars")
    assert (done.exit_code, recorded) == (2, [])
    assert "--close is only for market.ticks" in done.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bid": -1.0}, "line 1: bid is -1.0; its range is"),
        ({"ask": 1.0, "bid": 1.1}, "line 1: bid is 1.1 and ask is 1.0; the rule is bid <= ask"),
    ],
)
def test_publish_refuses_what_the_agents_would_refuse(
    recorded: Recorded, tmp_path: Path, change: dict[str, float], said: str
) -> None:
    """It would be a dead letter of every reader; whoever publishes learns it at once."""
    done = ran(tmp_path, [json.dumps({**event_to_json(tick(START)), **change})])
    assert done.exit_code == 1
    assert said in done.stderr
    assert "nothing was published" in done.stderr
