"""AI requests in memory: the pure agent `ai`, callers with real books, and a provider that counts by itself.

Nothing here runs by itself: a test chooses whose move is next. `Flow` judges what must hold after each move, and at
rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar, cast

from asking import NOW, SECOND
from processing import result, tenant_events
from runtime.records import CODEC

from calls.counting import MICRO, Provider, cost, fields_of
from calls.in_memory import PLACES, Broker, Caller
from tradewind.connectors.ai.answer import Tokens, unsent_attempt
from tradewind.connectors.ai.reconciling import held_calls, settled_by_hand
from tradewind.connectors.calls.book import Step
from tradewind.connectors.calls.call import Call, Unsent
from tradewind.processors.ai import processor
from tradewind.processors.ai.settings import Setting
from tradewind.processors.clock import month_start
from tradewind.schemas.ai import (
    AiAttempt,
    AiBudgetState,
    AiCall,
    AiCallState,
    AiPrice,
    AiRequest,
    AiResponse,
    AiTenantState,
)
from tradewind.schemas.billing import Usage
from tradewind.schemas.event import Event
from tradewind.schemas.tenancy import Tenant
from tradewind.testing import MemoryState, cut, rows, run
from tradewind.topics import AI_CALLS
from tradewind.topics.partitioner import partition_of

E = TypeVar("E", bound=Event)
Month = tuple[str, str, int]
"""A tenant, a currency, and the first moment of a month, µs."""
INPUTS = ("tenants", "settings", "attempts", "requests")
SKEWS_US = (0, -3 * SECOND, 3 * SECOND)
"""Of the callers' clocks."""


class Agent:
    """The pure agent with its inputs, which are read at some pace, and the state that was committed."""

    def __init__(self) -> None:
        self.inputs: dict[str, list[Event]] = {name: [] for name in INPUTS}
        self.positions = dict.fromkeys(INPUTS, 0)
        self.values: dict[str, Event] = {}
        self.consumed: list[Event] = []
        self.sent: list[Event] = []
        self.months: dict[str, Month] = {}
        """Of calls, by a clock of the test's own."""
        self._now = 0
        self._process = processor.ai()

    def batch(self, order: Sequence[str], most: int, *, committed: bool = True) -> list[Event]:
        """Process up to `most` records of each input; return what is sent, nothing if the batch is not committed."""
        state, positions, before = MemoryState(), dict(self.positions), self._now
        state.values = dict(self.values)
        consumed, sent = [], []
        for name in order:
            for event in self.inputs[name][positions[name] : positions[name] + most]:
                positions[name] += 1
                read = coded(event)
                consumed.append(read)
                sent += self._one(state, read)
        if not committed:
            self._now = before
            return []
        self.values, self.positions = state.values, positions
        self.consumed += consumed
        self.sent += sent
        return sent

    @property
    def behind(self) -> bool:
        """Whether there are records that it has not read."""
        return any(self.positions[name] < len(self.inputs[name]) for name in INPUTS)

    def restored(self) -> None:
        """Begin anew with what the changelog has of the state."""
        before = self.values
        self.values = {key: coded(value) for key, value in before.items()}
        assert self.values == before

    def of(self, model: type[E]) -> list[E]:
        """Return all events of a model that were sent."""
        return [event for event in self.sent if isinstance(event, model)]

    def kept(self, model: type[E]) -> list[E]:
        """Return all values of a model in the state."""
        return [value for value in self.values.values() if isinstance(value, model)]

    def _one(self, state: MemoryState, event: Event) -> list[Event]:
        before = held(state)
        sent = run(self._process, [event], state)
        if isinstance(event, AiRequest | AiAttempt):
            self._now = max(self._now, event.ts_ingest)
        moves = [one for one in sent if isinstance(one, AiCall | AiResponse)]
        assert len(moves) <= 1, "a record led to more than one call or response"
        for call in moves:
            if isinstance(call, AiCall):
                self.months[call.call_id] = call.tenant_id, call.currency, month_start(self._now)
        for month, now in held(state).items():
            if now > before.get(month, 0):
                known = state.get(f"tenant/{month[0]}", AiTenantState)
                assert known is not None
                assert isinstance(moves[0], AiCall), "money was held without a call"
                assert now <= known.budget_per_month, "the budget was exceeded"
        return sent


def coded(event: Event) -> Event:
    """Return an event as it is read after it was written."""
    return cast("Event", CODEC.decode(CODEC.encode(event)))


def held(state: MemoryState) -> dict[Month, Decimal]:
    """Return spent + reserved + suspense of each month."""
    found = {}
    for value in state.values.values():
        if isinstance(value, AiBudgetState):
            assert min(value.spent, value.reserved, value.suspense) >= 0, "money below zero"
            found[value.tenant_id, value.currency, value.ts_start] = value.spent + value.reserved + value.suspense
    return found


