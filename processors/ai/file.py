"""A settings file: providers, routes and prices as people write them, with every error and its path.

A file is JSON with the lists `providers`, `routes` and `prices`, each of which may be left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from tradewind.processors.ai.prices import EVERYONE
from tradewind.processors.ai.seed import CAPABILITIES, NO_EVENT, PLACE
from tradewind.processors.ai.settings import Setting
from tradewind.processors.identity import derive_id
from tradewind.processors.money import rounded
from tradewind.schemas.ai import AiPrice, AiProvider, AiRoute
from tradewind.schemas.flaws import flaw_of

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
CURRENCY: Final = re.compile(r"[A-Z]{3}")
MOST_RECORDS: Final = 1_000  # of one revision: they are one transaction
SHOWN: Final = 60  # characters of a value that an error quotes
STRATEGIES: Final = ("PRIORITY", "ROUND_ROBIN", "WEIGHT", "LATENCY", "COST")


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a settings file."""

    path: str
    """Such as `providers[0].models[1].name`; empty for the file."""
    text: str


class _Unfit(ValueError):
    """A value that its place does not take."""


Parse = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Field:
    parse: Parse | Mapping[str, _Field]
    """A function, or the fields of the objects of a list."""
    default: Any = None
    required: bool = False


def _named(pattern: re.Pattern[str], said: str) -> Parse:
    def parse(value: Any) -> str:
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            raise _Unfit(f"expected {said}")
        return value

    return parse


def _type(kind: type, said: str) -> Parse:
    def parse(value: Any) -> Any:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _Unfit(f"expected {said}")
        return value

    return parse


def _or_null(parse: Parse) -> Parse:
    return lambda value: None if value is None else parse(value)


