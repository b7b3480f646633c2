"""A signal ends a command whatever its main thread does, once, and not within what must not be divided."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAD = """
import os, signal, sys, threading, time
from tradewind.infra.services.ending import Ended, ended_by_signals, undivided
"""
MISSED = """
def late():
    time.sleep(0.3)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)  # this thread takes it: the main thread is not woken
    time.sleep(60)
with ended_by_signals():
    threading.Thread(target=late, daemon=True).start()
    threading.Lock().acquire() and threading.Event().wait()
"""
RESTARTED = """
with ended_by_signals():
    signal.siginterrupt(signal.SIGTERM, False)  # as polars does it with SIGINT
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    threading.Event().wait()
"""
DROPPED = """
class Closing:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            pass
with ended_by_signals():
    Closing()
    time.sleep(60)
"""
UNDIVIDED = """
with ended_by_signals():
    with undivided():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.3)
        print("whole", flush=True)
    print("too far", flush=True)
"""
CLEANING = """
with ended_by_signals():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(os.getpid(), number)
            time.sleep(0.2)
        print("clean", flush=True)
"""
NESTED = """
with ended_by_signals():
    with ended_by_signals():
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""

HEARD = """
heard = []
def ask(number, _frame):
    heard.append(number)
    signal.signal(number, signal.SIG_DFL)
with ended_by_signals():
    signal.signal(signal.SIGTERM, ask)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(1)
    print(heard == [signal.SIGTERM], flush=True)
    raise Ended(signal.SIGTERM)
"""


def ran(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, which ends by `Ended`."""
    done = subprocess.run(
        [sys.executable, "-c", HEAD + code],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        start_new_session=True,
    )
    assert "tradewind.infra.services.ending.Ended: SIGTERM" in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("code", [MISSED, RESTARTED, DROPPED, NESTED], ids=["missed", "restarted", "dropped", "nested"])
def test_no_signal_is_lost(code: str) -> None:
    """Neither one that does not wake the main thread, nor one whose handler lets waits go on, nor in a destructor."""
    ran(code)


def test_what_must_not_be_divided_comes_to_its_end() -> None:
    """And nothing after it."""
    assert ran(UNDIVIDED).stdout == "whole\n"


def test_cleaning_up_is_not_broken_off() -> None:
    """By no other signal."""
    assert ran(CLEANING).stdout == "clean\n"


def test_handlers_are_put_back() -> None:
    """A command that is run in a process, as tests do it, changes nothing for those that follow."""
    code = HEAD + "with ended_by_signals():\n    pass\nassert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_command_that_hears_a_signal_itself_hears_it_once() -> None:
    """A feed ends in order at the first signal and at once at the second: one that is repeated would kill it."""
    assert ran(HEARD).stdout.strip() == "True"
