"""Find the times in a source that cannot be right: one far ahead of its neighbours would make all after it late."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BACKWARD_US = 5_000_000  # sources that merge streams go back by fractions of a second; more is an error of the source

Micros = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def misplaced(times: Micros, reached: int | None) -> tuple[Flags, Flags]:
    """Return which times (n,) of consecutive records jump (ahead, back): both (n,) flags.

    `reached` is the largest time of the records before, µs. A record jumps ahead where it is more than `BACKWARD_US`
    later than the next one, and its predecessor is not: without it the order is right. It jumps back where it is more
    than `BACKWARD_US` earlier than the largest time before it, those that jump ahead apart.
    """
    none = np.zeros(len(times), dtype=np.bool_)
    if len(times) == 0:
        return none, none
    low = np.iinfo(np.int64).min
    start = low if reached is None else reached
    before = np.concatenate(([start], times[:-1]))
    after = np.concatenate((times[1:], [times[-1]]))
    limit = after + BACKWARD_US
    ahead = (times > limit) & (before <= limit)
    if reached is None and len(times) > 2 and times[2] + BACKWARD_US >= times[0]:
        ahead[0] = False  # nothing stands before the first record; the third says that the second is the wrong one
    reached_before = np.maximum.accumulate(np.concatenate(([start], np.where(ahead, low, times)[:-1])))
    # Written without `- BACKWARD_US` on the right: the smallest int64 has nothing below it.
    back = ~ahead & (times + BACKWARD_US < reached_before)
    return ahead, back
