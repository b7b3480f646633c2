"""A worker that runs the market agent alone, under a name of its own, so that each run of a bench starts from nothing.

python -m tradewind.infra.bench.parts.market_worker NAME
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.streams.market import market
from tradewind.streams.runtime import run_agents


def main() -> None:
    """Run until SIGTERM."""
    settings = Settings()
    asyncio.run(run_agents([replace(market(settings), name=sys.argv[1])], settings, open_codec(settings)))


if __name__ == "__main__":
    main()