class Performer(Caller):
    """A caller with a clock of its own, that asks the provider."""

    def __init__(self, flow: Flow, skew_us: int) -> None:
        super().__init__(flow.broker)
        self.flow, self.skew_us = flow, skew_us

    @property
    def now(self) -> int:
        return self.flow.now + self.skew_us

    def plan(self, *, tidy: bool, hold: bool) -> None:
        """Begin a transaction, if there is anything to write."""
        if self.step is None and (step := self.book.plan(self.now, tidy=tidy, hold=hold)):
            self.step = step

    def send(self, calls: list[Call]) -> None:
        """Send calls whose deadline has not passed."""
        for call in calls:
            if self.now >= call.deadline_us:
                self.book.ended(call, Unsent.EXPIRED)
            else:
                self.flow.provider.ask(cast("AiCall", call.event))
                super().send([call])

    def answer(self, which: int) -> None:
        """Get the answer to a call in flight."""
        call = self.flying.pop(which % len(self.flying))
        self.book.ended(call, self.flow.provider.answer(cast("AiCall", call.event), self.now))

    def stop(self) -> None:
        """Be told to stop, with calls in flight that take too long."""
        self.book.stop()
        self.broker.cut += len(self.flying)
        for call in self.flying:
            self.book.ended(call, Unsent.LOST)
        self.flying = []


class _Attempts(Broker):
    """Gives what was published of calls to the agent."""

    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self._flow = flow

    def apply(self, step: Step) -> bool:
        for ending in step.endings:
            call, how = cast("AiCall", ending.call.event), ending.how
            made = unsent_attempt(call, how, self._flow.now) if isinstance(how, Unsent) else how
            self._flow.agent.inputs["attempts"].append(made)
        return super().apply(step)


