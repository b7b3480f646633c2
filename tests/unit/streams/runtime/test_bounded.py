"""A call that does not return is left behind; one that does is waited for, and what it raised is raised."""

from __future__ import annotations

import threading
import time

import pytest

from tradewind.streams.runtime.bounded import NoAnswer, call_within

STEP_S = 0.01


@pytest.fixture
def never() -> threading.Event:
    """Give what a call waits for in vain, and let that call go at the end."""
    event = threading.Event()
    yield event  # type: ignore[misc]
    event.set()


def test_a_call_that_returns_is_waited_for() -> None:
    """However long after the first look."""
    done: list[int] = []

    def call() -> None:
        time.sleep(3 * STEP_S)
        done.append(1)

    call_within(call, 60, lambda: False, STEP_S)
    assert done == [1]


def test_what_a_call_raises_is_raised_where_it_is_waited_for() -> None:
    """Not swallowed in its thread, whatever it is."""
    error = KeyboardInterrupt("anything")

    def call() -> None:
        raise error

    with pytest.raises(KeyboardInterrupt) as found:
        call_within(call, 60, lambda: False, STEP_S)
    assert found.value is error


def test_a_call_without_an_answer_is_left_behind_when_its_time_is_over(never: threading.Event) -> None:
    """Not before, and not long after; its thread does not keep the process."""
    begun = time.monotonic()
    with pytest.raises(NoAnswer, match="no answer within 1 s"):
        call_within(lambda: bool(never.wait()) and None, 0.6, lambda: False, 0.2)
    assert time.monotonic() - begun >= 0.55
    (left,) = [thread for thread in threading.enumerate() if thread.name == "call that may not return"]
    assert left.daemon
    never.set()
    left.join(10)


def test_a_call_is_looked_after_some_times_a_second(never: threading.Event) -> None:
    """Unless it is told otherwise."""
    begun = time.monotonic()
    with pytest.raises(NoAnswer):
        call_within(lambda: bool(never.wait()) and None, 0.05, lambda: False)
    assert time.monotonic() - begun < 1


def test_a_call_is_left_behind_when_nobody_wants_it_any_more(never: threading.Event) -> None:
    """Asked at each look."""
    answers = iter([False, False, True])
    with pytest.raises(NoAnswer, match="no answer within 0 s"):
        call_within(lambda: bool(never.wait()) and None, 60, lambda: next(answers), STEP_S)
    assert next(answers, None) is None
