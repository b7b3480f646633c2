"""The end of a command by a signal: the command unwinds, so that whatever it started ends with it.

SIGTERM, SIGINT (Ctrl-C) and SIGHUP (a closed terminal) raise `Ended` in the main thread, once. Signals that follow
change nothing: they must not break off the cleaning up. What no signal announces, such as kill -9, is `guard`'s matter.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INSIST_S = 0.1
"""How long the main thread may take to serve a signal before it is woken again."""


class Ended(KeyboardInterrupt):
    """A signal ends the command. Loops treat it as Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@dataclass(slots=True)
class _State:
    installed: bool = False
    came: bool = False
    held: int = 0
    """How many blocks of `undivided` the main thread is in."""
    waiting: int | None = None
    """The signal that came meanwhile."""


_state = _State()


def heard() -> list[signal.Signals]:
    """Return the signals that end a command; SIGHUP is none of them where it is ignored, as `nohup` does it."""
    return [number for number in NUMBERS if (number, signal.getsignal(number)) != (signal.SIGHUP, signal.SIG_IGN)]


def stop_on_signals(stop: threading.Event) -> None:
    """End a command in order on the first signal, by the event; at once on the second."""

    def ask(number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in heard():
        signal.signal(number, ask)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise `Ended` in this block when a signal ends the command; within another such block this changes nothing."""
    if _state.installed or not _in_main_thread():
        yield
        return
    taken = heard()
    _state.installed, _state.came, _state.waiting = True, False, None
    before = [signal.signal(number, _on_signal) for number in taken]
    try:
        with _insisted():
            yield
    finally:
        for number, handler in zip(taken, before, strict=True):
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        _state.installed = False


@contextmanager
def undivided() -> Iterator[None]:
    """Let a signal that comes in this block wait for the block's end, so that no process starts without its record.

    Only the main thread is ever interrupted; in other threads this changes nothing.
    """
    if not _in_main_thread():
        yield
        return
    _state.held += 1
    try:
        yield
    finally:
        _state.held -= 1
        if not _state.held and (number := _state.waiting) is not None:
            _state.waiting = None
            raise Ended(number)


def die_by(number: int) -> NoReturn:
    """End this process by a signal, so that its parent sees the cause: a shell's loop stops at Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, or a terminal that is gone
            stream.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # the signal is blocked


@contextmanager
def _insisted() -> Iterator[None]:
    """Have each signal served: a thread repeats those that the main thread has missed.

    Python serves a signal between two steps of the main thread. One that comes just before the thread waits, for a lock
    or a process, would be served after the wait, which may be minutes. So would every SIGINT once polars is imported,
    whose handler has waits go on. An exception in a destructor is dropped. A command that hears a signal itself, such
    as a feed, has a handler of its own, and does not get it twice.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    hook = sys.unraisablehook

    def dropped(what: UnraisableHookArgs) -> None:
        if isinstance(what.exc_value, Ended):
            _state.came = False
        else:
            hook(what)

    sys.unraisablehook = dropped
    thread = threading.Thread(target=_insist, args=(reading,), name="signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        _state.installed = False
        signal.set_wakeup_fd(wakeup)
        sys.unraisablehook = hook
        os.close(writing)
        thread.join()
        os.close(reading)


def _insist(reading: int) -> None:
    main = threading.main_thread().ident
    assert main is not None
    while told := os.read(reading, 1):
        while told[0] in NUMBERS and _state.installed and signal.getsignal(told[0]) is _on_signal:
            time.sleep(INSIST_S)
            if not _state.came and signal.getsignal(told[0]) is _on_signal:
                signal.siginterrupt(told[0], True)  # noqa: FBT003
                signal.pthread_kill(main, told[0])


def _on_signal(number: int, _frame: FrameType | None) -> None:
    if _state.came:
        return
    _state.came = True
    if _state.held:
        _state.waiting = number
    else:
        raise Ended(number)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
