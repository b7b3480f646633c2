"""Breakers that are made of calls that have ended: by the rules of the agent."""

from __future__ import annotations

from tradewind.processors.health.calls import Breakers, Ended

NOW = 1_790_000_000_000_000
SECOND = 1_000_000
PLACE = ("one", "m", "K")


def call(number: int, outcome: str, at_s: float, took_s: float = 0.5) -> Ended:
    """Return a call of the model."""
    ended_us, took_us = NOW + round(at_s * SECOND), round(took_s * SECOND)
    return Ended(f"c{number}", "one", "m", "K", outcome, ended_us, took_us)  # type: ignore[arg-type] # one of them


def standing(calls: list[Ended], at_s: float) -> tuple[str, float | None]:
    """Return how the model stands at a time, and until when (s)."""
    found, until = Breakers(calls).standing(PLACE, NOW + round(at_s * SECOND))
    return found, None if until is None else (until - NOW) / SECOND


def test_five_failures_in_a_row_open_a_breaker_and_a_probe_closes_it_or_opens_it_for_longer() -> None:
    """In whatever order the calls are read. Calls that were in flight as it opened change nothing."""
    failures = [call(at, "TIMED_OUT", at) for at in range(5)]
    assert standing(failures[:4], 5) == ("CLOSED", None)
    assert standing(failures[::-1], 5) == ("OPEN", 14.0)
    assert standing([*failures, call(5, "TIMED_OUT", 6, took_s=4)], 7) == ("OPEN", 14.0)
    assert standing(failures, 15) == ("PROBE", None)
    assert standing([*failures, call(5, "ERROR", 16)], 17) == ("OPEN", 36.0)
    assert standing([*failures, call(5, "OK", 16)], 17) == ("CLOSED", None)


def test_a_key_that_is_refused_opens_for_all_its_models_and_what_is_unknown_is_closed() -> None:
    """For five minutes at first."""
    calls = [call(1, "BAD_KEY", 0)]
    assert standing(calls, 1) == ("OPEN", 300.0)
    assert Breakers(calls).standing(("one", "other", "K"), NOW)[0] == "OPEN"
    assert Breakers(calls).standing(("one", "m", "other"), NOW) == ("CLOSED", None)
