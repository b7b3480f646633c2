"""State is what is committed, with what the current transaction has written over it."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from runtime.records import CODEC, beat, tick

from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.streams.runtime.errors import StateUnreadable
from tradewind.streams.runtime.work.state import TaskState

KEYS = st.text("ab/", max_size=3)


class StateMachine(RuleBasedStateMachine):
    """Three dictionaries are the model: what is committed, what the batch sees, what the segment sees."""

    def __init__(self) -> None:
        super().__init__()
        self.state = TaskState()
        self.committed: dict[str, Tick] = {}
        self.batch: dict[str, Tick] = {}
        self.segment: dict[str, Tick] = {}
        self.clean = True

    @rule(key=KEYS, at=st.integers(0, 5))
    def put(self, key: str, at: int) -> None:
        self.state.put(key, tick(at))
        self.segment[key] = tick(at)
        self.clean = False

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.state.delete(key)
        self.segment.pop(key, None)
        self.clean = False

    @rule()
    def accept_segment(self) -> None:
        self.state.accept_segment()
        self.batch = dict(self.segment)
        self.clean = True

    @rule()
    def drop_segment(self) -> None:
        self.state.drop_segment()
        self.segment = dict(self.batch)
        self.clean = True

    @precondition(lambda self: self.clean)
    @rule()
    def commit(self) -> None:
        written = self.state.writes()
        restored = {**self.committed, **{key: value for key, value in written.items() if value is not None}}
        for key, value in written.items():
            if value is None:
                del restored[key]  # a deletion is written only for what is there
        assert restored == self.batch
        self.state.keep()
        self.committed = dict(self.batch)

    @rule()
    def drop(self) -> None:
        self.state.drop()
        self.batch, self.segment, self.clean = dict(self.committed), dict(self.committed), True

    @precondition(lambda self: self.clean)
    @rule()
    def restore(self) -> None:
        """Another worker takes over: it has the bytes of what was committed."""
        self.state = TaskState({key: CODEC.encode(value) for key, value in self.committed.items()}, CODEC.decode)
        self.batch, self.segment = dict(self.committed), dict(self.committed)

    @invariant()
    def reads_its_writes(self) -> None:
        assert list(self.state.keys("")) == sorted(self.segment)
        assert list(self.state.keys("a")) == sorted(key for key in self.segment if key.startswith("a"))
        assert {key: self.state.get(key, Tick) for key in self.segment} == self.segment
        assert len(self.state) == len(self.committed)


TestStateMachine = StateMachine.TestCase
TestStateMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_keys_come_sorted_after_a_restore() -> None:
    """A restored dictionary has another order than the one that was written: iteration must not depend on it."""
    state = TaskState({"b": tick(1), "a": tick(2), "c": tick(3)})
    assert list(state.keys("")) == ["a", "b", "c"]


def test_keys_may_be_written_while_they_are_iterated_over() -> None:
    """Processors close what they find: the iteration is of the keys as they were."""
    state = TaskState({"a": tick(1), "b": tick(2)})
    for key in state.keys(""):
        state.delete(key)
        state.put(key + "x", tick(3))
    assert list(state.keys("")) == ["ax", "bx"]


def test_what_was_restored_is_decoded_when_it_is_asked_for_and_only_then() -> None:
    """A key that nobody asks for costs its bytes; one that is damaged stops the worker where it is needed."""
    asked: list[bytes] = []

    def decode(value: bytes) -> Event:
        asked.append(value)
        return CODEC.decode(value)

    good = CODEC.encode(tick(1))
    state = TaskState({"a": good, "b": good, "torn": good[:-1]}, decode)
    assert list(state.keys("")) == ["a", "b", "torn"]
    assert asked == []
    assert (state.get("a", Tick), state.get("a", Tick)) == (tick(1), tick(1))
    assert asked == [good]
    with pytest.raises(StateUnreadable, match="state 'torn': the changelog's record is not a state"):
        state.get("torn", Tick)


def test_a_value_of_another_model_is_a_bug() -> None:
    """Two parts of a processor that use one key for different things are told so."""
    state = TaskState({"a": tick(1)})
    with pytest.raises(TypeError, match="holds a Tick, not a Heartbeat"):
        state.get("a", Heartbeat)


def test_keys_of_the_runtime_are_out_of_a_processors_reach() -> None:
    """They cannot be written, deleted or found, but they are read, written and restored with the rest."""
    state = TaskState()
    state.put_reserved("@reached/x", beat(1))
    state.accept_segment()
    assert list(state.keys("")) == []
    assert list(state.writes()) == ["@reached/x"]
    state.keep()
    assert list(state.keys("")) == []
    assert list(state.keys("@")) == []
    assert state.get("@reached/x", Heartbeat) == beat(1)
    for write in (lambda: state.put("@x", beat(1)), lambda: state.delete("@x")):
        with pytest.raises(ValueError, match="belong to the runtime"):
            write()
