"""A feed with small blocks, which says when one is published: `python feed.py SOURCE RECORDS`."""

from __future__ import annotations

import sys

from tradewind.connectors.feeds import open_feed
from tradewind.connectors.feeds.publishing.run import run_feed
from tradewind.connectors.settings import Settings

if __name__ == "__main__":
    source, records = sys.argv[1:]
    run_feed(
        open_feed(source, sessions=False),
        Settings(),
        on_progress=lambda _: print("block", flush=True),
        block_records=int(records),
    )
