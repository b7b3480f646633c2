"""A feed of a given number of simulated ticks, as fast as they go.

python -m tradewind.infra.bench.parts.simulated_feed SEED TICKS
"""

from __future__ import annotations

import sys

from tradewind.connectors.feeds.publishing.run import run_feed
from tradewind.connectors.feeds.simulator.simulator import Simulator
from tradewind.connectors.settings import Settings

BEGIN_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
DAY_US = 86_400_000_000


def main() -> None:
    """Publish them all; each seed is a feed of its own, on a day of its own."""
    seed, ticks = int(sys.argv[1]), int(sys.argv[2])
    simulator = Simulator(seed=seed, start_us=BEGIN_US + seed * 30 * DAY_US, count=ticks, sessions=False)
    run_feed(simulator, Settings(), speed=None)


if __name__ == "__main__":
    main()
