"""Values of a settings file: each function returns one as we write it, or raises `Unfit`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from tradewind.processors.ai.prices import EVERYONE
from tradewind.processors.ai.settings_file.fields import Parse, Unfit
from tradewind.processors.money import rounded
from tradewind.schemas.ranges import ATTEMPTS_MAX

STRATEGIES: Final = ("PRIORITY", "ROUND_ROBIN", "WEIGHT", "LATENCY", "COST")
SLASH: Final = "/"
LARGEST: Final = 2**31 - 1  # counts, tokens and times are 32 bits in some of the schemas
LONGEST: Final = 2**63 - 1  # µs


def named(pattern: str, said: str) -> Parse:
    """Return what takes texts of a pattern."""
    compiled = re.compile(pattern)

    def parse(value: Any) -> str:
        if not isinstance(value, str) or compiled.fullmatch(value) is None:
            raise Unfit(f"expected {said}")
        return value

    return parse


NAME: Final = named(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "a name of up to 64 letters, digits, dots, dashes, underscores")
MODEL: Final = named(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}", "a model by name")
CURRENCY: Final = named(r"[A-Z]{3}", "three letters of ISO 4217")


def text(value: Any) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise Unfit("expected a text")
    return value


def yes_or_no(value: Any) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise Unfit("expected true or false")
    return value


def or_null(parse: Parse) -> Parse:
    """Return what also takes null."""
    return lambda value: None if value is None else parse(value)


def money(value: Any) -> Decimal:
    """Return a decimal that is an amount."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Unfit("expected a decimal, as a string or a number")
    try:
        found = Decimal(value)
        fits = found.is_finite() and found == rounded(found) and found >= 0
    except InvalidOperation:
        fits = False
    if not fits:
        raise Unfit("expected a decimal of at most 10 places, 0 or above")
    return found


def whole(value: Any, most: int = LARGEST, *, least: int = 0) -> int:
    """Return a whole number from `least` on; 150_000.0 is one."""
    exact = int(value) if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral() else value
    if isinstance(exact, bool) or not isinstance(exact, int) or not least <= exact <= most:
        raise Unfit(f"expected a whole number from {least} to {most:,}")
    return exact


def attempts(value: Any) -> int:
    """Return how many calls a request may take."""
    return whole(value, ATTEMPTS_MAX, least=1)


def retries(value: Any) -> int:
    """Return how many calls a request may take after its first."""
    return whole(value, ATTEMPTS_MAX - 1)


def factor(value: Any) -> float:
    """Return a number."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Unfit("expected a number")
    return float(value)


def strategy(value: Any) -> str:
    """Return the strategy of a route; `round-robin` is one."""
    found = value.upper().replace("-", "_") if isinstance(value, str) else value
    if found not in STRATEGIES:
        raise Unfit(f"expected one of {', '.join(STRATEGIES)}")
    return str(found)


def request_type(value: Any) -> str:
    """Return a type of requests, or that which stands for all others."""
    return value if value == EVERYONE else str(NAME(value))


def moment(value: Any) -> int:
    """Return a time, µs since 1970: such a number, or a date or time of ISO 8601, which is in UTC unless it says so."""
    if not isinstance(value, str):
        return whole(value, LONGEST)
    try:
        found = datetime.fromisoformat(value)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found
        return round(found.timestamp()) * 1_000_000
    except (ValueError, OverflowError):
        raise Unfit("expected µs since 1970, or a date such as 2026-07-01") from None


def place_of_model(value: str) -> dict[str, str]:
    """Return `provider/model` as a candidate of a route; the model's name may have further slashes."""
    parts: Sequence[str] = value.partition(SLASH)
    if not parts[0] or not parts[2]:
        raise Unfit("expected provider/model")
    return {"provider": parts[0], "model": parts[2]}
