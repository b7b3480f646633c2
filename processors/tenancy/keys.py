"""The keys of a tenant that a command may set: what each takes, and what a new tenant has that names none.

Values come as JSON. Each is judged by itself, so that a refusal has all that is wrong with a command.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, Protocol, TypeAlias

from tradewind.processors.billing.meters import AI_COST, METERS
from tradewind.processors.market.instruments import CURRENCY as TRADED
from tradewind.processors.market.instruments import CURRENCY_SAID
from tradewind.processors.money import ZERO, rounded
from tradewind.processors.tenancy.tenant import ACCOUNT_CURRENCY, MARK_AGE_US
from tradewind.schemas.ranges import RANGES, UNITS_MAX
from tradewind.schemas.tenancy import Tenant

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Of tenants, accounts, tiers and the like: names are parts of keys, which slashes and stars divide."""
CURRENCY: Final = re.compile(r"[A-Z]{3}")
ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
DECIMAL: Final = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
SETTING: Final = ("CREATE", "SET")
"""Actions that give keys values."""
MOST_NAMES: Final = 64  # of accounts or features: a tenant stays below `TENANT_BYTES`
MOST_ROUTES: Final = 32
MOST_REASONS: Final = 64  # a refusal is a record, and a command may have thousands of keys
ROUTE: Final = ("purpose", "provider", "model")
INT_MAX: Final = 2**31 - 1
LONG_MAX: Final = 2**63 - 1
DAY_US: Final = 86_400_000_000
SHOWN: Final = 60  # characters of a value that a reason quotes
Code: TypeAlias = Literal[
    "NO_SUCH_TENANT",
    "EXISTS",
    "STALE_REVISION",
    "WRONG_STATUS",
    "UNKNOWN_KEY",
    "REPEATED_KEY",
    "MISSING_KEY",
    "INVALID_VALUE",
    "NOTHING_CHANGED",
    "TOO_LARGE",
]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a command is refused."""

    code: Code
    key: str
    """What it is about; empty where it is about no key."""
    text: str


class Said(Protocol):
    """A reason of any kind of command."""

    @property
    def code(self) -> str:
        """Which kind it is."""
        ...

    @property
    def key(self) -> str:
        """What it is about; empty where it is about no key."""
        ...

    @property
    def text(self) -> str:
        """It, for a person."""
        ...


def told(reasons: Sequence[Said]) -> tuple[dict[str, str], ...]:
    """Return reasons as a refusal has them; those beyond `MOST_REASONS` are counted in the last one."""
    found = [{"code": of.code, "key": of.key, "text": of.text} for of in reasons[:MOST_REASONS]]
    if len(reasons) > MOST_REASONS:
        found[-1]["text"] += f"; and {len(reasons) - MOST_REASONS} more reasons"
    return tuple(found)


class Unfit(ValueError):
    """A value that its key does not take; the message says what it takes."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a key takes."""

    parse: Callable[[Any], Any]
    """From JSON to what the model holds; raises `Unfit`."""
    default: Any = None
    required: bool = False
    """Whether a new tenant must have it: nobody else may guess how much somebody may lose."""


def _name(value: Any) -> str:
    return _matching(value, NAME, "a name of up to 64 letters, digits, dots, dashes and underscores")


def _matching(value: Any, pattern: re.Pattern[str], said: str) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise Unfit(f"expected {said}")
    return value


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_NAMES:
        raise Unfit(f"expected a list of up to {MOST_NAMES} names")
    names = [_name(item) for item in value]
    if len(set(names)) < len(names):
        raise Unfit("a name comes twice")
    return tuple(sorted(names))


def _accounts(value: Any) -> tuple[str, ...]:
    names = _names(value)
    if not names:
        raise Unfit("expected at least one account")
    return names


