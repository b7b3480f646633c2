"""List prices and contexts of models, from the data in the package `genai-prices`; nothing is downloaded.

How its prices become ours:

| there | here |
|---|---|
| a price from a date on | a price that is valid from that day's midnight in UTC |
| prices by the time of day | the dearest of them, at any time |
| a tier from some tokens of a prompt on | the dearest tier that begins within the model's context |
| no price of a cache's tokens | the price of input |
| no price of output, as of embeddings | 0 |
| thoughts or images that are dearer | the dearer price, for all output or input |
| batches, service tiers, audio, searches, caches of an hour | left out: no call asks for them |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tradewind.processors.ai.prices import RATES
from tradewind.processors.ai.settings_file.file import priced
from tradewind.processors.money import PLACES, ceiled
from tradewind.schemas.ai import AiPrice, AiPricesState, AiProvider

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

ORIGIN = "genai-prices"
PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "gemini": "google"}
"""Adapter -> provider in the catalogue; those of other adapters are found by their addresses."""
PER_UNIT = ("input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok")
ALWAYS = date(1970, 1, 1)


class NotListed(LookupError):
    """The catalogue has no price for a model; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What the catalogue says of the models of the settings."""

    prices: list[AiPrice]
    missing: dict[tuple[str, str], str]
    """(provider, model) without a price -> why."""
    own: list[tuple[str, str]]
    """(provider, model) whose price is not of the catalogue, and stays."""
    tiered: dict[tuple[str, str], str]
    """(provider, model) whose price depends on the prompt's length -> which price holds, and what to do."""


def context_of(adapter: str, model: str) -> int | None:
    """Return the context of a model by its name, in tokens; None if the catalogue does not know it."""
    provider = _provider(adapter, None)
    found = None if provider is None else provider.find_model(model)
    return None if found is None else found.context_window


def listed(
    providers: Iterable[AiProvider],
    known: Mapping[tuple[str | None, str, str], AiPricesState],
    origins: Mapping[str, str],
) -> Listed:
    """Return the prices of every model that has none, or that has others of the catalogue.

    `known` are the prices in force by (tenant, provider, model), `origins` says where each price comes from, by its id.
    """
    found = Listed([], {}, [], {})
    for provider in providers:
        for model in provider.models:
            name = str(model["name"])
            in_force = known.get((provider.tenant_id, provider.name, name))
            ids = set() if in_force is None else {str(price["price_id"]) for price in in_force.prices}
            if any(not origins.get(id_, "").startswith(ORIGIN) for id_ in ids):
                found.own.append((provider.name, name))
                continue
            try:
                dated = prices_of(provider, model)
            except NotListed as error:
                if in_force is None:
                    found.missing[provider.name, name] = str(error)
                continue
            if said := _tiers(provider, model):
                found.tiered[provider.name, name] = said
            found.prices.extend(price for price in dated if price.price_id not in ids)
            found.prices.extend(_ended(provider, name, in_force, dated))
    return found


def _ended(provider: AiProvider, model: str, in_force: AiPricesState | None, dated: list[AiPrice]) -> Iterator[AiPrice]:
    """Yield the end of each price that an earlier catalogue had, and that this one does not begin anew."""
    begins = {price.valid_from for price in dated}
    for price in () if in_force is None else in_force.prices:
        if int(price["valid_from"]) not in begins:
            rates = {name: price[name] for name in RATES}
            place = {"provider": provider.name, "model": model, "tenant_id": provider.tenant_id}
            moment = {"currency": price["currency"], "valid_from": price["valid_from"]}
            yield priced(**rates, **place, **moment, origin=_origin(), active=False)


def prices_of(provider: AiProvider, model: Mapping[str, Any]) -> list[AiPrice]:
    """Return the prices of a model, oldest first. Raises `NotListed`."""
    name = str(model["name"])
    known = _provider(provider.adapter, provider.base_url)
    if known is None:
        raise NotListed(f"the catalogue does not know {provider.name}: write its price, and 0 if it is free")
    found = known.find_model(name)
    if found is None:
        raise NotListed(f"the catalogue of {known.name} has no {name}: write its price")
    dated = [(begin, _dearest(found, begin, model)) for begin in _begins(found)]
    if any(rates is None for _, rates in dated):
        raise NotListed(f"{name} is not paid by tokens alone: write its price")
    return [
        priced(
            provider=provider.name,
            model=name,
            tenant_id=provider.tenant_id,
            active=True,
            currency="USD",
            valid_from=_us(begin),
            origin=_origin(),
            per_call=Decimal(0),
            **(rates or {}),
        )
        for begin, rates in dated
    ]


