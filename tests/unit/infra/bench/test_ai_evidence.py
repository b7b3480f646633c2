"""The verdict on AI requests under faults: each thing that must not be is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from asking import Asking, attempt, price

from tradewind.infra.bench.parts.ai.evidence import Evidence
from tradewind.infra.bench.parts.ai.provider import Counted
from tradewind.schemas.ai import AiAttempt
from tradewind.schemas.billing import Usage

ASKING = Asking()
ANSWERED, LOST = ASKING.call(1), ASKING.call(2)
ASKING.follow(ANSWERED)
ASKING.give(attempt(LOST, "LOST"))
SOUND = Evidence(
    requests={"1", "2"},
    responses={"1": 1, "2": 1},
    calls=(ANSWERED, LOST),
    attempts=tuple(event for event in ASKING.given if isinstance(event, AiAttempt)),
    usage=tuple(ASKING.of(Usage)),
    log=(Counted(ANSWERED.call_id, 1, 10, 5), Counted(LOST.call_id, 1, 20, 5)),
    claimed={LOST.call_id},
    price=price("one/m"),
)


def test_what_is_right_has_no_figure_above_0() -> None:
    """A call that was lost is covered by its suspense, whether the provider has it or not."""
    assert not any(SOUND.wrong().values())
    assert not any(replace(SOUND, log=SOUND.log[:1]).wrong().values())
    assert sum(SOUND.totals("alpha").values()) == 10 + 5 + 15


WRONG: dict[str, Callable[[Evidence], dict[str, Any]]] = {
    "requests_without_a_response": lambda of: {"requests": {*of.requests, "3"}},
    "requests_with_two_responses": lambda _: {"responses": {"1": 1, "2": 2}},
    "call_ids_ordered_twice": lambda of: {"calls": (*of.calls, of.calls[0])},
    "call_ids_sent_twice": lambda of: {"log": (*of.log, of.log[1])},
    "calls_sent_without_an_order": lambda of: {"log": (*of.log, Counted("nobody's", 1, 0, 0))},
    "calls_lost_that_waited": lambda of: {"log": of.log[:1], "claimed": set()},
    "usage_counted_twice": lambda of: {"usage": (*of.usage, replace(of.usage[0], sequence=3))},
    "usage_sequences_missing": lambda of: {"usage": (*of.usage[1:], replace(of.usage[0], sequence=3))},
    "usage_of_other_tokens": lambda of: {"usage": (replace(of.usage[0], quantity=9), *of.usage[1:])},
    "millionths_counted_and_not_held": lambda of: {"price": replace(of.price, input_per_million=Decimal(1_000_000))},
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_counted(name: str) -> None:
    """Under its own name."""
    assert set(WRONG) == set(SOUND.wrong())
    assert replace(SOUND, **WRONG[name](SOUND)).wrong()[name] > 0
