"""The AI agent: who may ask, which model is called, what follows from each outcome, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, get_args, get_type_hints

import pytest
from asking import DAY, HOUR, MS, NOW, SECOND, TWO, Asking, attempt, key, price, provider, request, route, tenant

from tradewind.processors.ai.admission import MOST_BYTES
from tradewind.processors.ai.breakers import FIRST_OPEN_US, KEY_OPEN_US, MOST_FAILURES
from tradewind.processors.ai.outcomes import RULES
from tradewind.processors.ai.seed import first_settings, revised
from tradewind.processors.clock import month_end, month_start
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiAttempt, AiCall, AiResponse
from tradewind.schemas.billing import Usage, UsageThreshold
from tradewind.schemas.event import UNKNOWN
from tradewind.schemas.notifications import Alert


def told(found: object) -> tuple[str, str | None]:
    """Return status and code of a response."""
    assert isinstance(found, AiResponse), found
    return found.status, found.code


def test_an_answer_comes_with_its_cost_and_its_usage() -> None:
    """One call, one response, and usage of each meter that adds up to what was spent."""
    asking = Asking(first_settings())
    call = asking.call()
    assert call.call_id == call.event_id == derive_id("AiCall", call.request_id, 1)
    assert (call.adapter, call.model, call.key_id, call.attempt) == ("paper", "paper-1", None, 1)
    assert call.deadline == NOW + 60 * SECOND
    assert asking.budget.reserved == call.reserved > 0
    found = asking.follow(call, text="calm", input_tokens=10, output_tokens=5)
    assert isinstance(found, AiResponse)
    assert (found.status, found.code, found.text, found.provider) == ("ANSWERED", None, "calm", "paper")
    assert (found.cost, found.currency, found.attempts) == (Decimal("0.00003"), "USD", 1)
    assert (found.ts_event, found.latency_us) == (NOW + SECOND, SECOND)
    assert (asking.budget.spent, asking.budget.reserved) == (found.cost, 0)
    used = {usage.meter: usage.quantity for usage in asking.of(Usage)}
    assert used == {"ai.tokens.in": 10, "ai.tokens.out": 5, "ai.cost": 30}
    assert [usage.sequence for usage in asking.of(Usage)] == [0, 1, 2]
    assert {usage.dimension for usage in asking.of(Usage)} == {"paper|paper-1|general"}
    assert not [name for name in asking.state.values if name.startswith(("open/", "asked/", "call/"))]


def test_a_request_that_comes_again_is_answered_once() -> None:
    """While it is open, after its answer, and after a refusal."""
    asking = Asking()
    call = asking.call()
    assert asking.give(request()) == []
    asking.follow(call)
    assert asking.give(request()) == []
    assert told(asking.ask(2, deadline_ms=1, at=NOW - HOUR))[0] == "EXPIRED"
    assert asking.give(request(2, deadline_ms=1, at=NOW - HOUR)) == []
    assert len(asking.of(AiResponse)) == 2


def test_an_attempt_that_comes_again_changes_nothing() -> None:
    """Nor one of a call that nobody made."""
    asking = Asking()
    call = asking.call()
    asking.follow(call)
    before = dict(asking.state.values)
    assert asking.give(attempt(call), attempt(call, "LOST"), attempt(replace(call, call_id="nobody's"))) == []
    assert asking.state.values == before


BIG = "x" * MOST_BYTES
UNSOUND: list[dict[str, Any]] = [
    {"messages": ()},
    {"inputs": ("x",)},
    {"kind": "EMBEDDING"},
    {"kind": "EMBEDDING", "messages": (), "inputs": ()},
    {"json_schema": "no JSON"},
    {"json_schema": '{"a": NaN}'},
    {"json_schema": "[1]"},
    {"tools": ({"name": "t", "description": "", "parameters": "{"},)},
]


@pytest.mark.parametrize("other", UNSOUND, ids=str)
def test_a_request_that_nobody_could_answer_is_refused(other: dict[str, Any]) -> None:
    """With what is wrong about it, before anything is reserved."""
    asking = Asking()
    found = asking.ask(**other)
    assert told(found) == ("REFUSED", "BAD_REQUEST")
    assert isinstance(found, AiResponse)
    assert found.reason


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"tenant_id": "nobody"}, "UNKNOWN_TENANT"),
        ({"text": BIG}, "TOO_LARGE"),
        ({"prompt": "calm@1"}, "UNKNOWN_PROMPT"),
        ({"model": "no such"}, "NO_ROUTE"),
        ({"provider": "no such", "model": "m"}, "NO_ROUTE"),
        ({"max_tokens": 200_000}, "NO_ROUTE"),
    ],
    ids=lambda of: str(of)[:40],
)
def test_refusals_say_why(other: dict[str, Any], code: str) -> None:
    """And cost nothing."""
    asking = Asking()
    found = asking.ask(**other)
    assert told(found) == ("REFUSED", code)
    assert isinstance(found, AiResponse)
    assert (found.attempts, found.cost) == (0, 0)
    assert found.reason
    assert all(repr(other[name]) in found.reason for name in ("model", "provider") if name in other)


@pytest.mark.parametrize(("status", "code"), [("SUSPENDED", "TENANT_SUSPENDED"), ("CLOSED", "TENANT_CLOSED")])
def test_a_tenant_that_is_stopped_asks_nothing(status: Any, code: str) -> None:
    """From the next request on; one that is under way gets no further call."""
    asking = Asking()
    call = asking.call()
    asking.give(tenant(revision=2, status=status))
    assert told(asking.ask(2)) == ("REFUSED", code)
    assert told(asking.follow(call, "BUSY")) == ("FAILED", code)


def test_a_model_without_a_price_is_not_called_and_free_is_said() -> None:
    """No price is not free."""
    unpriced = [setting for setting in TWO if type(setting).__name__ != "AiPrice"]
    asking = Asking(unpriced)
    assert told(asking.ask()) == ("REFUSED", "UNPRICED")
    asking.apply(price("two/m", "0"))
    call = asking.call(2)
    assert (call.provider, call.reserved) == ("two", 0)
    asking.follow(call)
    assert {usage.meter for usage in asking.of(Usage)} == {"ai.tokens.in", "ai.tokens.out"}


def test_a_price_in_another_currency_is_no_price() -> None:
    """Euros and dollars add up to nothing; a price of the tenant's own goes first."""
    asking = Asking(tenants=(tenant(currency="EUR"),))
    found = asking.ask()
    assert told(found) == ("REFUSED", "UNPRICED")
    asking.apply(price("one/m", "3", currency="EUR", tenant_id="alpha"))
    assert asking.call(2).currency == "EUR"


