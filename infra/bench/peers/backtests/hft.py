"""hftbacktest, which samples the mid at the end of each interval; arguments: QUOTES INTERVAL_S RUNS."""

from __future__ import annotations

import numpy as np
import polars as pl
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTC,
    LOCAL_EVENT,
    MARKET,
    SELL_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from measured import FAST, SLOW, measure, quotes
from numba import njit

LATENCY_NS = 50_000_000
TICK, LOT, SIZE = 0.001, 1.0, 1_000_000.0


@njit
def play(hbt: HashMapMarketDepthBacktest, interval_ns: int, quoted: np.ndarray) -> int:
    """Turn around at each turn of the averages; return how many orders were sent."""
    fast = slow = 0.0
    bars = side = sent = 0
    at = -1
    while hbt.elapse(interval_ns) == 0:
        at += 1
        if at >= len(quoted) or not quoted[at]:
            continue  # silence makes no bar
        depth = hbt.depth(0)
        close = (depth.best_bid + depth.best_ask) / 2
        bars += 1
        if bars == 1:
            fast = slow = close
            continue
        fast += 2 / (FAST + 1) * (close - fast)
        slow += 2 / (SLOW + 1) * (close - slow)
        if bars < SLOW:
            continue
        now = 1 if fast > slow else -1
        if now == side:
            continue
        quantity = LOT if side == 0 else 2 * LOT
        side = now
        hbt.clear_inactive_orders(0)
        if side > 0:
            hbt.submit_buy_order(0, sent, depth.best_ask, quantity, GTC, MARKET, False)  # noqa: FBT003 - compiled code takes no names
        else:
            hbt.submit_sell_order(0, sent, depth.best_bid, quantity, GTC, MARKET, False)  # noqa: FBT003 - compiled code takes no names
        sent += 1
    return sent


def depth_of(frame: pl.DataFrame) -> np.ndarray:
    """Return quotes as a book of one level: each quote removes the levels of the one before, and adds its own."""
    times = frame["ts_event"].to_numpy() * 1_000
    events = np.zeros(4 * len(times), event_dtype)
    for at, (flag, prices, quantity) in enumerate(
        (
            (BUY_EVENT, frame["bid"].shift(1, fill_value=frame["bid"][0]), 0.0),
            (SELL_EVENT, frame["ask"].shift(1, fill_value=frame["ask"][0]), 0.0),
            (BUY_EVENT, frame["bid"], SIZE),
            (SELL_EVENT, frame["ask"], SIZE),
        )
    ):
        events["ev"][at::4] = DEPTH_EVENT | EXCH_EVENT | LOCAL_EVENT | flag
        events["exch_ts"][at::4] = events["local_ts"][at::4] = times
        events["px"][at::4], events["qty"][at::4] = prices.to_numpy(), quantity
    return events


def main() -> None:
    """Measure; the first run, which compiles, does not count."""
    frame, interval_s, runs = quotes()
    events, interval_ns = depth_of(frame), interval_s * 1_000_000_000
    quoted = np.bincount((events["exch_ts"] - events["exch_ts"][0]) // interval_ns) > 0

    def run() -> int:
        asset = (
            BacktestAsset()
            .data([events])
            .linear_asset(1.0)
            .constant_order_latency(LATENCY_NS, LATENCY_NS)
            .risk_adverse_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(0.0, 0.0)
            .tick_size(TICK)
            .lot_size(LOT)
        )
        hbt = HashMapMarketDepthBacktest([asset])
        play(hbt, interval_ns, quoted)
        fills = int(hbt.state_values(0).num_trades)
        hbt.close()
        return fills

    run()
    measure(run, runs)


if __name__ == "__main__":
    main()