def _money(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise _Unfit("expected a decimal, as a string or a number")
    try:
        found = Decimal(value)
        fits = found.is_finite() and found == rounded(found) and found >= 0
    except InvalidOperation:
        fits = False
    if not fits:
        raise _Unfit("expected a decimal of at most 10 places, 0 or above")
    return found


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _Unfit("expected a whole number, 0 or above")
    return value


def _factor(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _Unfit("expected a number")
    return float(value)


def _strategy(value: Any) -> str:
    if value not in STRATEGIES:
        raise _Unfit(f"expected one of {', '.join(STRATEGIES)}")
    return str(value)


def _type_of_request(value: Any) -> str:
    return value if value == EVERYONE else str(_NAME(value))


_NAME: Final = _named(NAME, "a name of up to 64 letters, digits, dots, dashes and underscores")
_MODEL: Final = _named(MODEL, "a model by name")
_TEXT: Final = _type(str, "a text")
_BOOL: Final = _type(bool, "true or false")
_COMMON: Final = {"tenant_id": _Field(_or_null(_NAME)), "active": _Field(_BOOL, True)}  # noqa: FBT003 - a default
_KEY: Final = {
    "key_id": _Field(_NAME, required=True),
    "tenant_id": _Field(_or_null(_NAME)),
    **{name: _Field(_whole, 0) for name in ("requests_per_minute", "tokens_per_minute", "concurrent")},
}
_OF_MODEL: Final = {
    "name": _Field(_MODEL, required=True),
    **{
        name: _Field(_whole, required=True) if name.endswith("_tokens") else _Field(_BOOL, name != "embeddings")
        for name in CAPABILITIES
    },
}
_PROVIDER: Final = {
    **_COMMON,
    "name": _Field(_NAME, required=True),
    "adapter": _Field(_NAME, required=True),
    "base_url": _Field(_or_null(_TEXT)),
    "allow_private": _Field(_BOOL, False),  # noqa: FBT003
    "keys": _Field(_KEY, ()),
    "models": _Field(_OF_MODEL, required=True),
    "connect_timeout_ms": _Field(_whole, 5_000),
    "first_token_timeout_ms": _Field(_whole, 30_000),
    "idle_timeout_ms": _Field(_whole, 15_000),
    "total_timeout_ms": _Field(_whole, 120_000),
    "max_attempts": _Field(_whole, 2),
    "backoff_ms": _Field(_whole, 1_000),
    "backoff_factor": _Field(_factor, 2.0),
    "alert_cost_per_hour": _Field(_money, Decimal(0)),
}
_CANDIDATE: Final = {
    "provider": _Field(_NAME, required=True),
    "model": _Field(_MODEL, required=True),
    "weight": _Field(_whole, 1),
}
_ROUTE: Final = {
    **_COMMON,
    "request_type": _Field(_type_of_request, required=True),
    "strategy": _Field(_strategy, "PRIORITY"),
    "candidates": _Field(_CANDIDATE, required=True),
    "max_attempts": _Field(_whole, 4),
}
_PRICE: Final = {
    **_COMMON,
    "provider": _Field(_NAME, required=True),
    "model": _Field(_MODEL, required=True),
    "currency": _Field(_named(CURRENCY, "three letters of ISO 4217"), "USD"),
    "valid_from": _Field(_whole, 0),
    "input_per_million": _Field(_money, required=True),
    "cache_read_per_million": _Field(_or_null(_money)),
    "cache_write_per_million": _Field(_or_null(_money)),
    "output_per_million": _Field(_money, required=True),
    "per_call": _Field(_money, Decimal(0)),
    "origin": _Field(_TEXT, "settings file"),
}
_LISTS: Final = {"providers": _PROVIDER, "routes": _ROUTE, "prices": _PRICE}


def read(text: str, known_models: Collection[tuple[str, str]] = ()) -> list[Setting] | list[Flaw]:
    """Return the settings of a file, or everything that is wrong with it.

    `known_models` are (provider, model) of the settings in force: routes and prices may name them.
    """
    try:
        whole = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        return [Flaw("", f"no JSON: {error}")]
    if not isinstance(whole, dict):
        return [Flaw("", "expected an object with the lists providers, routes and prices")]
    flaws = [Flaw(key, f"unknown; there are {', '.join(_LISTS)}") for key in whole if key not in _LISTS]
    found = {name: _objects(whole.get(name, []), fields, name, flaws) for name, fields in _LISTS.items()}
    made: list[Setting] = []
    for name, make in _MAKERS.items():
        for path, values in found[name]:
            setting = make(values)
            flaw = flaw_of(setting)
            if flaw is not None:
                flaws.append(Flaw(path, flaw))
            made.append(setting)
    flaws += _strangers(made, known_models)
    if not made and not flaws:
        flaws.append(Flaw("", "it changes nothing: give it providers, routes or prices"))
    if len(made) > MOST_RECORDS:
        flaws.append(Flaw("", f"it has {len(made):,} entries, and the most is {MOST_RECORDS:,}: apply it in parts"))
    return flaws or made


def _objects(
    value: Any, fields: Mapping[str, _Field], path: str, flaws: list[Flaw]
) -> list[tuple[str, dict[str, Any]]]:
    """Return the objects of a list with their paths; what is wrong with them is added to the flaws."""
    if not isinstance(value, list):
        flaws.append(Flaw(path, "expected a list"))
        return []
    found = []
    for at, item in enumerate(value):
        before, here = len(flaws), f"{path}[{at}]"
        made = _object(item, fields, here, flaws)
        if len(flaws) == before:
            found.append((here, made))
    return found


def _object(value: Any, fields: Mapping[str, _Field], path: str, flaws: list[Flaw]) -> dict[str, Any]:
    if not isinstance(value, dict):
        flaws.append(Flaw(path, "expected an object"))
        return {}
    flaws += [Flaw(f"{path}.{key}", f"unknown; there are {', '.join(fields)}") for key in value if key not in fields]
    made: dict[str, Any] = {}
    for name, field in fields.items():
        here = f"{path}.{name}"
        if name not in value:
            made[name] = field.default
            if field.required:
                flaws.append(Flaw(here, "missing"))
        elif isinstance(field.parse, Mapping):
            made[name] = tuple(item for _, item in _objects(value[name], field.parse, here, flaws))
        else:
            try:
                made[name] = field.parse(value[name])
            except _Unfit as unfit:
                shown = json.dumps(value[name], default=str)
                flaws.append(Flaw(here, f"{unfit}, not {shown[:SHOWN]}"))
    return made


def _provider(values: dict[str, Any]) -> AiProvider:
    return AiProvider(**NO_EVENT, **PLACE, **values)


def _route(values: dict[str, Any]) -> AiRoute:
    return AiRoute(**NO_EVENT, **PLACE, **values)


def _price(values: dict[str, Any]) -> AiPrice:
    for name in ("cache_read_per_million", "cache_write_per_million"):
        if values[name] is None:  # a provider that does not tell the classes apart has one price
            values[name] = values["input_per_million"]
    said = (str(values[name]) for name in sorted(values) if name not in {"active", "origin"})
    return AiPrice(**NO_EVENT, **PLACE, **values, price_id=derive_id("AiPrice", *said))


_MAKERS: Final[Mapping[str, Callable[[dict[str, Any]], Setting]]] = {
    "providers": _provider,
    "routes": _route,
    "prices": _price,
}


def _strangers(made: list[Setting], known: Collection[tuple[str, str]]) -> list[Flaw]:
    """Return the flaws of routes and prices that name a model that there is not."""
    own = {(one.name, str(model["name"])) for one in made if isinstance(one, AiProvider) for model in one.models}
    models, flaws, counts = own | {*known}, [], dict.fromkeys(("routes", "prices"), 0)
    for one in made:
        places: list[tuple[str, tuple[str, str]]] = []
        if isinstance(one, AiRoute):
            path = f"routes[{counts['routes']}]"
            counts["routes"] += 1
            places = [
                (f"{path}.candidates[{at}]", (str(of["provider"]), str(of["model"])))
                for at, of in enumerate(one.candidates)
            ]
        elif isinstance(one, AiPrice):
            places = [(f"prices[{counts['prices']}]", (one.provider, one.model))]
            counts["prices"] += 1
        if one.active:
            flaws += [
                Flaw(path, f"there is no model {model!r} of a provider {provider!r}")
                for path, (provider, model) in places
                if (provider, model) not in models
            ]
    return flaws
