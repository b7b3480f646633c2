"""The base of every event model: an immutable record with the name of its schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

US_PER_MS = 1000
"""Times of events are µs; those of Kafka's records are ms."""
UNKNOWN: Final = "UNKNOWN"
"""What a reader takes a symbol of an enum for that its version does not know. Nobody writes it."""


class Event:
    """An event. Subclasses are generated from the `.avsc` files: frozen, slotted dataclasses.

    Times are whole microseconds since 1970-01-01 UTC; money, prices and quantities of orders are `Decimal`.
    """

    __slots__ = ()
    SCHEMA: ClassVar[str]
    """Full name of the Avro record, such as `tradewind.market.Tick`."""
    VERSION: ClassVar[int]
    """Version of the `.avsc` file that the model was generated from."""
    RANGES: ClassVar[Mapping[str, str]] = {}
    """Name of a field -> name of its range in `ranges.py`."""
    RULES: ClassVar[tuple[str, ...]] = ()
    """What holds between fields, as `ranges.rule_of` reads it."""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Build from a decoded Avro record; raises `KeyError` when a field is missing."""
        raise AssertionError(f"{cls.__name__} has no schema: build one of the generated models")

    def to_dict(self) -> dict[str, Any]:
        """Return the record as Avro encodes it."""
        raise AssertionError(f"{type(self).__name__} has no schema: use one of the generated models")

    def in_range(self) -> bool:
        """Return whether all ranges and rules hold; `flaws.flaw_of` says which does not."""
        return True
