"""The state of one agent in a backtest: values by key, in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from tradewind.schemas.event import Event

E = TypeVar("E", bound=Event)


class BacktestState:
    """What a processor keeps, without a changelog. Nothing is ever taken back, so writes are kept at once."""

    def __init__(self) -> None:
        self.values: dict[str, Event] = {}

    def get(self, key: str, model: type[E]) -> E | None:  # noqa: ARG002 - the processors' signature
        """Return the value, or None if there is none."""
        return self.values.get(key)  # type: ignore[return-value]  # a key has one model

    def put(self, key: str, value: Event) -> None:
        """Set a value."""
        self.values[key] = value

    def delete(self, key: str) -> None:
        """Remove a value. If there is none, do nothing."""
        self.values.pop(key, None)

    def keys(self, prefix: str) -> Iterator[str]:
        """Iterate over the keys with a prefix, sorted."""
        return iter(sorted(key for key in self.values if key.startswith(prefix)))