def test_prices_hold_from_their_moment_on() -> None:
    """The newest that is in force; a call is settled by the price that it was reserved with."""
    asking = Asking((*TWO, price("one/m", "2", valid_from=NOW + HOUR)))
    before, after = asking.call(1), asking.call(2, at=NOW + HOUR)
    assert after.reserved == 2 * before.reserved
    found = asking.follow(before, at=NOW + HOUR + SECOND, input_tokens=10, output_tokens=0)
    assert isinstance(found, AiResponse)
    assert found.cost == Decimal("0.00001")


def test_a_budget_is_never_exceeded_and_reached_to_the_last_unit() -> None:
    """The bound of each call is reserved before it is made."""
    bound = Asking().call().reserved
    asking = Asking(tenants=(tenant(ai_budget_per_month=2 * bound),))
    calls = [asking.call(1), asking.call(2)]
    refused = asking.ask(3)
    assert told(refused) == ("REFUSED", "BUDGET")
    asking.follow(calls[0])
    assert told(asking.ask(4)) == ("REFUSED", "BUDGET"), "what was spent does not come back"
    asking.follow(calls[1], "UNREACHABLE")
    assert asking.budget.spent + asking.budget.reserved + asking.budget.suspense <= 2 * bound
    assert isinstance(asking.ask(5, at=NOW + 31 * DAY), AiCall), "another month"


