"""The bench of AI calls: ratios are of the same run, and decisions are timed of requests that are answered."""

from __future__ import annotations

from tradewind.infra.bench.parts.ai.deciding import decide_us
from tradewind.infra.bench.parts.ai.mock import CHUNKS, WORD, whole
from tradewind.infra.bench.parts.ai.speed import drivers, results


def test_ratios_are_of_the_same_run() -> None:
    """And their median is told, not the ratio of medians."""
    costs = {"caller": [1.0, 2.0, 9.0], "openai_sdk": [2.0, 2.0, 10.0], "litellm_router": [4.0, 20.0, 90.0]}
    assert costs.keys() == drivers().keys()
    found = {f"{what}_cpu_ms_{name}": runs for what in ("call", "stream") for name, runs in costs.items()}
    told = {one.name: (one.value, one.runs) for one in results(found)}
    assert told["call_of_openai_sdk"] == (0.9, (0.5, 1.0, 0.9))
    assert told["stream_of_litellm_router"] == (0.1, (0.25, 0.1, 0.1))


def test_each_request_is_decided_and_settled() -> None:
    """One that is refused ends the bench."""
    assert decide_us(20) > 0


def test_the_mock_answers_the_same_in_one_piece_and_in_chunks() -> None:
    """So that drivers can compare what they get."""
    assert (WORD * CHUNKS).encode() in whole()
