"""Memories of strategies while a segment is processed: each is decoded from JSON once, and encoded once.

A strategy may leave only what JSON restores exactly, in each call. That is so, without asking JSON, where all parts are
plain: finite floats, integers of 64 bits, texts, true, false, null, and lists and dicts of them, each in one place.
Whatever else there is goes through JSON after the call, as if it had been stored and read.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tradewind.processors.batch import State
from tradewind.processors.signals.deployed import MEMORY, Deployed
from tradewind.processors.signals.strategy import JSON
from tradewind.processors.signals.tracked import Tracked
from tradewind.schemas.signals import StrategyState

MEMORY_BYTES: Final = 65_536  # of JSON: it is written to the changelog with each batch of bars
LONGEST_NUMBER: Final = 26  # characters of a float or an integer of 64 bits, with what stands between
LONGEST_CHARACTER: Final = 12  # of JSON: a character beyond 16 bits is two escapes
SMALLEST_INT, LARGEST_INT = -(2**63), 2**63 - 1
DEEPEST: Final = 8  # levels that are looked at without JSON


@dataclass(slots=True)
class Memory:
    """What a strategy remembers of an instrument."""

    values: dict[str, JSON]
    before: StrategyState | None
    """As the state has it."""
    changed: bool = False
    flat: bool = False
    """Whether the values are known to hold no lists and dicts."""
    _earlier: dict[str, JSON] | bytes = b""

    def begin(self) -> dict[str, JSON]:
        """Return the values for a call to change, and keep them as they are for `undo`."""
        self._earlier = dict(self.values) if self.flat else marshal.dumps(self.values)
        return self.values

    def check(self) -> None:
        """Take in what a call left; raises `ValueError` or `TypeError` if JSON would not restore it exactly."""
        seen = {id(self.values)}
        longest = _of_dict(self.values, seen, DEEPEST)
        self.flat = len(seen) == 1 and longest is not None
        if longest is None or longest > MEMORY_BYTES:
            self.values = _restored(self.values)
        self.changed = True

    def undo(self) -> None:
        """Return to what was there before the call, which failed."""
        earlier = self._earlier
        self.values = marshal.loads(earlier) if isinstance(earlier, bytes) else earlier  # noqa: S302 - of `begin`


class Memories:
    """The memories that a segment's calls use, over the task's state; `close` writes those that changed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._known: dict[tuple[str, str], tuple[Memory, Deployed, Tracked]] = {}

    def of(self, deployed: Deployed, on: Tracked) -> Memory:
        """Return the memory of a deployment and an instrument."""
        known = self._known.get((deployed.run, on.name))
        if known is None:
            before = self._state.get(_key(deployed, on), StrategyState)
            values = {} if before is None else json.loads(before.memory)
            known = self._known[deployed.run, on.name] = Memory(values, before), deployed, on
        return known[0]

    def close(self) -> None:
        """Write what changed."""
        for key, kept in self._changed():
            self._state.put(key, kept)

    def _changed(self) -> Iterator[tuple[str, StrategyState]]:
        for memory, deployed, on in self._known.values():
            if memory.changed:
                text = json.dumps(memory.values, allow_nan=False)
                if memory.before is None or text != memory.before.memory:
                    yield _key(deployed, on), _kept(deployed, on, text)


def _key(deployed: Deployed, on: Tracked) -> str:
    return f"{MEMORY}{deployed.run}/{on.name}"


def _kept(deployed: Deployed, on: Tracked, text: str) -> StrategyState:
    return StrategyState(
        tenant_id=deployed.deployment.tenant_id,
        account_id=deployed.deployment.account_id,
        deployment=deployed.deployment.deployment,
        strategy=deployed.strategy.name,
        symbol=on.symbol,
        venue=on.venue,
        memory=text,
    )


def _restored(values: dict[str, JSON]) -> dict[str, JSON]:
    text = json.dumps(values, allow_nan=False)
    if len(text) > MEMORY_BYTES:  # ASCII: a character is a byte
        raise ValueError(f"memory takes {len(text):,} bytes of JSON; the limit is {MEMORY_BYTES:,}")
    restored: dict[str, JSON] = json.loads(text)
    if restored != values:
        raise ValueError("memory is not what JSON restores: use lists for tuples, and str for the keys of dicts")
    return restored


def _of_dict(values: dict[str, JSON], seen: set[int], levels: int) -> int | None:
    """Return the most bytes of JSON that values take; None where they are not plain. Adds lists and dicts to `seen`."""
    total = 2
    for name, value in values.items():
        if type(name) is not str:
            return None
        longest = _of_value(value, seen, levels)
        if longest is None:
            return None
        total += LONGEST_CHARACTER * len(name) + LONGEST_NUMBER + longest
    return total


def _of_value(value: JSON, seen: set[int], levels: int) -> int | None:
    kind = type(value)
    if kind is float:
        return LONGEST_NUMBER if value - value == 0.0 else None  # not of infinities and NaN
    if kind is int:
        return LONGEST_NUMBER if SMALLEST_INT <= value <= LARGEST_INT else None
    if value is None or kind is bool:
        return LONGEST_NUMBER
    if kind is str:
        return LONGEST_CHARACTER * len(value) + LONGEST_NUMBER
    if kind not in {list, dict} or id(value) in seen or not levels:
        return None
    seen.add(id(value))
    if kind is dict:
        return _of_dict(value, seen, levels - 1)
    total = 2
    for one in value:
        longest = _of_value(one, seen, levels - 1)
        if longest is None:
            return None
        total += longest
    return total
