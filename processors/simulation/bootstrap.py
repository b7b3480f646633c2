"""The stationary bootstrap: a series drawn again in blocks of random length, so that what lies close stays together.

Each drawn series has the length n of the original. It begins at a random place. After each value, it goes on with the
next one with probability 1 - 1/b, and else at a random place; after the last value comes the first. So blocks have the
mean length b, and the drawn series is stationary.

Source: Dimitris N. Politis and Joseph P. Romano, The Stationary Bootstrap, Journal of the American Statistical
Association 89 (1994). The default b = n^(1/3) grows at the rate that their section 4.3 finds best for a mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
MOST_DRAWS: Final = 100_000
AT_ONCE: Final = 2_000_000
"""Values that are drawn at once: some 50 MB."""


def mean_block(count: int) -> float:
    """Return the mean length of blocks for a series of `count` values, unless told otherwise."""
    return max(1.0, float(np.cbrt(count)))


def drawn(values: Floats, draws: int, block: float, seed: int) -> Iterator[Floats]:
    """Yield `draws` series of (n,) values, drawn again in blocks of mean length `block`, as (k, n) arrays.

    Raises `ValueError` for no values, or numbers that are out of range.
    """
    count = len(values)
    if not count or not 1 <= draws <= MOST_DRAWS or not 1 <= block < np.inf:
        raise ValueError(
            f"{draws:,} draws of {count:,} values in blocks of {block:g}: give a value, 1 to {MOST_DRAWS:,} draws, and "
            "blocks of 1 or more"
        )
    generator = np.random.Generator(np.random.Philox(key=seed))
    at_once = max(1, AT_ONCE // count)
    for first in range(0, draws, at_once):
        yield values[_places(generator, min(at_once, draws - first), count, block)]


def _places(generator: np.random.Generator, draws: int, count: int, block: float) -> npt.NDArray[np.int64]:
    """Return (draws, count) places of values."""
    steps = np.arange(count)
    jumps = generator.random((draws, count)) < 1 / block
    jumps[:, 0] = True
    starts = generator.integers(0, count, (draws, count))
    begun = np.maximum.accumulate(np.where(jumps, steps, 0), axis=1)
    places: npt.NDArray[np.int64] = (np.take_along_axis(starts, begun, axis=1) + steps - begun) % count
    return places
