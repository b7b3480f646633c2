"""Price paths of models, minute by minute: geometric Brownian motion, Merton's jumps, and GARCH(1,1).

In years, with drift m and volatility s:

    gbm      d log S = (m - s^2/2) dt + s dW
    merton   the same + sum of jumps - l (exp(j + d^2/2) - 1) dt; l jumps a year, each normal with mean j, deviation d
    garch    within a minute as gbm, with the variance h of that minute:  h' = w + a r^2 + b h

r is the last minute's logarithmic return without its drift, and w = (1 - a - b) s^2 of a minute, so that s is the
volatility in the long run. The drift of the price is m in all three.

Sources: Robert C. Merton, Option Pricing when Underlying Stock Returns are Discontinuous, Journal of Financial
Economics 3 (1976). Tim Bollerslev, Generalized Autoregressive Conditional Heteroskedasticity, Journal of Econometrics
31 (1986).

A minute has a generator of its own (Philox, keyed by the seed, counted by the minute and the stream). So it is a
function of the state before it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Kind = Literal["gbm", "merton", "garch"]
KINDS: Final[tuple[Kind, ...]] = ("gbm", "merton", "garch")
Floats = npt.NDArray[np.float64]
MINUTE_S: Final = 60.0
YEAR_S: Final = 365 * 86_400.0


@dataclass(frozen=True, slots=True)
class Model:
    """How a price moves; rates are those of a year. Raises `ValueError` for numbers that are no model."""

    kind: Kind
    volatility: float
    """Of the diffusion; of garch, in the long run."""
    drift: float = 0.0
    jumps: float = 2 * 365.0
    """Merton's: how many a year."""
    jump_mean: float = 0.0
    """Of the logarithm."""
    jump_deviation: float = 0.004
    alpha: float = 0.08
    """Of garch: how much of a minute's squared return goes into the next minute's variance."""
    beta: float = 0.90

    def __post_init__(self) -> None:
        sound = self.volatility > 0 and self.jumps >= 0 and self.jump_deviation >= 0
        stable = self.alpha >= 0 and self.beta >= 0 and self.alpha + self.beta < 1
        if self.kind not in KINDS or not sound or not stable:
            raise ValueError(
                f"{self}: use {', '.join(KINDS)}, a volatility above 0, jumps and a deviation of 0 or more, and alpha "
                "and beta of 0 or more whose sum is below 1"
            )

    @property
    def minute_variance(self) -> float:
        """Of the diffusion, in the long run."""
        return self.volatility**2 * MINUTE_S / YEAR_S


@dataclass(frozen=True, slots=True)
class PathState:
    """A path at the beginning of a minute."""

    log_price: float
    variance: float
    """Of the coming minute's diffusion."""


def begin(model: Model, price: float) -> PathState:
    """Return a path's first state."""
    return PathState(math.log(price), model.minute_variance)


def minute(  # noqa: PLR0917 - the last one may be left out
    model: Model, state: PathState, number: int, offsets_s: Floats, seed: int, stream: int = 0
) -> tuple[Floats, PathState]:
    """Return the logarithms of prices at (n,) ascending offsets within minute `number`, and the state at its end.

    Paths of different streams are independent.
    """
    generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, stream, number]))
    spans = np.diff(offsets_s, prepend=0.0, append=MINUTE_S)  # to each offset, and to the end of the minute
    shocks = np.sqrt(state.variance * spans / MINUTE_S) * generator.standard_normal(len(spans))
    drift = (model.drift * MINUTE_S / YEAR_S - state.variance / 2) * spans / MINUTE_S
    steps = shocks + drift
    if model.kind == "merton":
        steps += _jumps(model, spans, generator)
    path = state.log_price + np.cumsum(steps)
    variance = state.variance
    if model.kind == "garch":
        kept = (1 - model.alpha - model.beta) * model.minute_variance
        variance = kept + model.alpha * float(shocks.sum()) ** 2 + model.beta * state.variance
    return path[:-1], PathState(float(path[-1]), variance)


def _jumps(model: Model, spans_s: Floats, generator: np.random.Generator) -> Floats:
    """Return the jumps of spans of time, less what they add to the price on average."""
    rate = model.jumps / YEAR_S
    counts = generator.poisson(rate * spans_s)
    sizes = counts * model.jump_mean + np.sqrt(counts) * model.jump_deviation * generator.standard_normal(len(spans_s))
    mean_jump = math.exp(model.jump_mean + model.jump_deviation**2 / 2) - 1
    found: Floats = sizes - rate * mean_jump * spans_s
    return found
