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
    made._gap_s = (0.0, 0.0)
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
