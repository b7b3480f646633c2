"""Processes import what they use: the gateway's packages, and Faust, take half a second each."""

from __future__ import annotations

import subprocess
import sys

GATEWAY = ("fastapi", "starlette", "uvicorn", "picows", "jwt")
LISTED = """
import sys
import tradewind.infra.cli.group
from tradewind import Settings
from tradewind.streams.agents import OURS
[agent.declare(Settings(_env_file=None)) for agent in OURS]
"""
PROGRAM = """
import sys
import tradewind.infra.cli.group
import tradewind.infra.cli.processes.worker, tradewind.infra.cli.processes.sink, tradewind.infra.cli.processes.feed
import tradewind.streams.market, tradewind.connectors.sinks.postgres, tradewind.infra.up.supervisor
"""


def imported(program: str, names: tuple[str, ...]) -> list[str]:
    """Return which packages a program imports."""
    told = f"{program}\nprint(*[name for name in {names!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", told], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()


def test_no_other_process_imports_the_gateway_s_packages() -> None:
    """Neither does `up`, whose memory is small."""
    assert imported(PROGRAM, GATEWAY) == []


def test_commands_that_list_agents_do_not_import_faust() -> None:
    """Such as `consume`, `status` and `topics`: a person waits for them."""
    assert imported(LISTED, ("faust", *GATEWAY)) == []