def test_a_cheaper_model_is_called_where_the_first_does_not_fit() -> None:
    """Each attempt reserves for its own model."""
    asking = Asking(
        (*TWO[:3], price("one/m", "1000000"), price("two/m", "1")), tenants=(tenant(ai_budget_per_month=Decimal(1)),)
    )
    assert asking.call().provider == "two"


def test_requests_of_an_hour_and_a_day_are_limited() -> None:
    """A refusal says when to come again, and does not count."""
    asking = Asking(tenants=(tenant(ai_requests_per_hour=2, ai_requests_per_day=3),))
    start = NOW - NOW % DAY
    for number in range(2):
        asking.follow(asking.call(number, at=start))
    found = asking.ask(3, at=start + 10 * SECOND)
    assert told(found) == ("REFUSED", "RATE")
    assert isinstance(found, AiResponse)
    assert found.retry_after_ms == 3_590_000
    asking.follow(asking.call(4, at=start + HOUR))
    found = asking.ask(5, at=start + HOUR)
    assert isinstance(found, AiResponse)
    assert (found.code, found.retry_after_ms) == ("RATE", 23 * 3_600_000 - 1_000), "a second has passed"
    assert isinstance(asking.ask(6, at=start + DAY), AiCall)


@pytest.mark.parametrize("meter", ["ai.tokens.in", "ai.tokens.out"])
def test_a_tenant_whose_tokens_are_used_up_is_refused_until_the_month_ends(meter: str) -> None:
    """Rating says so; a call that is under way is answered."""
    asking = Asking(tenants=(tenant(quotas=({"meter": meter, "units": 10},)),))
    call, end = asking.call(), month_end(NOW)
    asking.give(reached(meter, 9, percent=80))
    asking.follow(asking.call(2))
    asking.give(reached(meter, 10))
    found = asking.ask(3)
    assert told(found) == ("REFUSED", "RATE")
    assert isinstance(found, AiResponse)
    assert found.retry_after_ms == (end - NOW) // MS - 1_000, "a second has passed"
    assert told(asking.follow(call)) == ("ANSWERED", None)
    asking.give(tenant(revision=2, quotas=({"meter": meter, "units": 11},)))
    assert isinstance(asking.ask(4), AiCall)
    asking.give(reached(meter, 11))
    assert told(asking.ask(5)) == ("REFUSED", "RATE")
    assert isinstance(asking.ask(6, at=end), AiCall)


def test_the_budget_never_depends_on_what_rating_says() -> None:
    """Money is the agent's own state."""
    asking = Asking()
    asking.give(reached("ai.cost", 10**15))
    assert isinstance(asking.ask(), AiCall)


def reached(meter: str, quantity: int, percent: int = 100) -> UsageThreshold:
    """Return what rating says of alpha's month."""
    return UsageThreshold(
        event_id=derive_id("reached", meter, quantity),
        tenant_id="alpha",
        ts_event=NOW,
        ts_ingest=NOW,
        correlation_id="c",
        causation_id="c",
        meter=meter,
        ts_start=month_start(NOW),
        ts_end=month_end(NOW),
        percent=percent,
        quota=10,
        quantity=quantity,
    )


def test_every_outcome_has_a_row() -> None:
    """And every row is judged below."""
    assert set(RULES) == {*get_args(get_type_hints(AiAttempt)["outcome"])} - {UNKNOWN} == set(ROWS)


AGAIN, NEXT = ("call", "one"), ("call", "two")
ROWS: dict[str, tuple[tuple[str, str], str]] = {
    "OK": (("ANSWERED", ""), "spent"),
    "BUSY": (AGAIN, "free"),
    "ERROR": (AGAIN, "free"),
    "NO_CREDIT": (NEXT, "free"),
    "BAD_KEY": (NEXT, "free"),
    "TIMED_OUT": (NEXT, "suspense"),
    "UNREACHABLE": (NEXT, "free"),
    "BROKEN": (NEXT, "suspense"),
    "TRUNCATED": (NEXT, "suspense"),
    "EMPTY": (NEXT, "suspense"),
    "MALFORMED": (NEXT, "suspense"),
    "FILTERED": (("FAILED", "FILTERED"), "free"),
    "BAD_REQUEST": (("FAILED", "BAD_REQUEST"), "free"),
    "TOO_LONG": (("FAILED", "TOO_LONG"), "free"),
    "NO_MODEL": (NEXT, "free"),
    "LOST": (AGAIN, "suspense"),
    "RETURNED": (AGAIN, "free"),
    "EXPIRED": (("EXPIRED", "EXPIRED"), "free"),
    "MISSED": (NEXT, "free"),
}


