"""A fault counts where it happened as it is named, and one that never does ends the suite with what was seen."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tradewind.infra.bench.parts.faults.chaos import ATTEMPTS, Chaos
from tradewind.infra.bench.parts.faults.holding import Missed


@pytest.fixture
def one() -> Chaos:
    """Give what does one kind of fault, without any worker."""
    made = object.__new__(Chaos)
    made._gap_s, made._once = (0.0, 0.0), False
    made._chance, made._workers, made._done = random.Random(1), [], Counter()
    made._missed = {"froze": []}
    return made


def does(made: Chaos, *seen: str | Missed | None) -> None:
    """Have the fault end so, each time."""
    left = list(seen)

    def fault() -> str | None:
        end = left.pop(0)
        if isinstance(end, Missed):
            raise end
        return end

    made._faults = {"froze": (1, fault)}


def test_a_fault_that_did_not_happen_is_still_missing(one: Chaos) -> None:
    """It is told as what it was, and comes again."""
    does(one, Missed("it did not stop"), "for 14 s", None)
    assert one.next() == "not: froze; seen instead: it did not stop"
    assert (one.missing, one.done) == (["froze"], {"froze": 0})
    assert one.next() == "froze: for 14 s"
    assert (one.missing, one.done) == ([], {"froze": 1})
    assert (one.next(), one.done) == ("froze", {"froze": 2})


def test_a_fault_that_never_happens_is_an_error_that_says_what_was_seen(one: Chaos) -> None:
    """Attempts count from the last time that it came."""
    spoilt = [Missed(f"seen {number}") for number in range(ATTEMPTS)]
    does(one, *spoilt[1:], None, *spoilt)
    for _ in range(ATTEMPTS + ATTEMPTS - 1):
        one.next()
    with pytest.raises(RuntimeError, match=rf"in {ATTEMPTS} attempts: froze. Seen instead:\nseen 0\nseen 1"):
        one.next()


@pytest.mark.parametrize("seed", range(5))
def test_a_short_suite_has_each_kind_once_before_any_comes_again(one: Chaos, seed: int) -> None:
    """Whatever the weights are, in an order of chance."""
    one._chance, one._once = random.Random(seed), True
    one._faults = {"killed": (1000, lambda: None), "froze": (1, lambda: None), "left": (1, lambda: None)}
    one._missed = {kind: [] for kind in one._faults}
    for left in (2, 1, 0):
        one.next()
        assert len(one.missing) == left
    assert set(one.done.values()) == {1}
