"""Runs the services of a data folder in the foreground until SIGTERM or Ctrl-C.

python -m tradewind.infra.services --data FOLDER [--base-port N | --free-ports] [--brokers 1..3]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import NoReturn

from tradewind.connectors.settings import DEFAULT_DATA, Settings, SettingsRefused
from tradewind.infra.services.ending import ended_by_signals
from tradewind.infra.services.ports import DEFAULT_BASE
from tradewind.infra.services.service import ServiceError
from tradewind.infra.services.stack import Stack, Step

TEND_S = 2.0


def main() -> int:
    """Start, print where each service listens, wait for SIGINT, SIGTERM or SIGHUP, stop."""
    parser = argparse.ArgumentParser(prog="python -m tradewind.infra.services", description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--base-port", type=int, default=DEFAULT_BASE)
    parser.add_argument("--free-ports", action="store_true")
    parser.add_argument("--brokers", type=int, default=1)
    given = parser.parse_args()
    base = None if given.free_ports else given.base_port
    try:
        settings = Settings(data=given.data)
    except SettingsRefused as error:
        parser.error(str(error))
    stack = Stack(given.data, settings, base, _say, brokers=given.brokers)
    with ended_by_signals():
        try:
            _run(stack)
        except KeyboardInterrupt:
            return 130
        except ServiceError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        finally:
            stack.stop()


def _run(stack: Stack) -> NoReturn:
    begun = time.monotonic()
    stack.start()
    print(f"up in {time.monotonic() - begun:.1f} s", flush=True)
    while True:
        time.sleep(TEND_S)
        stack.tend()
        for name in stack.dead():
            print(f"{name} ended: starting it again", flush=True)
            _say(Step(name, running=stack.restart(name)))


def _say(step: Step) -> None:
    if step.running is not None:
        one = step.running
        print(f"{one.name} {one.version} at {one.url} (pid {one.pid}) in {one.ready_s:.1f} s", flush=True)
    elif step.fetched is not None and step.fetched.bytes == step.fetched.bytes_total:
        print(f"fetched {step.fetched.files} of {step.fetched.files_total} files", flush=True)


if __name__ == "__main__":
    sys.exit(main())
