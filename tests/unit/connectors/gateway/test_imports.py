"""Workers, sinks and feeds start without the packages of the gateway, which take half a second."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("fastapi", "starlette", "uvicorn", "picows", "jwt")
PROGRAM = """
import sys
import tradewind.infra.cli.group
import tradewind.infra.cli.processes.worker, tradewind.infra.cli.processes.sink, tradewind.infra.cli.processes.feed
import tradewind.streams.market, tradewind.connectors.sinks.postgres, tradewind.infra.up.supervisor
print([name for name in {heavy!r} if name in sys.modules])
"""


def test_no_other_process_imports_the_gateway_s_packages() -> None:
    """Neither does `up`, whose memory is small."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM.format(heavy=HEAVY)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "[]"
