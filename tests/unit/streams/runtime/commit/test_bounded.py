"""A call that does not return is left behind; one that does is waited for, and what it raised is raised."""

from __future__ import annotations

import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tradewind.streams.runtime.commit.bounded import IDLE_THREADS, NoAnswer, call_within

STEP_S = 0.01
SLACK_S = 15.0
"""Of a busy machine; what would hang takes longer."""


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
    left: list[threading.Thread] = []

    def call() -> None:
        left.append(threading.current_thread())
        never.wait()

    with pytest.raises(NoAnswer, match="no answer within 1 s"):
        call_within(call, 0.6, lambda: False, 0.2)
    assert time.monotonic() - begun >= 0.55
    assert left[0].daemon
    call_within(lambda: left.append(threading.current_thread()), 60, lambda: False, STEP_S)
    assert left[1] is not left[0], "it may still be in its call"
    never.set()
    left[0].join(30)
    assert not left[0].is_alive()


def test_a_thread_whose_call_returned_makes_the_next_one() -> None:
    """Starting one takes longer than most calls; what a call held on to is let go."""
    threads: list[threading.Thread] = []

    class Held:
        pass

    def call(held: Held | None = None) -> None:
        threads.append(threading.current_thread())

    held = Held()
    gone = weakref.ref(held)
    call_within(partial(call, held), 60, lambda: False, STEP_S)
    del held
    call_within(call, 60, lambda: False, STEP_S)
    assert threads[0] is threads[1]
    assert gone() is None


def test_threads_that_are_kept_are_few() -> None:
    """Many calls at once, and all but a few of their threads end."""
    together = threading.Barrier(3 * IDLE_THREADS)
    threads: list[threading.Thread] = []

    def call() -> None:
        threads.append(threading.current_thread())
        together.wait(60)

    with ThreadPoolExecutor(3 * IDLE_THREADS) as pool:
        for made in [pool.submit(call_within, call, 60, lambda: False, STEP_S) for _ in range(3 * IDLE_THREADS)]:
            made.result()
    deadline = time.monotonic() + 60
    while sum(thread.is_alive() for thread in threads) > IDLE_THREADS:
        assert time.monotonic() < deadline
        time.sleep(STEP_S)


def test_a_call_is_looked_after_some_times_a_second(never: threading.Event) -> None:
    """Unless it is told otherwise."""
    begun = time.monotonic()
    with pytest.raises(NoAnswer):
        call_within(lambda: bool(never.wait()) and None, 0.05, lambda: False)
    assert time.monotonic() - begun < SLACK_S


def test_a_call_is_left_behind_when_nobody_wants_it_any_more(never: threading.Event) -> None:
    """Asked at each look."""
    answers = iter([False, False, True])
    with pytest.raises(NoAnswer, match="no answer within 0 s"):
        call_within(lambda: bool(never.wait()) and None, 60, lambda: next(answers), STEP_S)
    assert next(answers, None) is None
