"""The bench of AI calls: ratios are of the same run, and decisions are timed of requests that are answered."""

from __future__ import annotations

from collections import Counter

import pytest

from tradewind.infra.bench.ai import arguments
from tradewind.infra.bench.parts.ai import hits, overhead
from tradewind.infra.bench.parts.ai.deciding import decide_us
from tradewind.infra.bench.parts.ai.mock import CHUNKS, WORD, whole
from tradewind.infra.bench.parts.ai.speed import DECIDING, KEPT, PARTS, Size, drivers, plan, results

LONG_S = 1e9


def test_ratios_are_of_the_same_run() -> None:
    """And their median is told, not the ratio of medians."""
    costs = {"caller": [1.0, 2.0, 9.0], "openai_sdk": [2.0, 2.0, 10.0], "litellm_router": [4.0, 20.0, 90.0]}
    assert costs.keys() == drivers().keys()
    found = {f"{what}_cpu_ms_{name}": runs for what in ("call", "stream") for name, runs in costs.items()}
    told = {one.name: (one.value, one.runs) for one in results(found)}
    assert told["call_of_openai_sdk"] == (0.9, (0.5, 1.0, 0.9))
    assert told["stream_of_litellm_router"] == (0.1, (0.25, 0.1, 0.1))


def test_what_a_request_may_take_follows_from_the_two_hops_of_the_same_run() -> None:
    """One and a half times what they take, and 15 ms; without them there is no such figure."""
    found = {"two_hops_ms_p50": [20.0, 40.0], "overhead_ms_p50": [50.0], "two_hops_ms_p95": [100.0, 100.0]}
    told = {one.name: (one.value, one.unit, one.runs) for one in results(found)}
    assert told["overhead_bound_ms_p50"] == (60.0, "ms", (45.0, 75.0))
    assert told["overhead_bound_ms_p95"] == (165.0, "ms", (165.0, 165.0))
    assert told.keys() == {*found, "overhead_bound_ms_p50", "overhead_bound_ms_p95"}


def test_parts_are_measured_in_one_order() -> None:
    """Whatever order they are asked in; all of them without an option."""
    assert arguments([]).only == PARTS
    given = arguments(["--only", "kept,decisions"])
    assert plan(Size(1, 1, 1, 2, 1.0, given.only)) == [DECIDING, DECIDING, KEPT]
    every = plan(Size(1, 1, 1, 2, 1.0))
    assert Counter(every)[overhead.HOPS] == 2
    assert len(every) == 2 + 1 + 2 * 6 + 2 + 5


def test_a_part_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The error names those that there are."""
    with pytest.raises(SystemExit):
        arguments(["--only", "kept,everything"])
    assert "no part 'everything'; parts are decisions, kept, calls" in capsys.readouterr().err


def test_each_request_is_decided_and_settled() -> None:
    """One that is refused ends the bench."""
    assert decide_us(20) > 0


def test_kept_answers_are_counted_by_where_they_were() -> None:
    """An answer is kept for so many seconds, at one request a second; another wording is counted apart."""
    once = [0] * 6
    assert hits.found([1, 2, 1, 1, 2, 3], once, "EXACT", LONG_S) == {"missed": 3, "memory": 3}
    assert hits.found([1, 2, 1, 2, 1, 2], once, "EXACT", 3.0) == {"missed": 4, "memory": 2}
    worded = [0, 1, 2, 0, 1, 2]
    assert hits.found([1] * 6, worded, "EXACT", LONG_S) == {"missed": 3, "memory": 3}
    assert hits.found([1] * 6, worded, "SEMANTIC", LONG_S) == {"missed": 1, "semantic": 4, "memory": 1}


def test_the_workload_is_the_same_each_time() -> None:
    """2,000 prompts, of which the first comes more often than any other."""
    prompts = hits.workload()
    assert (len(prompts), min(prompts), max(prompts) < hits.PROMPTS) == (hits.REQUESTS, 0, True)
    assert Counter(prompts).most_common(1)[0][0] == 0
    assert prompts == hits.workload()


def test_the_mock_answers_the_same_in_one_piece_and_in_chunks() -> None:
    """So that drivers can compare what they get."""
    assert (WORD * CHUNKS).encode() in whole()
