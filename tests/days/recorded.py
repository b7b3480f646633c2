"""Recorded market data: slices that are part of the checkout, and the whole files where they are beside it.

A test of a whole file is skipped, with the file's name, where `../shared/data` has no such file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

SLICES = Path(__file__).resolve().parents[1] / "data"
WHOLE = Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded file, and what is in it."""

    path: Path
    ticks: int
    trades: int = 0
    skipped: int = 0

    def needed(self) -> Path:
        """Return the file's path; skips the test where the file is absent."""
        if not self.path.exists():
            pytest.skip(f"{self.path.name}: the whole recording is not in {self.path.parent}")
        return self.path


EURUSD = Recording(SLICES / "oanda-eurusd-quotes-20140501-part.zip", 4_000)
XAUUSD = Recording(SLICES / "oanda-xauusd-quotes-20140501-part.zip", 6_000)
BTCUSDT = Recording(SLICES / "binance-usdm-btcusdt-20240808-part.gz", 3_117, 569, 314)
WHOLE_EURUSD = Recording(WHOLE / "oanda-eurusd-quotes-20140501.zip", 24_179)
WHOLE_XAUUSD = Recording(WHOLE / "oanda-xauusd-quotes-20140501.zip", 129_744)
WHOLE_BTCUSDT = Recording(WHOLE / "binance-usdm-btcusdt-20240808.gz", 66_089, 21_313, 6_552)
ALL = (EURUSD, XAUUSD, BTCUSDT, WHOLE_EURUSD, WHOLE_XAUUSD, WHOLE_BTCUSDT)
