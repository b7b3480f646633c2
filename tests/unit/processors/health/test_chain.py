"""The way of an order is told in the order of cause and effect, whatever order its events were found in."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from tradewind.processors.health.chain import Step, chained

WAY = (
    Step("quote", "", 1_000, 5_000, {"bid": 1.1}),
    Step("bar", "b", 1_500, 5_000, {}),
    Step("answer", "a", 1_600, 5_000, {}),
    Step("signal", "s", 1_500, 5_000, {}),
    Step("request", "r", 1_500, 5_000, {}),
    Step("decision", "d", 1_500, 5_000, {}),
    Step("order", "o0", 1_900, 5_000, {}, number=0),
    Step("order", "o1", 2_000, 5_000, {}, number=1),
    Step("fill", "f1", 2_000, 5_000, {}),
    Step("order", "o2", 2_700, 5_000, {}, number=2),
    Step("fill", "f2", 2_700, 5_000, {}),
    Step("position", "p", 2_700, 5_000, {}),
)


@given(st.randoms(use_true_random=False))
def test_causes_come_before_effects(shuffled: random.Random) -> None:
    """At the venue, time decides."""
    found = list(WAY)
    shuffled.shuffle(found)
    assert [step["id"] for step in chained(found)] == [step.id for step in WAY]


def test_the_times_between_steps_are_told() -> None:
    """As text, because JavaScript rounds; the first step has none, and what a step lacks is left out."""
    assert [step["after_us"] for step in chained(WAY[:5])] == [None, "500", "100", "-100", "0"]
    assert chained([WAY[7], WAY[5]])[1] == {"kind": "order", "id": "o1", "after_us": "500", "event": {}}
    assert chained([]) == []
