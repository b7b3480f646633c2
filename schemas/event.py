"""The base of every event model: an immutable record with the name of its schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import update_wrapper
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

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        decorated = "__dataclass_fields__" in vars(cls) and "__slots__" in vars(cls)  # the class that it returns
        if decorated and cls.__bases__ == (Event,):
            cls.__init__ = _init_of(cls)  # type: ignore[method-assign]  # the same arguments

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


def _init_of(model: type[Event]) -> Callable[..., None]:
    """Return an `__init__` that takes the same keywords as the one of a model, and half of its time.

    A frozen dataclass sets each field by a call, because its `__setattr__` refuses. Here, the fields are set while the
    object is of a class with the same slots that is not frozen.
    """
    draft = type(f"{model.__name__}Draft", model.__bases__, {"__slots__": vars(model)["__slots__"]})
    known: dict[str, Any] = {"_draft": draft, "_set": object.__setattr__}
    arguments, lines = [], []
    for field in fields(model):  # type: ignore[arg-type]  # it is a dataclass
        known[f"_default_{field.name}"] = field.default
        arguments.append(field.name if field.default is MISSING else f"{field.name}=_default_{field.name}")
        lines.append(f"    self.{field.name} = {field.name}\n")
    begin, end = "    _model = self.__class__\n    _set(self, '__class__', _draft)\n", "    self.__class__ = _model\n"
    exec(f"def __init__(self, *, {', '.join(arguments)}):\n{begin}{''.join(lines)}{end}", known)  # noqa: S102 - of names of fields, as dataclasses does
    made: Callable[..., None] = known["__init__"]
    return update_wrapper(made, model.__init__)
