"""Agents that tenants concern, as a worker of its own: `python tenants_worker.py NAME...`; it says when it is ready."""

from __future__ import annotations

import asyncio
import logging
import sys

from runtime.timings import given
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.streams.agents import agents
from tradewind.streams.runtime import run_agents

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s.%(msecs)03d %(name)s %(levelname)s %(message)s")
    settings = Settings(_env_file=None)
    run = [agents()[name].declare(settings) for name in sys.argv[1:]]
    asyncio.run(
        run_agents(run, settings, open_codec(settings), on_ready=lambda: print("ready", flush=True), timings=given())
    )
