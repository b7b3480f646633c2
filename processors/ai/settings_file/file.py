"""A settings file as a document of objects and lists, with every error and its path.

It has `providers`, `routes` and `prices`, each of which may be left out. Each is a list, or an object of names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

from tradewind.processors.ai.seed import NO_EVENT, PLACE
from tradewind.processors.ai.settings import Setting
from tradewind.processors.ai.settings_file.fields import Field, Flaw, Found, Implied, Reader, writes_camel
from tradewind.processors.ai.settings_file.plain_keys import without_keys
from tradewind.processors.ai.settings_file.provider import PROVIDER, Contexts, place_of, provider_of
from tradewind.processors.ai.settings_file.values import (
    CURRENCY,
    MODEL,
    NAME,
    attempts,
    moment,
    money,
    or_null,
    place_of_model,
    request_type,
    strategy,
    text,
    whole,
    yes_or_no,
)
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiPrice, AiProvider, AiRoute
from tradewind.schemas.flaws import every_flaw_of

MOST_RECORDS: Final = 1_000  # of one revision: they are one transaction
COMMON: Final = {
    "tenant_id": Field(or_null(NAME)),
    "active": Field(yes_or_no, True, aliases=("enabled",)),  # noqa: FBT003 - a default
}
CANDIDATE: Final = {
    "provider": Field(NAME, required=True),
    "model": Field(MODEL, required=True),
    "weight": Field(whole, 1),
}
ROUTE: Final = {
    **COMMON,
    "request_type": Field(request_type, required=True),
    "strategy": Field(strategy, "PRIORITY"),
    "candidates": Field(items=CANDIDATE, required=True, bare=place_of_model),
    "max_attempts": Field(attempts, 4),
}
PRICE: Final = {
    **COMMON,
    "provider": Field(NAME, required=True),
    "model": Field(MODEL, required=True),
    "currency": Field(CURRENCY, "USD"),
    "valid_from": Field(moment, 0),
    "input_per_million": Field(money, required=True),
    "cache_read_per_million": Field(or_null(money)),
    "cache_write_per_million": Field(or_null(money)),
    "output_per_million": Field(money, required=True),
    "per_call": Field(money, Decimal(0)),
    "origin": Field(text, "settings file"),
}
LISTS: Final = {
    "providers": Field(items=PROVIDER),
    "routes": Field(items=ROUTE),
    "prices": Field(items=PRICE),
}
NAMED_BY: Final = {"providers": "name", "routes": "request_type"}
"""List -> the field that its keys stand for, where it is written as an object."""
Placed: TypeAlias = tuple[Found, Setting]


def read(
    document: Any,
    known_models: Collection[tuple[str, str]] = (),
    contexts: Contexts = lambda *_: None,
    adapters: Collection[str] | None = None,
) -> list[Setting] | list[Flaw]:
    """Return the settings of a file, or everything that is wrong with it. No flaw tells a key.

    `known_models` are (provider, model) of the settings in force: routes and prices may name them. `adapters` are those
    that providers in use may have; None for any.
    """
    if not isinstance(document, Mapping):
        return [Flaw("", "expected an object with the lists providers, routes and prices")]
    flaws: list[Flaw] = []
    plain = without_keys(document, flaws)
    hidden = {flaw.path for flaw in flaws}
    flaws += [Flaw(str(key), f"unknown; there are {', '.join(LISTS)}") for key in plain if key not in LISTS]
    reader = Reader(flaws, camel=writes_camel(plain, LISTS))
    made: list[Placed] = []
    for name, field in LISTS.items():
        for found in _listed(plain.get(name, []), field, name, reader):
            told = {flaw.path for flaw in flaws}
            more: list[Flaw] = []
            setting = _MAKERS[name](found, contexts, more)
            more += _out_of_range(found, setting)
            more += _of_no_adapter(found, setting, adapters)
            flaws += [flaw for flaw in more if not _told(flaw.path, told)]
            made.append((found, setting))
    flaws += _strangers(made, known_models, _unsure(plain.get("providers"), made, flaws))
    if not made and not flaws:
        flaws.append(Flaw("", "it changes nothing: give it providers, routes or prices"))
    if len(made) > MOST_RECORDS:
        flaws.append(Flaw("", f"it has {len(made):,} entries, and the most is {MOST_RECORDS:,}: apply it in parts"))
    seen = dict.fromkeys(flaw for at, flaw in enumerate(flaws) if at < len(hidden) or flaw.path not in hidden)
    return list(seen) or [setting for _, setting in made]


def _listed(value: Any, field: Field, name: str, reader: Reader) -> list[Found]:
    """Return the objects of a list, or of an object whose keys name them."""
    by = NAMED_BY.get(name)
    if by is None or not isinstance(value, Mapping):
        return reader.objects(value, field, name)
    found = []
    for key, item in value.items():
        path = f"{name}.{key}"
        given = {Implied("candidates"): item} if name == "routes" and isinstance(item, list) else item
        if isinstance(given, Mapping) and by in given:
            reader.flaws.append(Flaw(f"{path}.{by}", f"given twice, also as {key}"))
        elif isinstance(given, Mapping):
            given = {Implied(by): key, **given}
        made = reader.object(given, field.items or {}, path)
        if made.usable:
            found.append(made)
    return found


def _route(found: Found, _contexts: Contexts, flaws: list[Flaw]) -> AiRoute:
    candidates = tuple(one.values for one in found.values["candidates"])
    if not candidates:
        flaws.append(
            Flaw(found.at("candidates"), "has no candidate: name one, or take the route out of use by active: false")
        )
    return AiRoute(**NO_EVENT, **PLACE, **{**found.values, "candidates": candidates})


def _price(found: Found, _contexts: Contexts, _flaws: list[Flaw]) -> AiPrice:
    return priced(**found.values)


def priced(**values: Any) -> AiPrice:
    """Return a price, whose id follows from all that it says."""
    for name in ("cache_read_per_million", "cache_write_per_million"):
        if values[name] is None:  # a provider that does not tell the classes apart has one price
            values[name] = values["input_per_million"]
    said = (str(values[name]) for name in sorted(values) if name not in {"active", "origin"})
    return AiPrice(**NO_EVENT, **PLACE, **values, price_id=derive_id("AiPrice", *said))


_MAKERS: Final[Mapping[str, Callable[[Found, Contexts, list[Flaw]], Setting]]] = {
    "providers": provider_of,
    "routes": _route,
    "prices": _price,
}


def _out_of_range(found: Found, setting: Setting) -> Iterator[Flaw]:
    """Yield the fields of a setting that are out of their ranges, each under its name in the file."""
    place = place_of if isinstance(setting, AiProvider) else Found.at
    for fields, said in every_flaw_of(setting):
        if len(fields) == 1:
            yield Flaw(place(found, fields[0]), said.removeprefix(f"{fields[0]} "))
        else:
            yield Flaw(found.path, said)


def _of_no_adapter(found: Found, setting: Setting, adapters: Collection[str] | None) -> list[Flaw]:
    """Return the flaw of a provider that could not be called."""
    if not isinstance(setting, AiProvider) or adapters is None or not setting.active or setting.adapter in adapters:
        return []
    said = f"there is no adapter {setting.adapter!r} here; here are {', '.join(sorted(adapters))}"
    return [Flaw(found.at("adapter"), f"{said}. A package that has it must be installed here, too")]


def _told(path: str, told: Collection[str]) -> bool:
    """Return whether something is known to be wrong there: what follows from it would be told once more."""
    return any(known.startswith(path) for known in told)


def _unsure(providers: Any, made: list[Placed], flaws: list[Flaw]) -> Collection[str] | None:
    """Return the names of the file's providers whose models nobody knows, because of flaws; None for all."""
    names = _named(providers)
    if not any(flaw.path.startswith("providers") for flaw in flaws):
        return ()
    if names is None:
        return None
    sure = set()
    for found, one in made:
        place = found.at("models")
        if isinstance(one, AiProvider) and not any(flaw.path.startswith(place) for flaw in flaws):
            sure.add(one.name)
    return set(names) - sure


