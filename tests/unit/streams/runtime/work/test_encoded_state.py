"""The digest of a state depends on the state alone, and comes back from its bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tradewind.streams.runtime.work.encoded_state import EncodedState, load

KEYS = st.text("ab/", max_size=3)
VALUES = st.binary(max_size=4)
STATES = st.dictionaries(KEYS, VALUES, max_size=6)


class EncodedStateMachine(RuleBasedStateMachine):
    """A dictionary is the model: whatever was put, deleted, committed and dropped before, the digest is its own."""

    def __init__(self) -> None:
        super().__init__()
        self.state = EncodedState()
        self.committed: dict[str, bytes] = {}
        self.staged: dict[str, bytes | None] = {}

    @rule(changes=st.dictionaries(KEYS, st.none() | VALUES, max_size=4))
    def stage(self, changes: dict[str, bytes | None]) -> None:
        told = self.state.stage(changes.items())
        self.staged = changes
        assert told == EncodedState(self._after()).digest

    def _after(self) -> dict[str, bytes]:
        merged = {**self.committed, **self.staged}
        return {key: value for key, value in merged.items() if value is not None}

    @rule()
    def commit(self) -> None:
        self.state.keep()
        self.committed, self.staged = self._after(), {}

    @rule()
    def drop(self) -> None:
        self.state.drop()
        self.staged = {}

    @invariant()
    def equals_what_is_made_from_scratch(self) -> None:
        again = EncodedState(self.committed)
        assert (self.state.digest, self.state.size, len(self.state)) == (again.digest, again.size, len(again))
        assert load(self.state.dump()) == self.committed


TestEncodedStateMachine = EncodedStateMachine.TestCase
TestEncodedStateMachine.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


@given(STATES, st.randoms())
def test_the_digest_does_not_depend_on_the_order_of_writes(values: dict[str, bytes], chance: object) -> None:
    """A restored state, whose keys come in another order, has the digest that it had."""
    shuffled = list(values.items())
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one_by_one = EncodedState()
    for key, value in shuffled:
        one_by_one.stage([(key, value)])
        one_by_one.keep()
    assert one_by_one.digest == EncodedState(values).digest
    assert one_by_one.dump() == EncodedState(values).dump()


@given(STATES, STATES)
def test_states_that_differ_have_digests_that_differ(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    """Bytes that move from a key to its value show too."""
    assert (EncodedState(one).digest == EncodedState(other).digest) == (one == other)


@pytest.mark.parametrize("cut", [1, 5, 6, 9])
def test_a_dump_that_is_cut_off_is_refused(cut: int) -> None:
    """A snapshot with a part missing is none."""
    with pytest.raises(ValueError, match=r"it ends in|a key without a value"):
        load(EncodedState({"ab": b"cd"}).dump()[:cut])
