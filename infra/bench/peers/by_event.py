"""Ticks to bars one event at a time, in plain Python: what the peers run for each record.

The state is a dict without a changelog and the guarantee is at-least-once: cheaper than what the market agent does.
"""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import fastavro

INTERVALS_US = (1_000_000, 60_000_000)
GRACE_US = 500_000
FRAME = b"\x00\x00\x00\x00\x01"
Bar = dict[str, Any]


def plain(schema: Any) -> Any:
    """Return a schema without timestamps' logical type, so that times stay whole numbers as in Tradewind."""
    if isinstance(schema, dict):
        kept = {name: plain(value) for name, value in schema.items()}
        return {name: value for name, value in kept.items() if value != "timestamp-micros"}
    return [plain(part) for part in schema] if isinstance(schema, list) else schema


class BarsByEvent:
    """Decodes ticks, keeps the open bars of each instrument, and returns the encoded bars that a tick closes."""

    def __init__(self, schemas: Path) -> None:
        self.tick = fastavro.parse_schema(plain(json.loads((schemas / "market/tick.v1.avsc").read_text("utf-8"))))
        self.bar = fastavro.parse_schema(plain(json.loads((schemas / "market/bar.v1.avsc").read_text("utf-8"))))
        self.watermarks: dict[str, int] = {}
        self.open: dict[str, dict[tuple[int, int], Bar]] = {}

    def on_tick(self, value: bytes) -> list[bytes]:
        """Take one framed tick; return the framed bars that it closes."""
        tick: Any = fastavro.schemaless_reader(io.BytesIO(value[5:]), self.tick, None)
        name = f"{tick['symbol']}.{tick['venue']}"
        watermark = max(self.watermarks.get(name, 0), tick["ts_event"])
        self.watermarks[name] = watermark
        bars = self.open.setdefault(name, {})
        for interval in INTERVALS_US:
            start = tick["ts_event"] // interval * interval
            bar = bars.get((interval, start))
            if bar is None:
                bars[(interval, start)] = self.opened(tick, interval, start)
            else:
                update(bar, tick)
        due = sorted(key for key in bars if key[0] + key[1] + GRACE_US <= watermark)
        return [self.encoded(bars.pop(key), watermark) for key in due]

    def opened(self, tick: Any, interval: int, start: int) -> Bar:
        """Return a bar of one tick."""
        bar: Bar = {
            "event_id": f"{tick['symbol']}{interval}{start}",
            "tenant_id": None,
            "ts_ingest": tick["ts_event"],
            "correlation_id": "",
            "causation_id": "",
            "symbol": tick["symbol"],
            "venue": tick["venue"],
            "interval_s": interval // 1_000_000,
            "ts_start": start,
            "ts_end": start + interval,
            "revision": 0,
            "count": 1,
            "volume": ((tick["bid_size"] or 0.0) + (tick["ask_size"] or 0.0)) / 2,
            "spread_sum": tick["ask"] - tick["bid"],
            "quote_ts": tick["ts_event"],
        }
        for side, price in (("mid", (tick["bid"] + tick["ask"]) / 2), ("bid", tick["bid"]), ("ask", tick["ask"])):
            for part in ("open", "high", "low", "close"):
                bar[f"{side}_{part}"] = price
        return bar

    def encoded(self, bar: Bar, watermark: int) -> bytes:
        """Return a closed bar, framed."""
        out = io.BytesIO(FRAME)
        out.seek(len(FRAME))
        fastavro.schemaless_writer(
            out, self.bar, bar | {"ts_event": watermark, "spread_mean": bar["spread_sum"] / bar["count"]}
        )
        return out.getvalue()


def update(bar: Bar, tick: Any) -> None:
    """Add a tick to an open bar."""
    for side, price in (("mid", (tick["bid"] + tick["ask"]) / 2), ("bid", tick["bid"]), ("ask", tick["ask"])):
        bar[f"{side}_high"] = max(bar[f"{side}_high"], price)
        bar[f"{side}_low"] = min(bar[f"{side}_low"], price)
        bar[f"{side}_close"] = price
    bar["count"] += 1
    bar["volume"] += ((tick["bid_size"] or 0.0) + (tick["ask_size"] or 0.0)) / 2
    bar["spread_sum"] += tick["ask"] - tick["bid"]
    bar["quote_ts"] = tick["ts_event"]


class Progress:
    """Says on standard output when the warm-up is over and when all is done, as `mark COUNT SECONDS`."""

    def __init__(self, warm_up: int, total: int) -> None:
        self.marks = {warm_up, total}
        self.count = 0

    def tick(self) -> None:
        """Count one tick."""
        self.count += 1
        if self.count in self.marks:
            print("mark", self.count, time.monotonic(), file=sys.__stdout__, flush=True)  # Faust redirects the other
