"""Find the strategy that a backtest names, and build it with the parameters that its constructor takes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, get_type_hints

from tradewind.processors.signals.strategy import Strategy
from tradewind.streams.backtest.errors import BadInput
from tradewind.streams.signals import strategies

Value = int | float | str | bool
PLAIN = (bool, int, float, str)
TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A strategy that was built for a backtest."""

    strategy: Strategy
    parameters: Mapping[str, Any]
    """Every parameter of the constructor, with its value in this run."""


def choose(named: str, given: Mapping[str, str | Value]) -> Chosen:
    """Return the strategy `named`: an installed name, `FILE.py`, `FILE.py:CLASS` or `MODULE:CLASS`.

    `given` are parameters of its constructor; those that are texts become what the constructor's annotations say.
    Raises `BadInput` for an unknown strategy or parameter, a value of another type, or one that the constructor
    refuses.
    """
    return built(_class_of(named), named, given)


def built(found: type[Strategy], named: str, given: Mapping[str, str | Value]) -> Chosen:
    """Return a strategy of a class, which messages call `named`. Raises `BadInput` as `choose` does."""
    known = _parameters(found)
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        raise BadInput(f"{named} has no parameter {unknown[0]!r}; it has: {', '.join(known) or 'none'}")
    values = {name: _value(named, name, value, known[name]) for name, value in given.items()}
    missing = [name for name, parameter in known.items() if parameter.default is parameter.empty and name not in given]
    if missing:
        raise BadInput(f"{named} needs the parameter {missing[0]!r}: give it by --param {missing[0]}=VALUE")
    try:
        strategy = found(**values)
    except Exception as error:
        raise BadInput(f"{named} refuses its parameters: {type(error).__name__}: {error}") from error
    defaults = {name: parameter.default for name, parameter in known.items()}
    return Chosen(strategy, {**defaults, **values})


def _class_of(named: str) -> type[Strategy]:
    if ".py" in named or ":" in named:
        return _class_in(named)
    offered = {strategy.name: type(strategy) for strategy in strategies()}
    if named not in offered:
        near = get_close_matches(named, offered, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise BadInput(
            f"there is no strategy {named!r}{hint}; strategies are: {', '.join(sorted(offered))}, or a file: mine.py"
        )
    return offered[named]


def _class_in(named: str) -> type[Strategy]:
    place, _, wanted = named.partition(":")
    try:
        module = _file(Path(place)) if place.endswith(".py") else import_module(place)
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(f"{place} cannot be imported: {type(error).__name__}: {error}") from error
    classes = {
        name: one
        for name, one in vars(module).items()
        if isinstance(one, type) and issubclass(one, Strategy) and not inspect.isabstract(one)
    }
    own = {name: one for name, one in classes.items() if one.__module__ == module.__name__}
    if wanted:
        if wanted not in classes:
            raise BadInput(f"{place} has no strategy {wanted!r}; it has: {', '.join(own) or 'none'}")
        return classes[wanted]
    if len(own) != 1:
        has = (
            f"has {len(own)} strategies ({', '.join(own)}); name one: {place}:{next(iter(own))}"
            if own
            else ("has no class that derives from tradewind.Strategy and has on_bar")
        )
        raise BadInput(f"{place} {has}")
    (found,) = own.values()
    return found


def _file(path: Path) -> Any:
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file")
    name = f"backtested_{path.stem}"  # wherever the file lies: the name is part of what a result is made of
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadInput(f"{path} is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def _parameters(of: type[Strategy]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a strategy's constructor, with its annotations resolved to types."""
    if of.__init__ is object.__init__:
        return {}
    try:
        hints = get_type_hints(of.__init__)
    except Exception:  # noqa: BLE001 - an annotation that cannot be resolved says nothing about the type
        hints = {}
    found = list(inspect.signature(of.__init__).parameters.values())[1:]
    kinds = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    return {one.name: one.replace(annotation=hints.get(one.name, Any)) for one in found if one.kind in kinds}


def _value(named: str, name: str, given: str | Value, parameter: inspect.Parameter) -> Any:
    """Return a value as the type that the constructor wants: its annotation, or else the type of its default."""
    wanted = parameter.annotation
    if wanted not in (*PLAIN, Decimal):
        wanted = type(parameter.default) if type(parameter.default) in PLAIN else str
    if not isinstance(given, str):
        return given
    try:
        if wanted is bool:
            return _truth(given)
        return wanted(given)
    except (ValueError, InvalidOperation):
        raise BadInput(f"{named}: the parameter {name} is {given!r}; it takes {_article(wanted)}") from None


def _truth(given: str) -> bool:
    if given.lower() in TRUE:
        return True
    if given.lower() in FALSE:
        return False
    raise ValueError(given)


def _article(wanted: type) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false", Decimal: "a number"}[wanted]
