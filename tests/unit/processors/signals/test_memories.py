"""A strategy's memory is encoded once a segment, and nobody can tell that from encoding it at each call."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing import SECOND, START, bar, deployment_events, ingested, places

from tradewind.processors.batch import PoisonRecord, Processor, Segment, events_of, part
from tradewind.processors.signals import calling, processor
from tradewind.processors.signals.deployed import Deployed
from tradewind.processors.signals.memories import MEMORY_BYTES, Memories, Memory, key_of, stored
from tradewind.processors.signals.strategy import JSON, Strategy, View
from tradewind.processors.signals.tracked import Tracked
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar
from tradewind.schemas.ranges import LATER_END
from tradewind.schemas.signals import StrategyState
from tradewind.testing import MemoryState, cut, rows

Values = dict[str, JSON]


def _append(strategy: Scripted, memory: Values, bar: Bar) -> None:
    memory.setdefault("closes", []).append(bar.mid_close)


def _share(strategy: Scripted, memory: Values, bar: Bar) -> None:
    memory["start"] = strategy.start
    memory["again"] = {"start": strategy.start}


def _change_shared(strategy: Scripted, memory: Values, bar: Bar) -> None:
    memory.get("start", []).append(bar.count)
    memory.get("again", {}).get("start", []).append(-bar.count)


def _turn(strategy: Scripted, memory: Values, bar: Bar) -> None:
    for name in [*memory][:2]:
        memory[name] = memory.pop(name)


def _raise(strategy: Scripted, memory: Values, bar: Bar) -> None:
    memory["half"] = "written"
    memory.setdefault("closes", []).append(0)
    raise ValueError("mends nothing")


def _deep(strategy: Scripted, memory: Values, bar: Bar) -> None:
    for _ in range(12):
        memory["deep"] = [memory.get("deep", 1)]


def _set(*values: Any) -> Callable[[Scripted, Values, Bar], None]:
    def put(strategy: Scripted, memory: Values, bar: Bar) -> None:
        for at, value in enumerate(values):
            memory[f"value {at}"] = value

    return put


SOUND: list[Callable[[Scripted, Values, Bar], None]] = [
    lambda strategy, memory, bar: None,
    lambda strategy, memory, bar: memory.update(close=bar.mid_close, bars=memory.get("bars", 0) + 1),
    lambda strategy, memory, bar: memory.clear(),
    _append,
    _share,
    _change_shared,
    _turn,
    _deep,
    _set(True, None, -0.0, 1e300, 2**63, -(2**70), 0.1 + 0.2),
    _set("text", "Zürich", "\x00\x1f", "\U0001f600", "\ud800"),
    _set({}, [], {"": [{}]}, [[1, 2.5], ["x"]]),
    _set("x" * (MEMORY_BYTES // 2), "é" * 10),
]
WRONG: list[Callable[[Scripted, Values, Bar], None]] = [
    _raise,
    _set((1, 2)),
    _set(float("nan")),
    _set("x" * MEMORY_BYTES),
    _set("é" * (MEMORY_BYTES // 6)),
    _set("\ud83d\ude00"),  # two halves, which JSON reads as one character
    lambda strategy, memory, bar: memory.update({1: 2}),  # type: ignore[dict-item]
]
OPERATIONS = [*SOUND, *WRONG]


class Scripted(Strategy):
    """Does to its memory what the count of the bar says, and tells in each view what it found there."""

    name, interval_s = "scripted", 60
    first_wrong = len(OPERATIONS)

    def __init__(self) -> None:
        self.start = [1, 2]

    def on_bar(self, memory: Values, bar: Bar) -> View | None:
        """Return what the memory held."""
        found = json.dumps(memory)
        if bar.count < self.first_wrong:
            OPERATIONS[bar.count](self, memory, bar)
        assert self.start == [1, 2], "what the strategy holds was changed by what it did to its memory"
        return View("LONG", 0.5, f"{len(found)} characters, the first: {found[:300]}") if bar.volume else None


class Careful(Scripted):
    """Does only what is sound, and so is never quarantined."""

    name = "careful"
    first_wrong = len(SOUND)


class EachTime(Memory):
    """What a memory was: JSON that each call reads from the state, and writes there."""

    state: MemoryState
    key: str

    def begin(self) -> Values:
        """Return the values."""
        kept = self.state.get(self.key, StrategyState)
        values: Values = {} if kept is None else json.loads(kept.memory)
        return values

    def keep(self, values: Values) -> None:
        """Store the values."""
        text = json.dumps(values, allow_nan=False)
        if len(text) > MEMORY_BYTES:
            raise ValueError(f"memory takes {len(text):,} bytes of JSON; the limit is {MEMORY_BYTES:,}")
        if json.loads(text) != values:
            raise ValueError("memory is not what JSON restores: use lists for tuples, and str for the keys of dicts")
        self.put(text)

    put: Callable[[str], None]


class StoredEachTime(Memories):
    """Memories of this kind."""

    def of(self, deployed: Deployed, on: Tracked) -> Memory:
        """Return the memory."""
        made, key, state = EachTime(None), key_of(deployed, on), self._state
        made.state, made.key = cast("MemoryState", state), key
        made.put = lambda text: state.put(key, stored(deployed, on, text))
        return made


def agent() -> Processor:
    """Return an agent, as after a start."""
    return processor.signals([Scripted(), Careful()])


def processed(run: Processor, state: MemoryState, segment: Segment) -> Iterator[Event | str]:
    """Yield what an agent makes of a segment, and why records are poison: the runtime cuts these out."""
    kept = dict(state.values)
    try:
        made = events_of(run(state, segment))
    except PoisonRecord as poison:
        state.values = kept
        if poison.index:
            yield from processed(run, state, part(segment, 0, poison.index))
        yield poison.reason
        if poison.index + 1 < len(segment):
            yield from processed(run, state, part(segment, poison.index + 1, len(segment)))
        return
    yield from made


def outcome(segments: Iterable[Segment], restarts: Iterable[int] = ()) -> tuple[list[str], dict[str, str]]:
    """Return what an agent says of segments, and its state in the end; before some segments it starts anew."""
    run, state, said = agent(), MemoryState(), list[str]()
    for before in rows(deployment_events([Scripted(), Careful()])):
        run(state, before)
    for number, segment in enumerate(segments):
        if number in set(restarts):
            run = agent()
            state.values = {key: type(value).from_dict(value.to_dict()) for key, value in state.values.items()}
        said += [
            one if isinstance(one, str) else repr((type(one), one.to_dict())) for one in processed(run, state, segment)
        ]
    return said, {key: repr(value.to_dict()) for key, value in state.values.items()}


Steps = list[tuple[str, int, bool, bool]]
steps = st.lists(
    st.tuples(
        st.sampled_from(("EURUSD", "XAUUSD")),
        st.integers(0, len(SOUND) - 1) | st.integers(0, len(OPERATIONS) - 1),
        st.booleans(),
        st.integers(0, 9).map(lambda drawn: drawn == 0),
    ),
    min_size=1,
    max_size=40,
)


def bars_of(drawn: Steps) -> list[Segment]:
    """Return bars: of a symbol, with an operation, with or without a view; where it is poison, of the year 10000."""
    made = [
        bar(
            LATER_END + 1 if poison else START + at * SECOND,
            1.0 + at / 100,
            symbol=symbol,
            count=operation,
            volume=float(views or poison),
        )
        for at, (symbol, operation, views, poison) in enumerate(drawn)
    ]
    return ingested(made, "market.bars")


@given(steps, places, st.sets(st.integers(0, 10)))
def test_nobody_can_tell_when_a_memory_is_encoded(drawn: Steps, cuts: list[int], restarts: set[int]) -> None:
    """The same events and the same bytes of state: wherever segments are cut, a strategy fails or a worker restarts."""
    whole = bars_of(drawn)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calling, "_summary", repr)  # without the line of the code that raised
        with pytest.MonkeyPatch.context() as earlier:
            earlier.setattr(processor, "Memories", StoredEachTime)
            wanted = outcome(whole)
        assert outcome(whole) == wanted
        assert outcome(cut(whole, cuts), restarts) == wanted
        assert outcome(cut(whole, range(1, len(drawn)))) == wanted


def test_the_script_reaches_what_it_is_for() -> None:
    """Every operation on a memory of every kind, with views, a failure and poison."""
    drawn = [("EURUSD", one, True, False) for _ in range(2) for one in range(len(SOUND))]
    said, state = outcome(bars_of([*drawn, ("EURUSD", 0, True, True), ("EURUSD", len(SOUND), True, False)]))
    assert sum("tradewind.schemas.signals.Signal" in one for one in said) > len(drawn)
    assert any("out of range" in one for one in said)
    assert any("STRATEGY_QUARANTINED" in one for one in said)
    assert any("memory/" in key for key in state)
