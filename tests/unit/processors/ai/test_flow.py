"""Histories of the whole flow: whoever dies, freezes or is in doubt, money and responses are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from calls.histories import AiFlow, bounded
from calls.mutants import MUTANTS as CALLERS
from hypothesis import Phase, seed
from hypothesis.stateful import run_state_machine_as_test

from tradewind.processors.ai import budgets, calling, limits, processor, settlement
from tradewind.processors.batch import Output, Processor, Segment, State, rows_of
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiAttempt, AiCallState

HUNT = 500
LAWS = r"sent|used|respon|budget|money|provider|usage|topics|suspense|outputs|state depends|window"
TestAiFlow = AiFlow.TestCase
TestAiFlow.settings = bounded(100)  # each takes 50 ms of CPU; `-m long` tries ten thousand


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("of", range(1, 6))
def test_ten_thousand_histories(of: int, evidence: Callable[[int, Mapping[str, int]], None]) -> None:
    """In five parts of some minutes; each has a seed of its own."""
    histories = 2_000
    part = type("Part", (AiFlow,), {"seen": Counter()})
    run_state_machine_as_test(seed(of)(part), settings=bounded(histories))
    assert part.seen["LOST"] > histories, "few calls were lost"
    evidence(of, {"histories": histories, **part.seen})


def paid_again(state: State, call: AiCallState, attempt: AiAttempt, ts_ingest: int) -> settlement.Settled:
    """Forget that a call is settled."""
    settled = PAID(state, call, attempt, ts_ingest)
    state.put(f"{settlement.CALL}{call.call_id}", replace(call, suspended=True))
    return settled


def free(attempt: AiAttempt) -> str:
    """Take what nobody knows for nothing."""
    money = MONEY(attempt)
    return "RELEASE" if money == "HOLD" else money


def numbered_by_request(*parts: object) -> str:
    """Give all calls of a request one id."""
    return derive_id(*parts[:2])


def sorted_by_time() -> Processor:
    """Decide on what came first, of all that is there at once."""
    process = MAKE()

    def mutant(state: State, segment: Segment) -> Sequence[Output]:
        rows = rows_of(segment)
        events = sorted(rows.events, key=lambda event: str(getattr(event, "event_id", "")))
        return process(state, replace(rows, events=events))

    return mutant


def reserves(state: State, call: AiCallState) -> None:
    """Hold a call's bound in suspense, and keep it reserved, too."""
    known = budgets.of_call(state, call)
    budgets.keep(state, call, replace(known, suspense=known.suspense + call.reserved))


PAID, MONEY, MAKE = settlement._paid, settlement.money_of, processor.ai
AGENTS: Mapping[str, tuple[object, str, Any]] = {
    "pays again": (settlement, "_paid", paid_again),
    "takes what nobody knows for nothing": (settlement, "money_of", free),
    "exceeds the budget": (budgets, "fits", lambda *_: True),
    "keeps what it reserved": (budgets, "suspend", reserves),
    "answers again": (limits, "was_taken", lambda *_: False),
    "gives two calls one id": (calling, "derive_id", numbered_by_request),
    "decides by batches": (processor, "ai", sorted_by_time),
    "numbers usage by itself": (settlement, "next_sequence", lambda *_: 0),
}
HERE = ("sends again", "skips the fence", "commits past a gap", "forgets its claims")
"""Callers that are wrong in what the whole flow must bear. The histories of the book find the others, too."""
MUTANTS = {**AGENTS, **{name: CALLERS[name] for name in HERE}}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_is_wrong_is_found(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mutant breaks a law of the histories."""
    monkeypatch.setattr(*MUTANTS[mutant])
    found = bounded(HUNT, phases=[Phase.generate], database=None, derandomize=True, report_multiple_bugs=False)
    with pytest.raises(AssertionError, match=LAWS):
        run_state_machine_as_test(AiFlow, settings=found)