@pytest.mark.parametrize("outcome", RULES)
def test_what_follows_from_an_outcome(outcome: str) -> None:
    """For the request: an answer, a call or an end; for the money: spent, released or in suspense."""
    asking = Asking()
    call = asking.call()
    found = asking.follow(call, outcome)
    (kind, said), money = ROWS[outcome]
    if kind == "call":
        assert isinstance(found, AiCall)
        assert (found.provider, found.attempt) == (said, 2)
        assert found.call_id != call.call_id
    else:
        assert isinstance(found, AiResponse)
        assert (found.status, found.code or "") == (kind, said)
    left = found.reserved if isinstance(found, AiCall) else Decimal(0)
    budget = asking.budget
    assert budget.reserved == left
    assert (budget.spent > 0, budget.suspense) == (money == "spent", call.reserved if money == "suspense" else 0)


@pytest.mark.parametrize("outcome", [outcome for outcome in RULES if ROWS[outcome][0][0] == "call"])
def test_an_outcome_with_tokens_is_paid_whatever_it_is(outcome: str) -> None:
    """The provider counted them; the tenant is not billed for what gave no answer."""
    asking = Asking()
    asking.follow(asking.call(), outcome, counted=True, input_tokens=10, output_tokens=1)
    assert asking.budget.spent == Decimal("0.000011")
    assert asking.budget.suspense == 0
    assert {usage.billable for usage in asking.of(Usage)} == {False}


def test_an_answer_whose_tokens_nobody_counted_stays_in_suspense() -> None:
    """Until somebody knows: then it is paid, and its request is not answered twice."""
    asking = Asking()
    call = asking.call()
    found = asking.follow(call, counted=False, input_tokens=0, output_tokens=0)
    assert told(found) == ("ANSWERED", None)
    assert isinstance(found, AiResponse)
    assert (found.cost, found.suspense) == (0, call.reserved)
    assert asking.budget.suspense == call.reserved
    (first, *_) = asking.give(attempt(call, at=NOW + HOUR))
    assert isinstance(first, Usage)
    assert (asking.budget.spent, asking.budget.suspense) == (Decimal("0.000015"), 0)
    assert len(asking.of(AiResponse)) == 1


@pytest.mark.parametrize("late", ["EXPIRED", "RETURNED", "UNREACHABLE", "LOST", "TIMED_OUT"])
def test_a_lost_call_stays_in_suspense_until_it_is_known(late: str) -> None:
    """Who says that nothing was sent does not know what the caller before it did."""
    asking = Asking()
    call = asking.call()
    asking.follow(call, "LOST")
    suspense = asking.budget.suspense
    assert suspense == call.reserved
    assert asking.give(attempt(call, late, at=NOW + HOUR)) == []
    assert asking.budget.suspense == suspense
    asking.give(attempt(call, "BUSY", at=NOW + 2 * HOUR))
    assert (asking.budget.suspense, asking.budget.spent) == (0, 0)


def test_a_cached_answer_costs_nothing() -> None:
    """Nor does one that was shared with an equal call."""
    asking = Asking()
    found = asking.follow(asking.call(), source="CACHE", source_call_id="c")
    assert isinstance(found, AiResponse)
    assert (found.status, found.cost, found.input_tokens, found.source) == ("ANSWERED", 0, 0, "CACHE")
    assert (asking.budget.spent, asking.budget.reserved, asking.of(Usage)) == (0, 0, [])


