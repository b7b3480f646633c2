"""The fault suite's verdict on state: whole values of all keys, each in its task, against a recomputation."""

from __future__ import annotations

from dataclasses import replace

from runtime.records import tick

from tradewind.infra.bench.parts.faults.verdict import Key, differences, recomputed
from tradewind.schemas.event import Event

STATE: dict[Key, Event] = {(0, "A"): tick(5, symbol="A", seq=2), (1, "B"): tick(7, symbol="B", seq=1)}


def test_the_state_of_a_symbol_is_its_last_tick_with_the_count_of_all() -> None:
    """Counted by task, whatever the ticks' own numbers say."""
    inputs = [(0, tick(3, symbol="A", seq=40)), (1, tick(7, symbol="B", seq=41)), (0, tick(5, symbol="A", seq=42))]
    assert recomputed(inputs) == STATE


def test_the_same_state_has_no_differences() -> None:
    """Equal values in another order are the same."""
    assert differences(STATE, dict(reversed(STATE.items()))) == []


def test_any_field_of_a_value_counts() -> None:
    """A count that is right beside a tick that is not the last one is wrong."""
    a = tick(5, symbol="A", seq=2)
    for wrong in (replace(a, seq=3), replace(a, ts_event=4), replace(a, bid=1.5), replace(a, venue="X")):
        (line,) = differences(STATE, {**STATE, (0, "A"): wrong})
        assert "task 0, 'A'" in line
        assert repr(wrong) in line


def test_a_key_that_is_lost_and_one_that_should_not_be_there_count() -> None:
    """A value in another task than its own is both."""
    (lost,) = differences(STATE, {(0, "A"): STATE[0, "A"]})
    assert lost.startswith("task 1, 'B': None instead of Tick(")
    (strange,) = differences(STATE, {**STATE, (1, "C"): tick(1, symbol="C")})
    assert strange.startswith("task 1, 'C': Tick(")
    moved = {(0, "A"): STATE[0, "A"], (0, "B"): STATE[1, "B"]}
    assert len(differences(STATE, moved)) == 2
