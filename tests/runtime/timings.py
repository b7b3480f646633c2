"""Short timings for tests that wait for a killed worker's session or transaction to run out, and their way to workers.

A worker that a test starts as a process of its own reads them from a variable of the tests, which no product code
knows.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict

from tradewind.streams.runtime import Timings

SHORT = Timings(session_s=1.5, transaction_s=2.0)
"""A worker that lives may lose such a session on a busy machine: it joins again, and nothing is lost but time."""
CALM = Timings(session_s=4.0, transaction_s=2.0)
"""For a test that claims that a worker keeps its session."""
VARIABLE = "TRADEWIND_TEST_TIMINGS"


def variables(timings: Timings) -> dict[str, str]:
    """Return the environment that gives a worker's process these timings."""
    return {VARIABLE: json.dumps(asdict(timings))}


def given() -> Timings:
    """Return the timings that this process was started with; the usual ones where none were given."""
    return Timings(**json.loads(os.environ.get(VARIABLE, "{}")))