def _named(providers: Any) -> Collection[str] | None:
    """Return the names of the providers that a file seems to have, flawed or not; None if nobody can tell."""
    if isinstance(providers, Mapping):
        return [str(name) for name in providers]
    if not isinstance(providers, list):
        return None
    names = [one.get("name", one.get("id")) if isinstance(one, Mapping) else None for one in providers]
    return None if None in names else [str(name) for name in names]


def _strangers(made: list[Placed], known: Collection[tuple[str, str]], unsure: Collection[str] | None) -> list[Flaw]:
    """Return the flaws of routes and prices that name a model that there is not.

    Of the providers that are `unsure`, which have flaws themselves, nobody knows the models; None for all.
    """
    if unsure is None:
        return []
    own = {(one.name, str(model["name"])) for _, one in made if isinstance(one, AiProvider) for model in one.models}
    models, flaws = own | {*known}, []
    for found, one in made:
        places: list[tuple[str, tuple[str, str]]] = []
        if isinstance(one, AiRoute):
            places = [(of.path, (of.values["provider"], of.values["model"])) for of in found.values["candidates"]]
        elif isinstance(one, AiPrice):
            places = [(found.path, (one.provider, one.model))]
        if one.active:
            flaws += [
                Flaw(path, f"there is no model {model!r} of a provider {provider!r}")
                for path, (provider, model) in places
                if (provider, model) not in models and provider not in unsure
            ]
    return flaws