class Flow:
    """All of it, with what the provider and the budgets must agree about."""

    def __init__(self, seed: int, settings: Sequence[Setting], tenants: Sequence[Tenant]) -> None:
        self.now = NOW
        self.agent, self.provider = Agent(), Provider(seed)
        self.broker = _Attempts(self)
        self.performers: list[Performer] = []
        self.called: dict[str, AiCall] = {}
        self.join()
        self.agent.inputs["tenants"] += [*tenants, tenant_events(())[0]]
        self.agent.inputs["settings"] += settings
        self.agent_goes_on()

    @property
    def asked(self) -> set[str]:
        """Which requests there are."""
        return {event.event_id for event in self.agent.inputs["requests"]}  # type: ignore[attr-defined]

    def join(self) -> None:
        """Start one more caller."""
        self.performers.append(Performer(self, SKEWS_US[len(self.performers) % len(SKEWS_US)]))
        self.broker.members.append(self.performers[-1])
        self.broker.rebalance()

    def kill(self, performer: Performer) -> None:
        """End a caller with all that it knows; its calls in flight go on at the provider."""
        self.performers.remove(performer)
        if performer in self.broker.members:
            self.broker.members.remove(performer)
            self.broker.rebalance()

    def agent_goes_on(self, order: Sequence[str] = INPUTS, most: int = 1_000, *, committed: bool = True) -> bool:
        """Have the agent process a batch, and callers see its calls once it is committed."""
        sent = self.agent.batch(order, most, committed=committed)
        for call in (event for event in sent if isinstance(event, AiCall)):
            assert call.call_id not in self.called, "a call id was used twice"
            self.called[call.call_id] = call
            place = PLACES[partition_of(AI_CALLS.key(call).encode(), len(PLACES))]
            calls = self.broker.logs[place]
            calls.append(Call((place, len(calls)), call.tenant_id, call, call.not_before, call.deadline, 1))
        if sent:
            for log in self.broker.logs.values():
                log.append(None)  # the marker of the transaction
        return bool(sent)

    def check(self) -> None:
        """Look at what holds at any moment."""
        self.broker.check()
        suspense = self._suspense()
        reserved = _sums((_month(budget), budget.reserved) for budget in self.agent.kept(AiBudgetState))
        spent = self._used()
        for month, counted in self._counted().items():
            assert spent[month] + suspense[month] + reserved[month] >= counted, "the provider counted more than is held"

    def rest(self) -> None:
        """All callers die, and one more ends what they left."""
        for performer in list(self.performers):
            self.kill(performer)
        self.agent.restored()
        self.join()
        (last,) = self.performers
        for _ in range(10_000):
            moved = self.agent_goes_on()
            last.poll(1_000)
            last.plan(tidy=True, hold=False)
            moved |= last.step is not None
            last.outcome("written")
            while last.flying:
                last.answer(0)
            self.check()
            if not moved and not self.agent.behind:
                if (due := last.book.turns.next_us()) is None:
                    return
                self.now = max(self.now, due - last.skew_us)
        raise AssertionError("calls are left without an attempt")

    def check_at_rest(self) -> None:
        """Look at what holds when nothing is open, before and after the calls in suspense are settled by the bill."""
        assert Counter(one.request_id for one in self.agent.of(AiResponse)) == Counter(self.asked), "not one response"
        assert not [key for key in self.agent.values if key.startswith(("open/", "asked/"))], "a request is open"
        assert not any(budget.reserved for budget in self.agent.kept(AiBudgetState)), "money is reserved for nothing"
        self._check_suspense()
        self._check_usage()
        self._settle_by_hand()
        assert not self._suspense().total(), "a call is left in suspense"
        self._check_usage()
        counted, spent = self._counted(), self._used()
        assert +spent == +counted, "what is spent differs from what the provider counted"

    def check_cuts(self, cuts: Sequence[int]) -> None:
        """Compare what was sent, and the state, with one run over the same records, cut anywhere."""
        sent, values = result(processor.ai(), cut(rows(self.agent.consumed), cuts))
        assert list(map(CODEC.encode, sent)) == list(map(CODEC.encode, self.agent.sent)), "outputs depend on batches"
        assert values == self.agent.values, "the state depends on batches"

    def counts(self) -> Counter[str]:
        """Return how often what happened."""
        attempts = [event for event in self.agent.consumed if isinstance(event, AiAttempt)]
        outcomes = Counter(one.outcome for one in attempts if one.outcome in {"LOST", "RETURNED", "EXPIRED"})
        answered = Counter(one.status.lower() for one in self.agent.of(AiResponse))
        return Counter({**answered, **outcomes, "calls": len(self.called), "sent": len(self.provider.truths)})

    def _check_suspense(self) -> None:
        suspended = {call.call_id: call for call in self.agent.kept(AiCallState)}
        attempts = (event for event in self.agent.consumed if isinstance(event, AiAttempt))
        assert held_calls(attempts) == suspended.keys(), "the topics tell of other calls in suspense than the agent has"
        bounds = _sums((self.agent.months[call_id], call.reserved) for call_id, call in suspended.items())
        assert +bounds == +self._suspense(), "suspense is not the sum of its calls"

    def _check_usage(self) -> None:
        used = self.agent.of(Usage)
        assert len({usage.event_id for usage in used}) == len(used), "usage was counted twice"
        for name in {usage.tenant_id for usage in used}:
            numbers = [usage.sequence for usage in used if usage.tenant_id == name]
            assert numbers == list(range(len(numbers))), "usage has a gap"
        spent = self._used()
        for budget in self.agent.kept(AiBudgetState):
            assert budget.spent == spent[_month(budget)], "usage does not sum to what was spent"

    def _settle_by_hand(self) -> None:
        """Settle each call in suspense by what the provider counted, twice."""
        for call in self.agent.kept(AiCallState):
            truth = self.provider.truths.get(call.call_id)
            tokens = truth.tokens if truth is not None and truth.tokens is not None else (0, 0, 0, 0)
            made = replace(settled_by_hand(self.called[call.call_id], Tokens(), self.now), **fields_of(tokens))
            self.agent.inputs["attempts"] += [made, made]
        self.agent_goes_on()

    def _suspense(self) -> Counter[Month]:
        return _sums((_month(budget), budget.suspense) for budget in self.agent.kept(AiBudgetState))

    def _used(self) -> Counter[Month]:
        """Return what usage sums to."""
        costs = (usage for usage in self.agent.of(Usage) if usage.meter == "ai.cost")
        return _sums((self.agent.months[str(one.call_id)], one.quantity * MICRO) for one in costs)

    def _counted(self) -> Counter[Month]:
        """Return what calls cost by the provider's count and the prices that were written."""
        prices = {one.price_id: one for one in self.agent.inputs["settings"] if isinstance(one, AiPrice)}
        return _sums(
            (self.agent.months[call_id], cost(prices[self.called[call_id].price_id], truth.tokens))
            for call_id, truth in self.provider.truths.items()
            if truth.tokens is not None
        )


def _month(budget: AiBudgetState) -> Month:
    return budget.tenant_id, budget.currency, budget.ts_start


def _sums(amounts: Iterable[tuple[Month, Decimal]]) -> Counter[Month]:
    found: Counter[Any] = Counter()
    for month, amount in amounts:
        found[month] += amount
    return found
