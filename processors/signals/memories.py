"""Memories of strategies while a segment is processed: each is decoded from JSON once, and encoded once.

A strategy may leave only what JSON restores exactly, in each call. That is so, without asking JSON, where all parts are
plain: finite floats, integers of 64 bits, texts of ASCII, true, false, null, and lists and dicts of them, each in one
place. Whatever else there is goes through JSON after the call. A strategy may hold the lists that it leaves, so each
call gets others: what it does to those that it holds changes no memory, wherever segments are cut.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tradewind.processors.batch import State
from tradewind.processors.signals.deployed import MEMORY, Deployed
from tradewind.processors.signals.strategy import JSON, View
from tradewind.processors.signals.tracked import Tracked
from tradewind.schemas.signals import StrategyState

MEMORY_BYTES: Final = 65_536  # of JSON: it is written to the changelog with each batch of bars
LONGEST_NUMBER: Final = 30  # characters of a float or an integer of 64 bits, with what stands around
LONGEST_CHARACTER: Final = 6  # of JSON: a control character is an escape
MOST_CHARACTERS: Final = MEMORY_BYTES // 2 // LONGEST_CHARACTER
SMALL_INT: Final = 2**30  # below it, Python compares fastest
SMALLEST_INT, LARGEST_INT = -(2**63), 2**63 - 1
DEEPEST: Final = 8  # levels that are looked at without JSON


@dataclass(slots=True)
class Memory:
    """What a strategy remembers of an instrument. Each call gets values of its own, as if they had been stored."""

    before: StrategyState | None
    """As the state has it."""
    changed: bool = False
    ahead: Mapping[int, View] | None = None
    """Views on bars of the segment, by their places, where all of them have been looked at."""
    _kept: dict[str, JSON] | bytes | str = field(default_factory=dict)
    """Plain values without lists and dicts; other plain values, marshalled; or JSON."""
    _names: frozenset[str] | None = None
    """The names that the newest call left, where they are plain: most calls leave those that they found."""

    @classmethod
    def of(cls, before: StrategyState | None) -> Memory:
        """Return what the state has; nothing, if it has none."""
        return cls(None) if before is None else cls(before, _kept=before.memory)

    def begin(self) -> dict[str, JSON]:
        """Return the values, for a call to change; `keep` takes them if the call is sound."""
        kept = self._kept
        if isinstance(kept, dict):
            return dict(kept)
        values: dict[str, JSON] = json.loads(kept) if isinstance(kept, str) else marshal.loads(kept)  # noqa: S302 - of `keep`
        return values

    def keep(self, values: dict[str, JSON]) -> None:
        """Take in what a call left; raises `ValueError` or `TypeError` if JSON would not restore it exactly."""
        if values.keys() != self._names:
            self._names = _plain_names(values)
        self._kept = values if self._names is not None and _is_flat(values) else _frozen(values)
        self.changed = True

    def reset(self) -> None:
        """Return to what was there before the segment."""
        self._kept = {} if self.before is None else self.before.memory
        self.changed, self.ahead = False, None

    def text(self) -> str:
        """Return the values as JSON."""
        return self._kept if isinstance(self._kept, str) else json.dumps(self.begin(), allow_nan=False)


class Memories:
    """The memories that a segment's calls use, over the task's state; `close` writes those that changed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._known: dict[tuple[str, str], tuple[Memory, Deployed, Tracked]] = {}

    def of(self, deployed: Deployed, on: Tracked) -> Memory:
        """Return the memory of a deployment and an instrument."""
        known = self._known.get((deployed.run, on.name))
        if known is None:
            memory = Memory.of(self._state.get(key_of(deployed, on), StrategyState))
            known = self._known[deployed.run, on.name] = memory, deployed, on
        return known[0]

    def close(self) -> None:
        """Write what changed."""
        for memory, deployed, on in self._known.values():
            if memory.changed:
                text = memory.text()
                if memory.before is None or text != memory.before.memory:
                    self._state.put(key_of(deployed, on), stored(deployed, on, text))


def key_of(deployed: Deployed, on: Tracked) -> str:
    """Return the key of a memory in the state."""
    return f"{MEMORY}{deployed.run}/{on.name}"


def stored(deployed: Deployed, on: Tracked, text: str) -> StrategyState:
    """Return a memory as the state has it."""
    return StrategyState(
        tenant_id=deployed.deployment.tenant_id,
        account_id=deployed.deployment.account_id,
        deployment=deployed.deployment.deployment,
        strategy=deployed.strategy.name,
        symbol=on.symbol,
        venue=on.venue,
        memory=text,
    )


def _plain_names(values: dict[str, JSON]) -> frozenset[str] | None:
    """Return the names of values; None if JSON does not restore them, or if they are half of what a memory may hold."""
    characters = 0
    for name in values:
        if type(name) is not str or not name.isascii():
            return None
        characters += len(name)
    longest = LONGEST_CHARACTER * characters + 2 * LONGEST_NUMBER * (len(values) + 1)
    return frozenset(values) if longest <= MEMORY_BYTES // 2 else None


def _is_flat(values: dict[str, JSON]) -> bool:
    """Return whether JSON restores values of plain names exactly, and they hold no lists and dicts: most memories."""
    characters = 0
    for value in values.values():
        kind = type(value)
        if kind is float:
            if value - value:  # NaN for infinities and NaN
                return False
        elif kind is int:
            if not -SMALL_INT < value < SMALL_INT and not SMALLEST_INT <= value <= LARGEST_INT:
                return False
        elif kind is str:
            if not value.isascii():
                return False
            characters += len(value)
        elif value is not None and kind is not bool:
            return False
    return characters <= MOST_CHARACTERS


def _frozen(values: dict[str, JSON]) -> bytes | str:
    """Return values as bytes that nobody else holds; raises as `Memory.keep`."""
    longest = _of_dict(values, {id(values)}, DEEPEST)
    if longest is not None and longest <= MEMORY_BYTES:
        return marshal.dumps(values)
    text = json.dumps(values, allow_nan=False)
    if len(text) > MEMORY_BYTES:  # ASCII: a character is a byte
        raise ValueError(f"memory takes {len(text):,} bytes of JSON; the limit is {MEMORY_BYTES:,}")
    if json.loads(text) != values:
        raise ValueError("memory is not what JSON restores: use lists for tuples, and str for the keys of dicts")
    return text


def _of_dict(values: dict[str, JSON], seen: set[int], levels: int) -> int | None:
    """Return the most bytes of JSON that values take; None where they are not plain. Adds lists and dicts to `seen`."""
    total = LONGEST_NUMBER
    for name, value in values.items():
        if type(name) is not str or not name.isascii():
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
        return LONGEST_CHARACTER * len(value) + LONGEST_NUMBER if value.isascii() else None
    if kind not in {list, dict} or id(value) in seen or not levels:
        return None
    seen.add(id(value))
    if kind is dict:
        return _of_dict(value, seen, levels - 1)
    total = LONGEST_NUMBER
    for one in value:
        longest = _of_value(one, seen, levels - 1)
        if longest is None:
            return None
        total += longest
    return total
