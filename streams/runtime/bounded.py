"""Bound a call that may never return: it is left behind in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable


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

    threading.Thread(target=work, daemon=True, name="call that may not return").start()
    waited = 0.0
    while not done.wait(step_s):
        waited += step_s
        if waited >= seconds or give_up():
            raise NoAnswer(f"no answer within {waited:.0f} s")
    if raised:
        raise raised[0]