def test_a_busy_model_is_called_again_when_it_says_and_then_the_next() -> None:
    """Retry-After is kept; where the deadline does not allow it, the next model is called at once."""
    asking = Asking()
    again = asking.follow(asking.call(), "BUSY", at=NOW + SECOND, retry_after_ms=2_000)
    assert isinstance(again, AiCall)
    assert (again.provider, again.not_before) == ("one", NOW + 3 * SECOND)
    then = asking.follow(again, "BUSY", at=NOW + 4 * SECOND)
    assert isinstance(then, AiCall)
    assert (then.provider, then.not_before) == ("two", NOW + 4 * SECOND)
    late = asking.follow(asking.call(2, at=NOW + 5 * SECOND), "BUSY", at=NOW + 6 * SECOND, retry_after_ms=3_600_000)
    assert isinstance(late, AiCall)
    assert late.provider == "two"


def test_waits_grow_where_a_provider_says_none() -> None:
    """By the provider's factor."""
    asking = Asking((provider("one", "m", max_attempts=4, backoff_ms=1_000, backoff_factor=3.0), *TWO[2:]))
    call, waits = asking.call(), []
    for _ in range(3):
        found = asking.follow(call, "ERROR", at=call.not_before)
        assert isinstance(found, AiCall)
        waits.append(found.not_before - call.not_before)
        call = found
    assert waits == [1_000 * MS, 3_000 * MS, 9_000 * MS]


def test_calls_end_with_the_route_s_limit_the_deadline_or_the_last_model() -> None:
    """Each in words that name what every model said."""
    limited = Asking((*TWO[:2], route("one/m", "two/m", max_attempts=1), *TWO[3:]))
    assert told(limited.follow(limited.call(), "TIMED_OUT")) == ("FAILED", "EXHAUSTED")
    late = Asking()
    assert told(late.follow(late.call(), "TIMED_OUT", at=NOW + HOUR)) == ("EXPIRED", "EXPIRED")
    asking = Asking()
    second = asking.follow(asking.call(), "TIMED_OUT")
    assert isinstance(second, AiCall)
    found = asking.follow(second, "MALFORMED", error="<html>")
    assert told(found) == ("FAILED", "EXHAUSTED")
    assert isinstance(found, AiResponse)
    assert found.reason == "every model on its route has failed: one m: TIMED_OUT; two m: MALFORMED (<html>)"
    assert found.suspense == asking.budget.suspense > 0


def test_a_call_that_came_back_unsent_does_not_count() -> None:
    """However often a caller is stopped."""
    asking = Asking((*TWO[:2], route("one/m", max_attempts=2), *TWO[3:]))
    call = asking.call()
    for number in range(5):
        found = asking.follow(call, "RETURNED")
        assert isinstance(found, AiCall)
        assert (found.provider, found.attempt) == ("one", number + 2)
        call = found
    assert told(asking.follow(call)) == ("ANSWERED", None)


def test_too_long_goes_to_a_larger_context_alone() -> None:
    """A model as small would refuse it, too."""

    def sized(name: str, context: int) -> Any:
        known = provider(name, "m")
        return replace(known, models=({**known.models[0], "context_tokens": context},))

    asking = Asking(
        (
            *(sized("one", 8_000), sized("two", 8_000), sized("large", 9_000)),
            route("one/m", "two/m", "large/m"),
            *(price("one/m"), price("two/m"), price("large/m")),
        )
    )
    found = asking.follow(asking.call(), "TOO_LONG")
    assert isinstance(found, AiCall)
    assert found.provider == "large"
    assert told(asking.follow(found, "TOO_LONG")) == ("FAILED", "TOO_LONG")