def _origin() -> str:
    return f"{ORIGIN} {version(ORIGIN)}"


def _provider(adapter: str, base_url: str | None) -> Provider | None:
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - its data take a quarter of a second

    snapshot = get_snapshot()
    if base_url is not None:
        try:
            return snapshot.find_provider(None, None, base_url)
        except LookupError:
            return None
    id_ = PROVIDERS.get(adapter)
    return next((one for one in snapshot.providers if one.id == id_), None)


def _begins(model: ModelInfo) -> list[date]:
    """Return the days on which a price begins."""
    if not isinstance(model.prices, list):
        return [ALWAYS]
    starts = {getattr(price.constraint, "start_date", ALWAYS) for price in model.prices}
    return sorted({ALWAYS, *starts})


def _times(model: ModelInfo) -> Iterator[time]:
    """Yield a time within each part of a day that has a price of its own."""
    yield time(0)
    for price in model.prices if isinstance(model.prices, list) else ():
        for edge in (getattr(price.constraint, "start_time", None), getattr(price.constraint, "end_time", None)):
            if edge is not None:
                yield edge if edge.tzinfo is None else _utc(edge)


def _utc(edge: time) -> time:
    return datetime.combine(date(2000, 1, 2), edge).astimezone(UTC).time()


def _dearest(model: ModelInfo, day: date, of: Mapping[str, Any]) -> dict[str, Decimal] | None:
    """Return the dearest rates of a day; None if the model is not paid by tokens."""
    context = int(of["context_tokens"])
    every = [
        _rates(model.get_prices(datetime.combine(day, at, UTC)), context, images=bool(of["images"]))
        for at in set(_times(model))
    ]
    rates = [one for one in every if one is not None]
    if len(rates) < len(every):
        return None
    return {name: max(one[name] for one in rates) for name in rates[0]}


def _rates(price: ModelPrice, context: int, *, images: bool) -> dict[str, Decimal] | None:
    input_, read, write, output = (_reached(getattr(price, name, None), context) for name in PER_UNIT)
    if input_ is None:
        return None
    if images:
        input_ = max(input_, _reached(getattr(price, "input_image_mtok", None), context) or input_)
    thoughts = _reached(getattr(price, "output_reasoning_mtok", None), context)
    return {
        "input_per_million": input_,
        "cache_read_per_million": input_ if read is None else read,
        "cache_write_per_million": input_ if write is None else write,
        "output_per_million": max(output or Decimal(0), thoughts or Decimal(0)),
    }


def _tiers(provider: AiProvider, model: Mapping[str, Any]) -> str:
    """Say which price holds for a model whose price depends on the prompt's length; nothing for another model."""
    known, context = _provider(provider.adapter, provider.base_url), int(model["context_tokens"])
    found = None if known is None else known.find_model(str(model["name"]))
    if found is None:
        return ""
    prices = [found.prices] if not isinstance(found.prices, list) else [one.prices for one in found.prices]
    units = [getattr(price, unit, None) for price in prices for unit in PER_UNIT]
    starts = {tier.start for unit in units for tier in getattr(unit, "tiers", ()) if tier.start < context}
    if not starts:
        return ""
    first = min(starts)
    return (
        f"prompts of more than {first:,} tokens are dearer, and that price holds for every prompt. To pay the usual "
        f"price, set the model's contextTokens to {first}"
    )


def _reached(price: Any, context: int) -> Decimal | None:
    """Return the dearest of a price's tiers that a prompt within the context can reach, in our own digits."""
    if price is None:
        return None
    tiers = [tier.price for tier in getattr(price, "tiers", ()) if tier.start < context]
    dearest = max([getattr(price, "base", price), *tiers])
    return ceiled(dearest, PLACES)


def _us(day: date) -> int:
    return round(datetime.combine(day, time(0), UTC).timestamp()) * 1_000_000
