"""A worker with the timings that it is given: `python -P -m tradewind.infra.bench.parts.ai.worker TIMINGS AGENT...`."""

from __future__ import annotations

import json
import sys

from tradewind.infra.cli.processes.worker import run_roles
from tradewind.streams.runtime import Timings

MODULE = "tradewind.infra.bench.parts.ai.worker"

if __name__ == "__main__":
    timings, *agents = sys.argv[1:]
    run_roles(agents, None, Timings(**json.loads(timings)))