def test_failures_in_a_row_open_a_breaker_and_one_probe_closes_it() -> None:
    """While the probe is out, nobody else is let through; filters and bad requests move nothing."""
    asking = Asking((*TWO[:2], route("one/m", max_attempts=1), *TWO[3:]))
    for number in range(MOST_FAILURES):
        asking.follow(asking.call(100 + number), "FILTERED")
        asking.follow(asking.call(number), "TIMED_OUT" if number % 2 else "UNREACHABLE")
    opened = NOW + SECOND
    assert told(asking.ask(200, at=opened, deadline_ms=1_000)) == ("REFUSED", "RATE")
    probe = asking.call(201, at=opened + FIRST_OPEN_US)
    assert probe.probe
    assert told(asking.ask(202, at=opened + FIRST_OPEN_US)) == ("REFUSED", "RATE")
    asking.follow(probe, "TIMED_OUT")
    assert told(asking.ask(203, at=opened + 2 * FIRST_OPEN_US)) == ("REFUSED", "RATE"), "twice as long now"
    probe = asking.call(204, at=opened + 4 * FIRST_OPEN_US)
    asking.follow(probe)
    assert not asking.call(205, at=opened + 4 * FIRST_OPEN_US + SECOND).probe


@pytest.mark.parametrize("outcome", ["LOST", "RETURNED", "FILTERED", "EXPIRED"])
def test_a_probe_that_tells_nothing_makes_way_for_another(outcome: str) -> None:
    """Else a model would be left alone for ever."""
    asking = Asking((*TWO[:2], route("one/m", max_attempts=1), *TWO[3:]))
    for number in range(MOST_FAILURES):
        asking.follow(asking.call(number), "UNREACHABLE")
    at = NOW + SECOND + FIRST_OPEN_US
    found = asking.follow(asking.call(100, at=at), outcome, at=at)
    if isinstance(found, AiCall):
        asking.follow(found, "FILTERED", at=at)
    assert asking.call(101, at=at).probe


@pytest.mark.parametrize("outcome", ["NO_CREDIT", "BAD_KEY"])
def test_a_key_that_is_refused_is_left_alone_at_once(outcome: str) -> None:
    """For all its models; another key of the same provider is used."""
    two_keys = provider("one", "m", "n", keys=(key("bad"), key("good")))
    asking = Asking((two_keys, route("one/m", "one/n"), price("one/m"), price("one/n")))
    call = asking.call()
    assert call.key_id == "bad"
    found = asking.follow(call, outcome)
    assert isinstance(found, AiCall)
    assert (found.model, found.key_id) == ("n", "good")
    assert asking.call(2, at=NOW + SECOND).key_id == "good"
    assert asking.call(3, at=NOW + SECOND + KEY_OPEN_US).key_id == "bad", "somebody may have paid"


@pytest.mark.parametrize(
    ("outcome", "least", "opens_us"),
    [("BAD_KEY", 1, KEY_OPEN_US), ("NO_MODEL", 1, FIRST_OPEN_US), ("TIMED_OUT", MOST_FAILURES, FIRST_OPEN_US)],
)
def test_calls_in_flight_when_a_breaker_opens_do_not_keep_it_open_for_longer(
    outcome: str, least: int, opens_us: int
) -> None:
    """They say the same of the same moment; only a probe tells that it lasts."""
    asking = Asking((*TWO[:2], route("one/m", max_attempts=1), *TWO[3:]))
    flying = [asking.call(number) for number in range(least + 20)]
    for one in flying:
        asking.follow(one, outcome)
    opened = NOW + SECOND
    assert told(asking.ask(100, at=opened + opens_us - 1, deadline_ms=1)) == ("REFUSED", "RATE")
    probe = asking.call(101, at=opened + opens_us)
    assert probe.probe
    asking.follow(probe, outcome, at=opened + opens_us)
    assert told(asking.ask(102, at=opened + 3 * opens_us - 1, deadline_ms=1)) == ("REFUSED", "RATE"), "twice as long"
    assert asking.call(103, at=opened + 3 * opens_us).probe


def test_keys_are_paced_within_a_minute_s_limit() -> None:
    """Calls wait by `not_before`; in no minute are there more than the limit."""
    limited = provider("one", "m", keys=(key("k", requests_per_minute=60),))
    asking = Asking((limited, route("one/m"), price("one/m")), tenants=(tenant(ai_requests_per_hour=1_000),))
    sent = []
    for number in range(300):
        found = asking.ask(number, deadline_ms=3_600_000)
        assert isinstance(found, AiCall)
        sent.append(found.not_before)
    assert sent == sorted(sent)
    assert sent[0] == NOW
    for start in sent:
        assert sum(start <= at < start + 60 * SECOND for at in sent) <= 60
    assert sent[-1] - NOW < 330 * SECOND
    assert told(asking.ask(301, deadline_ms=1_000)) == ("REFUSED", "RATE")