def _whole(most: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value > most:
            raise Unfit(f"expected a whole number up to {most}")
        return value

    return parse


def _or_null(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else parse(value)


def _decimal(value: Any) -> Decimal:
    """Return a decimal of up to ten places, given as a string or as a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Unfit("expected a decimal, as a string or a number")
    text = format(value, "f") if isinstance(value, Decimal) and abs(value.adjusted()) < 40 else str(value)
    if DECIMAL.fullmatch(text) is None:
        raise Unfit("expected a decimal of up to 40 digits before and after its point")
    found = Decimal(text)
    if found != rounded(found):
        raise Unfit("expected at most 10 decimals")
    return rounded(found)


def _order_type(value: Any) -> str:
    if value not in ("MARKET", "LIMIT"):
        raise Unfit("expected MARKET or LIMIT")
    return str(value)


def _routes(value: Any) -> tuple[Mapping[str, str], ...]:
    if not isinstance(value, list) or len(value) > MOST_ROUTES:
        raise Unfit(f"expected a list of up to {MOST_ROUTES} routes")
    for item in value:
        if not isinstance(item, dict) or set(item) != set(ROUTE):
            raise Unfit(f"expected routes of {', '.join(ROUTE)}")
    return tuple({part: _matching(item[part], ROUTE_NAME, f"a {part} by name") for part in ROUTE} for item in value)


def _quotas(value: Any) -> tuple[Mapping[str, Any], ...]:
    """Return quotas by meter, given as an object of units by meter."""
    if not isinstance(value, dict):
        raise Unfit('expected units by meter, such as {"orders": 10000}')
    for meter, units in value.items():
        if meter == AI_COST:
            raise Unfit(f"expected no {AI_COST}: its quota is ai_budget_per_month")
        if meter not in METERS:
            raise Unfit(f"expected meters, which are {', '.join(sorted(METERS - {AI_COST}))}")
        if isinstance(units, bool) or not isinstance(units, int) or not 0 < units <= UNITS_MAX:
            raise Unfit(f"expected {meter} to be a whole number from 1 to {UNITS_MAX}")
    return tuple({"meter": meter, "units": value[meter]} for meter in sorted(value))


ROUTE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
"""Of models, whose names have slashes and colons."""
KEYS: Final[Mapping[str, Key]] = {
    "tier": Key(_name, "standard"),
    "features": Key(_names, ()),
    "accounts": Key(_accounts, required=True),
    "risk_profile": Key(_name, "standard"),
    "risk_per_trade": Key(_decimal, required=True),
    "order_type": Key(_order_type, "MARKET"),
    "limit_offset": Key(_decimal, ZERO),
    "time_to_live_us": Key(_or_null(_whole(LONG_MAX)), None),
    "max_order_notional": Key(_decimal, required=True),
    "max_position_notional": Key(_decimal, required=True),
    "max_exposure_notional": Key(_or_null(_decimal), None),
    "max_total_exposure": Key(_or_null(_decimal), None),
    "max_currency_exposure": Key(_or_null(_decimal), None),
    "max_daily_loss": Key(_or_null(_decimal), None),
    "max_drawdown": Key(_or_null(_decimal), None),
    "max_quote_age_us": Key(_whole(LONG_MAX), 30_000_000),
    "max_mark_age_us": Key(_whole(LONG_MAX), MARK_AGE_US),
    "account_currency": Key(lambda value: _matching(value, TRADED, CURRENCY_SAID), ACCOUNT_CURRENCY),
    "orders_per_minute": Key(_whole(INT_MAX), 600),
    "api_requests_per_hour": Key(_whole(INT_MAX), 3_600),
    "ai_requests_per_hour": Key(_whole(INT_MAX), 500),
    "ai_requests_per_day": Key(_whole(INT_MAX), 10_000),
    "ai_budget_per_month": Key(_decimal, Decimal(5_000)),
    "quotas": Key(_quotas, ()),
    "ai_routes": Key(_routes, ()),
    "billing_zone": Key(lambda value: _matching(value, ZONE, "a time zone, such as Europe/Berlin or UTC"), "UTC"),
    "currency": Key(lambda value: _matching(value, CURRENCY, "three letters of ISO 4217, such as EUR"), "USD"),
}
"""Name of a field of `Tenant` -> what it takes, and what a new tenant has. No tenant is without a budget of AI."""


def is_name(text: str) -> bool:
    """Return whether a text may name a tenant, a strategy or a deployment."""
    return NAME.fullmatch(text) is not None


def read(key: str, text: str) -> Any | Reason:
    """Return the value that a command gives a key as JSON, or why it cannot have it."""
    known = KEYS.get(key)
    if known is None:
        return Reason("UNKNOWN_KEY", key[:SHOWN], f"there is no such key; keys are {', '.join(KEYS)}")
    try:
        value = known.parse(json.loads(text, parse_float=Decimal, parse_constant=_refuse))
    except Unfit as unfit:
        return Reason("INVALID_VALUE", key, f"{unfit}, not {_shown(text)}")
    except (ValueError, RecursionError):
        return Reason("INVALID_VALUE", key, f"{_shown(text)} is no JSON; write a text in double quotes")
    known_range = Tenant.RANGES.get(key)
    if known_range is not None and value is not None and not RANGES[known_range].holds(value):
        return Reason("INVALID_VALUE", key, f"it is {_shown(text)}; its range is {RANGES[known_range]}")
    return value


def values_of(action: str, changes: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], list[Reason]]:
    """Return the values that a command sets, and what is wrong with the others. It looks at no tenant."""
    values: dict[str, Any] = {}
    reasons: list[Reason] = []
    seen: set[str] = set()
    for change in changes:
        key, text = str(change["key"]), str(change["value"])
        if action not in SETTING:
            reasons.append(Reason("UNKNOWN_KEY", key, f"{action} takes no keys: use SET beside it"))
            continue
        if key in seen:
            reasons.append(Reason("REPEATED_KEY", key, "the command has it more than once"))
            continue
        seen.add(key)
        value = read(key, text)
        if isinstance(value, Reason):
            reasons.append(value)
        else:
            values[key] = value
    if action == "CREATE":
        missing = [key for key, of in KEYS.items() if of.required and key not in seen]
        reasons += [Reason("MISSING_KEY", key, "a new tenant needs it") for key in missing]
    return values, reasons


def _refuse(word: str) -> Any:
    raise ValueError(word)


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... of {len(text)} characters"
