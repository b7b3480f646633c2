"""The simulator's price paths: functions of the seed and the number of the draw alone, however they are read.

Draws come in chunks of `CHUNK`. Each chunk has its own counter-based generator (Philox, keyed by the seed, counted by
the chunk), so that any chunk can be drawn again from the state before it. In a chunk each instrument is in one regime:

- trend: a drift of `TREND_DRIFT` standard deviations a draw, up or down;
- mean-reverting: pulled back to the price at which the regime began;
- quiet, volatile: with a fraction or a multiple of the usual volatility.

Log prices are pulled weakly to the instrument's usual price, so that a simulator that runs for a year still quotes sane
ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tradewind.connectors.feeds.simulator.sessions import Calendar

CHUNK = 1024  # draws: half a millisecond of work, which is also what is drawn twice after a restart
YEAR_S = 365 * 86_400
TREND, REVERTING, QUIET, VOLATILE = range(4)
VOLATILITY: Final = np.array([0.8, 1.0, 0.35, 2.5])
"""Multiple of the usual volatility in each regime."""
TREND_DRIFT = 0.02  # standard deviations a draw: over 10,000 draws a trend of 200 deviations against noise of 100
REVERSION = 0.002  # a draw: half of a departure is gone after some 350 draws
HOME_PULL = 1e-7  # a draw: at 300 draws a second, half of the way home takes some six hours
REGIME_S = 120.0  # a regime's mean length, seconds at the nominal rate

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Instrument:
    """What is simulated."""

    symbol: str
    price: float
    """Usual price."""
    volatility: float
    """Of a year, as a fraction of the price."""
    tick: float
    """Smallest step of the price."""
    digits: int
    spread_ticks: float
    """Usual spread."""
    lot: float
    """Usual size at a touch, in units."""
    calendar: Calendar


INSTRUMENTS: Final = (
    Instrument("EURUSD", 1.0850, 0.12, 0.00001, 5, 8, 1_000_000, Calendar.FOREX),
    Instrument("XAUUSD", 2400.0, 0.18, 0.01, 2, 25, 100, Calendar.METAL),
    Instrument("BTCUSDT", 60_000.0, 0.60, 0.1, 1, 3, 2, Calendar.ALWAYS),
)


@dataclass(frozen=True, slots=True)
class WalkState:
    """The state before a chunk; one number per instrument."""

    chunk: int
    rate: float
    """Draws a second that the chunk is meant for: it scales the volatility of a draw."""
    log_price: tuple[float, ...]
    level: tuple[float, ...]
    """Log price at which the regime began."""
    regime: tuple[int, ...]
    direction: tuple[int, ...]
    """Of a trend: 1 or -1."""

    def to_fields(self) -> Mapping[str, Any]:
        """Return what JSON can hold; Python writes floats so that they read back exactly."""
        return asdict(self)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> WalkState:
        """Read what `to_fields` gave, lists for tuples."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
        }
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Draws:
    """One chunk of draws."""

    which: npt.NDArray[np.int64]
    """(CHUNK,) index of the instrument that is quoted."""
    mid: Floats
    """(CHUNK,) price between bid and ask, not rounded."""
    calm: Floats
    """(CHUNK,) the regime's multiple of the usual volatility."""
    noise: Floats
    """(CHUNK, 3) standard normals, for the spread and the sizes."""

    def cut(self, start: int, end: int) -> Draws:
        """Return some of the draws."""
        part = slice(start, end)
        return Draws(self.which[part], self.mid[part], self.calm[part], self.noise[part])


def joined(parts: Sequence[Draws]) -> Draws:
    """Return consecutive draws as one."""
    return Draws(
        np.concatenate([part.which for part in parts]),
        np.concatenate([part.mid for part in parts]),
        np.concatenate([part.calm for part in parts]),
        np.concatenate([part.noise for part in parts]),
    )


def initial(rate: float) -> WalkState:
    """Return the state before the first chunk."""
    log_price = tuple(math.log(instrument.price) for instrument in INSTRUMENTS)
    count = len(INSTRUMENTS)
    return WalkState(0, rate, log_price, log_price, (QUIET,) * count, (1,) * count)


def draw(seed: int, state: WalkState) -> tuple[Draws, WalkState]:
    """Return the chunk that follows a state, and the state after it."""
    generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, state.chunk]))
    which = generator.integers(0, len(INSTRUMENTS), CHUNK)
    steps = generator.standard_normal(CHUNK)
    noise = generator.standard_normal((CHUNK, 3))
    switches = generator.random((len(INSTRUMENTS), 3))
    mid, calm = np.empty(CHUNK), np.empty(CHUNK)
    after: list[tuple[float, float, int, int]] = []
    for index, instrument in enumerate(INSTRUMENTS):
        regime, direction, level = _regime(state, index, switches[index])
        mine = which == index
        deviation = _deviation(instrument, state.rate) * VOLATILITY[regime]
        path = _path(
            start=state.log_price[index],
            level=level,
            home=math.log(instrument.price),
            regime=regime,
            direction=direction,
            shocks=steps[mine] * deviation,
            deviation=deviation,
        )
        mid[mine], calm[mine] = np.exp(path), VOLATILITY[regime]
        after.append((float(path[-1]) if len(path) else state.log_price[index], level, regime, direction))
    log_price, levels, regimes, directions = zip(*after, strict=True)
    return Draws(which, mid, calm, noise), WalkState(
        state.chunk + 1, state.rate, log_price, levels, regimes, directions
    )


def _deviation(instrument: Instrument, rate: float) -> float:
    """Return the standard deviation of one draw of an instrument, whose share of the draws is one of `INSTRUMENTS`."""
    return instrument.volatility / math.sqrt(YEAR_S * rate / len(INSTRUMENTS))


def _regime(state: WalkState, index: int, uniform: Floats) -> tuple[int, int, float]:
    """Return the regime, direction and level of a chunk: those before, or, now and then, new ones."""
    if uniform[0] >= CHUNK / state.rate / REGIME_S:
        return state.regime[index], state.direction[index], state.level[index]
    return int(uniform[1] * len(VOLATILITY)), 1 if uniform[2] < 0.5 else -1, state.log_price[index]


def _path(
    *, start: float, level: float, home: float, regime: int, direction: int, shocks: Floats, deviation: float
) -> Floats:
    """Return x[i] = x[i-1] + pull * (target - x[i-1]) + drift + shocks[i], in closed form.

    With d[i] = x[i] - target and a = 1 - pull: d[i] = a^i * (d[0] + sum over k <= i of (drift + shocks[k]) / a^k).
    """
    pull, target = (REVERSION, level) if regime == REVERTING else (HOME_PULL, home)
    drift = direction * TREND_DRIFT * deviation if regime == TREND else 0.0
    decay = (1.0 - pull) ** np.arange(1, len(shocks) + 1)
    return target + decay * (start - target + np.cumsum((shocks + drift) / decay))