def test_a_tenant_s_own_key_serves_that_tenant_alone() -> None:
    """And goes before the one that all share."""
    keyed = provider("one", "m", keys=(key("shared"), key("own", tenant_id="alpha")))
    asking = Asking((keyed, route("one/m"), price("one/m")), tenants=(tenant("alpha"), tenant("beta")))
    assert asking.call(1).key_id == "own"
    assert asking.call(2, tenant_id="beta").key_id == "shared"
    alone = Asking((provider("one", "m", keys=(key("own", tenant_id="beta"),)), route("one/m"), price("one/m")))
    assert told(alone.ask()) == ("REFUSED", "NO_ROUTE")


STRATEGIES: dict[str, list[str]] = {
    "PRIORITY": ["one", "one", "one", "one"],
    "ROUND_ROBIN": ["one", "two", "three", "one"],
    "COST": ["three", "three", "three", "three"],
    "LATENCY": ["one", "two", "three", "three"],
}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_route_s_strategy_says_who_is_asked_first(strategy: Any) -> None:
    """`one` answers in 3 s, `two` in 2, `three` in 1; `three` is the cheapest."""
    names = ("one", "two", "three")
    asking = Asking(
        (
            *(provider(name, "m") for name in names),
            route(*(f"{name}/m" for name in names), strategy=strategy),
            *(price(f"{name}/m", str(3 - at)) for at, name in enumerate(names)),
        )
    )
    asked = []
    for number in range(4):
        call = asking.call(number)
        asking.follow(call, total_us=(3 - names.index(call.provider)) * SECOND)
        asked.append(call.provider)
    assert asked == STRATEGIES[strategy]


def test_weights_share_requests_among_models() -> None:
    """By the request's id alone: the same request is asked of the same model again."""

    def asked() -> list[str]:
        asking = Asking(
            (*TWO[:2], route("one/m", "two/m", weights=(3, 1), strategy="WEIGHT"), *TWO[3:]),
            tenants=(tenant(ai_requests_per_hour=1_000),),
        )
        return [asking.call(number).provider for number in range(400)]

    assert asked() == asked()
    assert 270 < asked().count("one") < 330


def test_a_tenant_s_route_goes_first_and_types_before_all_others() -> None:
    """The tenant's own of its revision, then routes of the type, then those for everything."""
    asking = Asking((*TWO, route("two/m", request_type="special")))
    assert asking.call(1).provider == "one"
    assert asking.call(2, request_type="special").provider == "two"
    own = ({"purpose": "special", "provider": "one", "model": "m"},)
    asking.give(tenant(revision=2, ai_routes=own))
    assert asking.call(3, request_type="special").provider == "one"
    assert asking.call(4, provider="two").provider == "two"


def test_models_are_asked_for_what_they_can() -> None:
    """Tools, schemas, images, embeddings and streams are capabilities."""
    able = provider("one", "m")
    for capability, needs in {
        "tools": {"tools": ({"name": "t", "description": "", "parameters": "{}"},)},
        "json_schema": {"json_schema": "{}"},
        "embeddings": {"kind": "EMBEDDING", "messages": (), "inputs": ("x",)},
        "streams": {"stream": "LIVE"},
        "chat": {},
    }.items():
        unable = replace(able, models=({**able.models[0], capability: False},))
        assert told(Asking((unable, *TWO[2:])).ask(**needs)) == ("REFUSED", "NO_ROUTE"), capability  # type: ignore[arg-type]
        assert isinstance(Asking((able, *TWO[2:])).ask(**needs), AiCall), capability  # type: ignore[arg-type]


