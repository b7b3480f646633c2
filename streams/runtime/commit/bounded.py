"""Bound a call that may never return: it is left behind in a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

IDLE_THREADS = 4  # kept for the next calls, one for each worker in a process: starting one takes 1 to 2 ms


class NoAnswer(Exception):
    """A call did not return in time, and may do so at any time later, or never."""


def call_within(call: Callable[[], None], seconds: float, give_up: Callable[[], bool], step_s: float = 0.1) -> None:
    """Run a call in a thread and wait for it; raises what it raised, or `NoAnswer` after some seconds or on `give_up`.

    A thread that is left behind ends with its call, or with the process. It keeps what the call holds on to.
    """
    raised: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            raised.append(error)
        finally:
            done.set()

    try:
        caller = _IDLE.pop()
    except IndexError:
        caller = _Caller()
    caller.make(work)
    waited = 0.0
    while not done.wait(step_s):
        waited += step_s
        if waited >= seconds or give_up():
            caller.end()
            raise NoAnswer(f"no answer within {waited:.0f} s")
    if len(_IDLE) < IDLE_THREADS:
        _IDLE.append(caller)
    else:
        caller.end()
    if raised:
        raise raised[0]


class _Caller:
    """A thread that makes one call after the other."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._work, daemon=True, name="call that may not return").start()

    def make(self, call: Callable[[], None]) -> None:
        """Have a call made, which raises nothing."""
        self._calls.put(call)

    def end(self) -> None:
        """Let the thread end once it has returned from its call."""
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call  # what it holds on to is not kept until the next one


_IDLE: deque[_Caller] = deque()
