"""Where a partition is read from: what is known of it against what is left of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Start:
    """A start position, and what is wrong with it."""

    offset: int
    lost: int = 0
    """Offsets that are gone: they were never written, and cannot be."""
    problem: str | None = None


def start_position(known: int | None, low: int, high: int) -> Start:
    """Return where to start: at `known`, the position after what is written (None: nothing is), from low to high."""
    if known is None:
        return Start(low)
    if known < low:
        reason = f"offsets {known} to {low - 1} were removed by the topic's retention before they were written"
        return Start(low, low - known, f"{reason}: give the topic more room, or see why the sink was away")
    if known > high:
        reason = f"position {known} is behind the end {high}: the topic was deleted and created again, or lost data"
        return Start(low, 0, f"{reason}; starting over from {low}, which changes nothing that is written already")
    return Start(known)