def test_settings_apply_whole_or_not_at_all() -> None:
    """A revision that was made from older settings changes nothing, and neither does a part of one."""
    asking = Asking()
    cheaper = revised([price("one/m", "0"), price("two/m", "0")], 2, NOW)
    asking.give(cheaper[0])
    assert asking.call(1).reserved > 0
    asking.give(cheaper[1])
    assert asking.call(2).reserved == 0
    (alert,) = asking.give(*revised([price("one/m", "9"), price("two/m", "9")], 2, NOW + 1))
    assert isinstance(alert, Alert)
    assert alert.code == "AI_SETTINGS_REFUSED"
    assert asking.call(3).reserved == 0
    assert not [name for name in asking.state.values if name.startswith("staged/")]


def test_a_budget_is_told_of_once_at_each_share() -> None:
    """At 50, 80 and 100 %, by exact amounts."""
    asking = Asking(
        (*TWO[:3], price("one/m", "0", per_call=Decimal(10))), tenants=(tenant(ai_budget_per_month=Decimal(100)),)
    )
    codes = []
    for number in range(10):
        asking.follow(asking.call(number))
        codes.append([alert.code for alert in asking.of(Alert)][sum(map(len, codes)) :])
    assert [code for code in codes if code] == [["AI_BUDGET_50"], ["AI_BUDGET_80"], ["AI_BUDGET_100"]]
    assert [at for at, code in enumerate(codes) if code] == [4, 7, 9]


def test_a_provider_that_is_dear_or_fails_is_told_of_once_an_hour() -> None:
    """Above its cost, and above one error in twenty attempts; filters are no errors."""
    dear = (provider("one", "m", alert_cost_per_hour=Decimal(5)), TWO[2], price("one/m", "0", per_call=Decimal(1)))
    asking = Asking((*dear, *TWO[1:2], TWO[4]))
    for number in range(8):
        asking.follow(asking.call(number))
    assert [alert.code for alert in asking.of(Alert)] == ["AI_COST_PER_HOUR"]
    for number in range(8, 40):
        asking.follow(asking.call(number), "FILTERED" if number % 2 else "NO_MODEL" if number == 30 else "OK")
    assert [alert.code for alert in asking.of(Alert)] == ["AI_COST_PER_HOUR"]
    for number in range(40, 44):
        asking.follow(asking.call(number, at=NOW + 2 * SECOND + number * FIRST_OPEN_US), "BUSY")
    assert [alert.code for alert in asking.of(Alert)] == ["AI_COST_PER_HOUR", "AI_ERRORS"]
    for number in range(50, 60):
        asking.follow(asking.call(number, at=NOW + HOUR))
    assert [alert.code for alert in asking.of(Alert)].count("AI_COST_PER_HOUR") == 2


def test_a_call_in_suspense_is_settled_by_hand_once() -> None:
    """By what a bill says: `ai reconcile` reports tokens of a call that was lost."""
    asking = Asking()
    call = asking.call()
    asking.follow(call, "TIMED_OUT")
    by_hand = attempt(call, "LOST", NOW + DAY, counted=True, input_tokens=20, output_tokens=0, event_id="by hand")
    used = [usage for usage in asking.give(by_hand, by_hand) if isinstance(usage, Usage)]
    assert [(usage.meter, usage.quantity, usage.billable) for usage in used] == [
        ("ai.tokens.in", 20, False),
        ("ai.cost", 20, False),
    ]
    assert (asking.budget.spent, asking.budget.suspense) == (Decimal("0.00002"), 0)


def test_a_lost_call_that_the_bill_lacks_costs_nothing() -> None:
    """Also where its model has a price for each call; settled by hand with 0 tokens."""
    asking = Asking((*TWO[:3], price("one/m", per_call=Decimal(1))))
    call = asking.call()
    asking.follow(call, "LOST")
    assert asking.budget.suspense == call.reserved
    by_hand = attempt(call, "LOST", NOW + DAY, counted=True, event_id="by hand")
    assert asking.give(by_hand) == []
    assert (asking.budget.spent, asking.budget.suspense) == (0, 0)
    assert not [name for name in asking.state.values if name.startswith(f"call/{call.call_id}")]
