"""NautilusTrader on quotes, with bars of mids that it makes itself; arguments: QUOTES INTERVAL_S RUNS."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pandas as pd
from measured import Crossover, measure, quotes
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.models import LatencyModel
from nautilus_trader.config import BacktestEngineConfig, DataEngineConfig, LoggingConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import Cfd
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import QuoteTickDataWrangler
from nautilus_trader.trading.strategy import Strategy

LATENCY_NS = 50_000_000
CASH = 10_000_000


class Cross(Strategy):
    """Turns around at each turn of the averages."""

    def __init__(self, instrument: Any, bar_type: BarType) -> None:
        """Take what to trade."""
        super().__init__()
        self.traded, self.bars = instrument, bar_type
        self.crossover, self.orders = Crossover(), 0

    def on_start(self) -> None:
        """Ask for bars."""
        self.subscribe_bars(self.bars)

    def on_bar(self, bar: Any) -> None:
        """Look at a bar."""
        side = self.crossover.turned(bar.close.as_double())
        if side:
            quantity = self.traded.make_qty(1 if self.orders == 0 else 2)
            self.orders += 1
            sides = OrderSide.BUY if side > 0 else OrderSide.SELL
            self.submit_order(self.order_factory.market(self.traded.id, sides, quantity))


def gold(venue: Venue) -> Any:
    """Return spot gold."""
    from nautilus_trader.model.enums import AssetClass  # noqa: PLC0415

    return Cfd(
        instrument_id=InstrumentId(Symbol("XAUUSD"), venue),
        raw_symbol=Symbol("XAUUSD"),
        asset_class=AssetClass.COMMODITY,
        quote_currency=USD,
        price_precision=3,
        size_precision=0,
        price_increment=Price(0.001, 3),
        size_increment=Quantity(1, 0),
        margin_init=Decimal(0),
        margin_maint=Decimal(0),
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
        ts_event=0,
        ts_init=0,
    )


def main() -> None:
    """Measure: an engine for each run, whose making does not count."""
    frame, interval_s, runs = quotes()
    venue = Venue("OANDA")
    instrument = gold(venue)
    index = pd.to_datetime(frame["ts_event"].to_numpy(), unit="us", utc=True)
    data = pd.DataFrame({"bid_price": frame["bid"].to_numpy(), "ask_price": frame["ask"].to_numpy()}, index=index)
    ticks = QuoteTickDataWrangler(instrument).process(data)
    step = f"{interval_s // 60}-MINUTE" if interval_s >= 60 else f"{interval_s}-SECOND"
    bar_type = BarType.from_str(f"{instrument.id}-{step}-MID-INTERNAL")

    def prepared() -> BacktestEngine:
        engine = BacktestEngine(
            BacktestEngineConfig(
                logging=LoggingConfig(bypass_logging=True),
                data_engine=DataEngineConfig(time_bars_build_with_no_updates=False),  # silence makes no bar
            )
        )
        engine.add_venue(
            venue=venue,
            oms_type=OmsType.NETTING,
            account_type=AccountType.MARGIN,
            base_currency=USD,
            starting_balances=[Money(CASH, USD)],
            latency_model=LatencyModel(LATENCY_NS),
        )
        engine.add_instrument(instrument)
        engine.add_data(ticks)
        engine.add_strategy(Cross(instrument, bar_type))
        return engine

    engines = [prepared() for _ in range(runs)]

    def run() -> int:
        engine = engines.pop()
        engine.run()
        fills = len(engine.trader.generate_order_fills_report())
        engine.dispose()
        return fills

    measure(run, runs)


if __name__ == "__main__":
    main()
