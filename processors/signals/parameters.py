"""Parameters of a strategy: named and typed by its constructor, given as a JSON object."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Iterable
from typing import Any, Final, get_type_hints

from tradewind.processors.signals.strategy import JSON, Strategy
from tradewind.processors.tenancy.keys import is_name

TYPES: Final = (bool, int, float, str)
"""Types that a parameter may have; one of another type cannot be set."""
SHOWN: Final = 60  # characters of a value that a reason quotes


class Unfit(ValueError):
    """A strategy does not take its parameters; the message says which, and what it takes."""


class UnknownParameter(Unfit):
    """The constructor has no parameter of this name."""


def by_name(strategies: Iterable[Strategy]) -> dict[str, Strategy]:
    """Return strategies by name, sorted; raises `ValueError` where names or intervals are unusable."""
    known = sorted(strategies, key=lambda strategy: strategy.name)
    names = [strategy.name for strategy in known]
    for strategy in known:
        name = strategy.name
        if names.count(name) > 1 or not is_name(name):
            raise ValueError(
                f"strategy {name!r}: give it a name of its own, of up to 64 letters, digits, dots, dashes, underscores"
            )
        if strategy.interval_s < 1:
            raise ValueError(
                f"strategy {name!r}: interval_s is {strategy.interval_s}; it is the length of bars in seconds"
            )
    return dict(zip(names, known, strict=True))


def parameters_of(strategy: Strategy) -> dict[str, type]:
    """Return the parameters that can be set, by name, with their types."""
    made_by: Callable[..., Any] = type(strategy).__init__
    if made_by is object.__init__:
        return {}
    hints = get_type_hints(made_by)
    names = list(inspect.signature(made_by).parameters.values())[1:]
    settable = (one for one in names if one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY})
    return {one.name: hints[one.name] for one in settable if hints.get(one.name) in TYPES}


def with_parameters(strategy: Strategy, text: str) -> Strategy:
    """Return a strategy like this one with other parameters, a JSON object; itself for `{}`. Raises `Unfit`."""
    try:
        given: JSON = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise Unfit(f"the parameters of {strategy.name} are no JSON object: {text[:SHOWN]}")
    if not given:
        return strategy
    takes = parameters_of(strategy)
    for name, value in given.items():
        if name not in takes:
            known = ", ".join(f"{one}: {kind.__name__}" for one, kind in takes.items()) or "none"
            raise UnknownParameter(f"{strategy.name} has no parameter {name[:SHOWN]!r}; it takes {known}")
        if not _is(value, takes[name]):
            shown = json.dumps(value)[:SHOWN]
            raise Unfit(f"{name} of {strategy.name} is of type {takes[name].__name__}, and {shown} is not")
    values = {name: float(value) if takes[name] is float else value for name, value in given.items()}
    try:
        return type(strategy)(**values)
    except Exception as error:
        raise Unfit(f"{strategy.name} refuses its parameters: {type(error).__name__}: {error}"[:500]) from error


def _is(value: JSON, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return type(value) is kind
