"""`tradewind worker` with the timings of a test: `python worker.py ROLE... --slot SLOT`."""

from __future__ import annotations

import sys

from runtime.timings import given

from tradewind.infra.cli.processes.worker import run_roles

if __name__ == "__main__":
    *roles, _, slot = sys.argv[1:]
    run_roles(roles, slot, given())
