"""A Hypothesis state machine: histories of AI requests, in which anybody may die, freeze or be in doubt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

from asking import DAY, HOUR, SECOND, key, price, provider, request, route, tenant
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from calls.flow import INPUTS, Flow, Performer
from tradewind.processors.ai.seed import revised
from tradewind.processors.identity import derive_id

SETTINGS = (
    provider("one", "m", "n", keys=(key("a", requests_per_minute=30), key("b", concurrent=2)), max_attempts=2),
    provider("two", "m", keys=(), max_attempts=3),
    route("one/m", "one/n", "two/m"),
    route("two/m", "one/m", request_type="turns", strategy="ROUND_ROBIN"),
    price("one/m", "0.5", out="2"),
    price("one/n", "0.3", per_call=Decimal("0.0000005")),
    price("two/m", "0.1"),
)
TENANTS = ("alpha", "beta")
CAPS = st.sampled_from([Decimal("0.02"), Decimal("0.005"), Decimal("0.1"), Decimal(0)])
STATUSES = st.sampled_from(["ACTIVE", "ACTIVE", "SUSPENDED", "CLOSED"])
STEPS_US = st.sampled_from([1, SECOND, SECOND, 20 * SECOND, HOUR, 20 * DAY])
ORDERS = st.permutations(INPUTS)
WHICH = st.integers(0, 7)
ENDS = st.sampled_from(["written", "written", "written", "aborted", "in doubt", ""])
MOST_CALLERS = 3


class AiFlow(RuleBasedStateMachine):
    """The pure agent, up to three callers of one group, and a provider, at the mercy of whatever happens."""

    seen: ClassVar[Counter[str]] = Counter()
    """What happened in all histories."""

    @initialize(of=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 60), max_size=6), ends_well=st.booleans())
    def begin(self, of: int, cuts: list[int], ends_well: bool) -> None:
        """Have two tenants and two providers."""
        self.ends_well = ends_well
        self.flow = Flow(
            of, revised(SETTINGS, 1, 0), [tenant(name, ai_budget_per_month=Decimal("0.02")) for name in TENANTS]
        )
        self.cuts, self.revisions, self.settings_revision = cuts, dict.fromkeys(TENANTS, 1), 1

    # -- what comes in ------------------------------------------------------------------------------------------------

    @rule(
        name=st.sampled_from(TENANTS),
        request_type=st.sampled_from(["general", "turns"]),
        length=st.sampled_from([1, 400, 2_000]),
        most=st.sampled_from([1, 100, 1_000]),
        deadline_ms=st.sampled_from([1, 10_000, 60_000, 3_600_000]),
        count=st.integers(1, 4),
    )
    def somebody_asks(self, name: str, request_type: str, length: int, most: int, deadline_ms: int, count: int) -> None:
        inputs, now = self.flow.agent.inputs["requests"], self.flow.now
        fields = {"tenant_id": name, "request_type": request_type, "max_tokens": most, "deadline_ms": deadline_ms}
        for _ in range(count):
            inputs.append(request(len(inputs), now, "x" * length, **fields))

    @rule(name=st.sampled_from(INPUTS), which=WHICH)
    def a_record_comes_again(self, name: str, which: int) -> None:
        """Of the newest few."""
        records = self.flow.agent.inputs[name]
        records += records[-1 - which :][:1]

    @rule(name=st.sampled_from(TENANTS), status=STATUSES, cap=CAPS, hourly=st.sampled_from([500, 500, 2]))
    def a_tenant_changes(self, name: str, status: Any, cap: Decimal, hourly: int) -> None:
        self.revisions[name] += 1
        other = {"status": status, "ai_budget_per_month": cap, "ai_requests_per_hour": hourly}
        self.flow.agent.inputs["tenants"].append(tenant(name, self.revisions[name], **other))

    @rule(
        rate=st.sampled_from(["0", "0.7", "3"]),
        later_us=st.sampled_from([0, 0, -HOUR, HOUR]),
        attempts=st.integers(1, 3),
        active=st.booleans(),
        step=st.sampled_from([1, 1, 1, 0, 2]),
        parts=st.sampled_from([9, 9, 9, 2]),
    )
    def settings_change(self, rate: str, later_us: int, attempts: int, active: bool, step: int, parts: int) -> None:
        """By a revision that may be stale, or have too few records."""
        now, number = self.flow.now, self.settings_revision + step
        self.settings_revision += step == 1 and parts == 9
        at = {"valid_from": max(0, now + later_us)}
        prices = [
            replace(price(place, rate, **at), price_id=derive_id(place, number, now, rate, later_us))
            for place in ("one/m", "two/m")
        ]
        changes = [replace(SETTINGS[0], max_attempts=attempts), replace(SETTINGS[1], active=active), *prices]
        self.flow.agent.inputs["settings"] += revised(changes, number, now)[:parts]  # type: ignore[arg-type]

    @rule(step_us=STEPS_US)
    def time_passes(self, step_us: int) -> None:
        self.flow.now += step_us

    # -- the agent ----------------------------------------------------------------------------------------------------

    @rule(order=ORDERS, most=st.sampled_from([1, 3, 100]), committed=st.sampled_from([True, True, False]))
    def the_agent_goes_on(self, order: Sequence[str], most: int, committed: bool) -> None:
        """Nothing is kept of a batch that is not committed, and the next one may have other records."""
        self.flow.agent_goes_on(order, most, committed=committed)

    @rule(order=ORDERS, most=st.sampled_from([0, 2]))
    def the_agent_is_killed(self, order: Sequence[str], most: int) -> None:
        """Within a batch; the next one begins with what the changelog has."""
        self.flow.agent_goes_on(order, most, committed=False)
        self.flow.agent.restored()

    # -- callers ------------------------------------------------------------------------------------------------------

    def one(self, which: int) -> Performer:
        return self.flow.performers[which % len(self.flow.performers)]

    @rule(which=WHICH, most=st.sampled_from([1, 100]))
    def a_caller_reads(self, which: int, most: int) -> None:
        self.one(which).poll(most)

    @rule(which=WHICH, tidy=st.booleans(), hold=st.booleans())
    def a_caller_begins_a_transaction(self, which: int, tidy: bool, hold: bool) -> None:
        self.one(which).plan(tidy=tidy, hold=hold)

    @rule(which=WHICH, how=st.sampled_from(["written", "written", "aborted", "in doubt"]), written=st.booleans())
    def a_transaction_ends(self, which: int, how: str, written: bool) -> None:
        self.one(which).outcome(how, written=written)

    @rule(which=WHICH, flight=WHICH)
    def a_provider_answers(self, which: int, flight: int) -> None:
        if self.one(which).flying:
            self.one(which).answer(flight)

    @rule(step_us=st.sampled_from([0, SECOND]), answers=st.integers(0, 3), ends=ENDS, written=st.booleans())
    def all_go_on(self, step_us: int, answers: int, ends: str, written: bool) -> None:
        """All that can go on does, for a moment; at its end, transactions may fail, or be on their way."""
        self.flow.now += step_us
        self.flow.agent_goes_on()
        for performer in self.flow.performers:
            performer.outcome("written")
            for _ in range(min(answers, len(performer.flying))):
                performer.answer(0)
            performer.poll(100)
            performer.plan(tidy=False, hold=True)
            if ends:
                performer.outcome(ends, written=written)
        self.flow.agent_goes_on()

    @precondition(lambda self: len(self.flow.performers) < MOST_CALLERS)
    @rule()
    def a_caller_joins(self) -> None:
        self.flow.join()

    @rule(which=WHICH)
    def a_caller_hears_that_its_lease_has_ended(self, which: int) -> None:
        """Between a plan and its outcome, maybe."""
        if self.one(which).assigned is not None:
            self.one(which).book.close()

    @rule(which=WHICH)
    def a_caller_is_frozen_past_its_session(self, which: int) -> None:
        """And goes on without knowing it."""
        self._freeze(self.one(which))

    @rule(which=WHICH, name=st.sampled_from(TENANTS))
    def a_caller_is_frozen_before_its_claim_is_written(self, which: int, name: str) -> None:
        """Others have its partitions, and claim what it was about to claim, when it goes on."""
        caller = self.one(which)
        self.somebody_asks(name, "general", 1, 1, 60_000, 1)
        self.flow.agent_goes_on()
        caller.poll(100)
        caller.plan(tidy=False, hold=True)
        if len(self.flow.performers) < MOST_CALLERS:
            self.flow.join()
        self._freeze(caller)
        for other in self.flow.performers:
            if other is not caller:
                other.poll(100)
                other.plan(tidy=False, hold=True)
                other.outcome("written")
        caller.outcome("written")

    def _freeze(self, caller: Performer) -> None:
        broker = self.flow.broker
        if caller in broker.members:
            broker.members.remove(caller)
            caller.assigned = None
            broker.rebalance()

    @rule()
    def frozen_callers_join_again(self) -> None:
        broker = self.flow.broker
        for caller in self.flow.performers:
            if caller not in broker.members:
                broker.members.append(caller)
                broker.rebalance()

    @rule(which=WHICH)
    def a_caller_is_told_to_stop(self, which: int) -> None:
        """Another one is started, as a supervisor does."""
        self.one(which).stop()
        if len(self.flow.performers) < MOST_CALLERS:
            self.flow.join()

    @rule(which=WHICH)
    def a_caller_is_killed(self, which: int) -> None:
        """Another one is started if it was the last."""
        self.flow.kill(self.one(which))
        if not self.flow.performers:
            self.flow.join()

    # -- laws ---------------------------------------------------------------------------------------------------------

    @invariant()
    def the_laws_hold(self) -> None:
        """No call is sent twice, no budget is exceeded, and all that the provider counted is held."""
        self.flow.check()

    def teardown(self) -> None:
        """Let all come to rest, and look at what holds then."""
        if hasattr(self, "flow"):
            if self.ends_well:
                self.all_go_on(SECOND, 100, "written", written=True)
            self.flow.rest()
            self.flow.check_at_rest()
            self.flow.check_cuts(self.cuts)
            self.seen.update(self.flow.counts())


def bounded(histories: int, **other: Any) -> settings:
    """Return settings for so many histories."""
    quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    return settings(max_examples=histories, stateful_step_count=50, deadline=None, suppress_health_check=quiet, **other)
