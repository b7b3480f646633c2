"""Histories of requests and attempts, drawn: whatever comes, and however often, money and responses are right.

The attempts are any at all, of no caller that could be. `test_flow.py` has histories of what callers do.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest
from asking import DAY, HOUR, NOW, SECOND, Asking, attempt, key, price, provider, request, route, tenant
from hypothesis import given
from hypothesis import strategies as st
from processing import assert_law, places

from tests.unit.schemas.strategies import examples
from tradewind.processors.ai.outcomes import RULES, UNSENT
from tradewind.processors.ai.processor import ai
from tradewind.processors.clock import month_start
from tradewind.schemas.ai import AiAttempt, AiBudgetState, AiCall, AiResponse
from tradewind.schemas.billing import Usage
from tradewind.schemas.event import Event
from tradewind.testing import rows

CAP = Decimal("0.02")
"""Some ten calls at once: so that it is met."""
SETTINGS = (
    provider("one", "m", "n", keys=(key("a", requests_per_minute=30), key("b")), max_attempts=2),
    provider("two", "m", keys=(), max_attempts=3),
    route("one/m", "one/n", "two/m"),
    route("two/m", "one/m", request_type="turns", strategy="ROUND_ROBIN"),
    route("one/m", "two/m", request_type="drawn", strategy="WEIGHT", weights=(2, 1)),
    route("one/m", "two/m", request_type="fast", strategy="LATENCY"),
    price("one/m", "0.5", out="2"),
    price("one/n", "0.3", per_call=Decimal("0.0000005")),
    price("two/m", "0.1"),
)
TYPES = ("general", "turns", "drawn", "fast")
STEPS = (0, 0, 1, SECOND, 20 * SECOND, HOUR, 20 * DAY)
ENDS = st.sampled_from(("OK", "TIMED_OUT", "BAD_REQUEST", "LOST"))
TENANTS = ("alpha", "beta")


class History:
    """A drawn history, its agent, and what the provider has counted by itself."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        tenants = [tenant(name, ai_budget_per_month=CAP) for name in TENANTS]
        self.asking = Asking(SETTINGS, tenants)
        self.clock = NOW
        self.asked: list[Event] = []
        self.open: dict[str, AiCall] = {}
        """Calls of which nothing was told."""
        self.told: list[tuple[AiCall, AiAttempt]] = []

    def step(self) -> None:
        """Let one thing happen."""
        self.clock += self.draw(st.sampled_from(STEPS))
        kinds = ["ask", "ask"] + ["attempt"] * 3 * bool(self.open) + ["again"] * bool(self.asked or self.told)
        match self.draw(st.sampled_from(kinds)):
            case "ask":
                self.give(self._request())
            case "attempt":
                call = self.open[self.draw(st.sampled_from(sorted(self.open)))]
                self.tell(call, self.draw(st.sampled_from(sorted(RULES))))
            case "again":
                self._again()

    def tell(self, call: AiCall, outcome: str) -> None:
        """Tell what came of a call."""
        made = attempt(call, outcome, self.clock, **self._tokens(call, outcome))
        self.open.pop(call.call_id, None)
        self.told.append((call, made))
        self.give(made)

    def give(self, event: Event) -> None:
        """Give an event to the agent, and check what holds at any moment."""
        for sent in self.asking.give(event):
            if isinstance(sent, AiCall):
                assert sent.call_id not in self.open
                self.open[sent.call_id] = sent
        for budget in self.budgets():
            assert min(budget.spent, budget.reserved, budget.suspense) >= 0
            assert budget.spent + budget.reserved + budget.suspense <= CAP

    def budgets(self) -> list[AiBudgetState]:
        """Return every month of every tenant that is kept."""
        return [value for value in self.asking.state.values.values() if isinstance(value, AiBudgetState)]

    def _request(self) -> Event:
        number = len(self.asked)
        made = request(
            number,
            self.clock,
            text="x" * self.draw(st.integers(0, 2_000)),
            tenant_id=self.draw(st.sampled_from(TENANTS)),
            request_type=self.draw(st.sampled_from(TYPES)),
            max_tokens=self.draw(st.integers(1, 1_000)),
            deadline_ms=self.draw(st.sampled_from((1, 60_000, 3_600_000))),
        )
        self.asked.append(made)
        return made

    def _again(self) -> None:
        """Have a request come again, or an attempt: the same one, or a later one of the same call."""
        if self.asked and self.draw(st.booleans()):
            self.give(self.draw(st.sampled_from(self.asked)))
        elif self.told:
            call, before = self.draw(st.sampled_from(self.told))
            if self.draw(st.booleans()):
                self.give(before)
            else:
                outcome = self.draw(st.sampled_from(sorted(RULES)))
                self.give(attempt(call, outcome, self.clock, **self._tokens(call, outcome)))

    def _tokens(self, call: AiCall, outcome: str) -> dict[str, Any]:
        """Draw what a provider counts: nothing where nothing was sent, and never more than the bound."""
        if outcome in UNSENT or not self.draw(st.booleans()):
            return {"counted": False, "input_tokens": 0, "output_tokens": 0}
        first = self.draw(st.integers(0, call.input_bound))
        cached = self.draw(st.integers(0, call.input_bound - first))
        return {
            "counted": True,
            "input_tokens": first,
            "cache_read_tokens": cached,
            "output_tokens": self.draw(st.integers(0, call.max_tokens)),
            "source": self.draw(st.sampled_from(("PROVIDER", "PROVIDER", "CACHE"))),
        }


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Draw a history, at whose end all open calls were told of."""
    history = History(draw)
    for _ in range(draw(st.integers(1, 25))):
        history.step()
    while history.open:
        history.tell(
            next(iter(history.open.values())), draw(st.sampled_from(("OK", "TIMED_OUT", "BAD_REQUEST", "LOST")))
        )
    return history


def check(history: History) -> None:
    """Check what holds when nothing is open any more."""
    asking = history.asking
    responses = Counter(response.request_id for response in asking.of(AiResponse))
    asked = {cast("Any", event).event_id for event in history.asked}
    assert responses == Counter(asked), "each request has one response"
    calls = Counter(call.call_id for call in asking.of(AiCall))
    assert not calls or max(calls.values()) == 1
    left = [key for key in asking.state.values if key.startswith(("open/", "asked/"))]
    assert not left
    assert all(budget.reserved == 0 for budget in history.budgets())
    suspended = [value for name, value in asking.state.values.items() if name.startswith("call/")]
    assert sum(budget.suspense for budget in history.budgets()) == sum(cast("Any", call).reserved for call in suspended)
    _check_usage(history)


def _check_usage(history: History) -> None:
    used = history.asking.of(Usage)
    cost: Counter[tuple[str, int]] = Counter()
    for usage in used:
        if usage.meter == "ai.cost":
            cost[usage.tenant_id, _month(usage.ts_event)] += usage.quantity
    for budget in history.budgets():
        found = cost[budget.tenant_id, _month(budget.ts_start)]
        assert budget.spent == Decimal(found).scaleb(-6), "usage sums to what was spent"
    assert len({usage.event_id for usage in used}) == len(used), "each usage is told of once"
    for name in TENANTS:
        assert [usage.sequence for usage in used if usage.tenant_id == name] == list(
            range(sum(usage.tenant_id == name for usage in used))
        )
    in_all = sum((usage.quantity for usage in used if usage.meter == "ai.cost"), 0)
    answered = sum((response.cost for response in history.asking.of(AiResponse)), Decimal(0))
    assert answered <= Decimal(in_all).scaleb(-6), "what is settled later is in no response"


def _month(at: int) -> int:
    return month_start(at)


@given(history=histories())
@examples(60)
def test_money_and_responses_are_right_whatever_happens(history: History) -> None:
    """One response for each request, never above the budget, nothing reserved at the end, usage sums to spent."""
    check(history)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(5))
@given(history=histories())
@examples(2_000)
def test_money_and_responses_are_right_in_ten_thousand_histories(part: int, history: History) -> None:
    """The same, often enough to meet three things at once; in parts of some minutes."""
    check(history)


@given(history=histories(), cuts=places)
@examples(20)
def test_a_history_is_decided_the_same_however_it_is_cut(history: History, cuts: list[int]) -> None:
    """Calls, responses, usage and state depend on the records, not on batches."""
    assert_law(ai, list(rows(history.asking.given)), cuts)


def test_a_provider_that_counts_more_than_the_bound_is_paid_and_seen() -> None:
    """No bound holds against a provider that is wrong; what it counted is what it costs."""
    asking = Asking(SETTINGS, (tenant(ai_budget_per_month=CAP),))
    call = asking.call()
    found = asking.follow(call, input_tokens=10 * call.input_bound, output_tokens=0)
    assert isinstance(found, AiResponse)
    assert asking.budget.spent == found.cost > call.reserved
    assert replace(asking.budget, spent=Decimal(0)).reserved == 0
