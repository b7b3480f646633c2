"""The ranges that fields of events may state, each with its reason, and the rules that may hold between two fields.

A field of an `.avsc` file says `"range": "price"`, a record `"rules": ["bid <= ask"]`. Both are left out of what the
registry and the records' bytes know, so that they may change without a new version. The generated models carry them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["double", "long", "int", "decimal", "string"]
TEXT: Final[tuple[Kind, ...]] = ("string",)
RANGE_KEY: Final = "range"
RULES_KEY: Final = "rules"

PRICE_MIN: Final = 1e-10  # the smallest price that a decimal of scale 10 can say
PRICE_MAX: Final = 1e12  # no instrument comes near; times 10^15 units it still fits a decimal of 28 whole digits
EXACT_PRICE_MAX: Final = 10**13  # limits stand off the quote by a tenant's offset, so they reach further than quotes
AMOUNT_MAX: Final = 10**28 - 1  # 38 digits with 10 decimals hold it
SPREAD_MAX: Final = 1e8  # in units of 10^-10 it fits 63 bits
SIZE_MAX: Final = 1e12  # in units of 10^-6 it fits 63 bits
VOLUME_MAX: Final = 1e32  # a bar's sum of sizes is kept with 38 digits, in units of 10^-6
VOLATILITY_MAX: Final = 1e24  # a price that rises from `PRICE_MIN` to `PRICE_MAX` within a second has 8 * 10^22
TIME_END: Final = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000  # µs; leaves a year to what follows
LATER_END: Final = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()) * 1_000_000  # µs; stores know no year 10000
YEARS: Final = " µs (since 1970, before the year 10000)"
BEFORE_FIRST: Final = -1  # a bar at time 0 says that time has reached -1 µs
DURATION_MAX: Final = 90 * 86_400_000_000  # µs, 90 days: orders of brokers expire by then; times in range, plus it, are
INTERVAL_MAX_S: Final = 86_400  # a day; a longer bar would hold its quotes back for longer than any session
DEADLINE_MAX_MS: Final = 3_600_000  # an hour: nobody waits longer for an answer, and its reservation stays that long
TOKENS_MAX: Final = 10_000_000  # ten times the largest context there is; times a price in range it fits a decimal
TEMPERATURE_MAX: Final = 2.0  # the most that any provider takes
FACTOR_MAX: Final = 10.0  # of waits that grow: the third one is a hundred times the first
UNITS_MAX: Final = 10**15  # of one usage record; 9,000 of them still fit 63 bits
HTTP_STATUS: Final = (100, 599)  # all that HTTP has
NAME_CHARACTERS: Final = 256  # names are parts of keys and ids, of which a record holds several
KEY_CHARACTERS: Final = 2 * NAME_CHARACTERS + 1  # the key of an instrument is two names and a dot
ATTEMPTS_MAX: Final = 20  # calls of one request; a request ends at its deadline, and a busy provider is spared
WORDS_CHARACTERS: Final = 65_536  # four bytes each, and still far below the megabyte that Kafka takes
NOTE_CHARACTERS: Final = 16_384  # a denial quotes the reasons of three kill switches


class UnknownRange(ValueError):
    """A range or a rule that this module does not know; the message says which there are."""


@dataclass(frozen=True, slots=True)
class Range:
    """What values a field may have. NaN and the infinities are in no range."""

    kinds: tuple[Kind, ...]
    low: float | None = None
    """The least value, or the fewest characters; None where the type alone says it."""
    high: float | None = None
    """The largest value, or the most characters; None where the type alone says it."""
    above: bool = False
    """Whether `low` itself is left out."""
    note: str = ""
    """What a person needs beside the numbers."""

    def __str__(self) -> str:
        """Return the range in words: `from 0 to 1`, `above 0`, `up to 256 characters`."""
        words = []
        if self.low is not None and (self.low or self.kinds != TEXT):
            words.append(f"{'above' if self.above else 'from'} {_said(self.low)}")
        if self.high is not None:
            words.append(f"{'' if words else 'up '}to {_said(self.high)}")
        return " ".join(words) + (" characters" if self.kinds == TEXT else "") + self.note

    def holds(self, value: object) -> bool:
        """Return whether a value, or a text of this length, is in the range."""
        measured = len(value) if isinstance(value, str) else value
        low = self.low is None or (measured > self.low if self.above else measured >= self.low)  # type: ignore[operator]
        return bool(low and (self.high is None or measured <= self.high))  # type: ignore[operator]


def _said(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


RANGES: Final[dict[str, Range]] = {
    "any": Range(("long", "int", "string")),
    "amount": Range(("decimal",), -AMOUNT_MAX, AMOUNT_MAX),
    "price": Range(("double",), PRICE_MIN, PRICE_MAX),
    "spread": Range(("double",), 0.0, SPREAD_MAX),
    "size": Range(("double",), 0.0, SIZE_MAX),
    "volume": Range(("double",), 0.0, VOLUME_MAX),
    "volatility": Range(("double",), 0.0, VOLATILITY_MAX),
    "share": Range(("double",), 0.0, 1.0),
    "exact_price": Range(("decimal",), 0, EXACT_PRICE_MAX, above=True),
    "quantity": Range(("decimal",), 0, AMOUNT_MAX, above=True),
    "filled": Range(("decimal",), 0, AMOUNT_MAX),
    "limit": Range(("decimal",), 0, AMOUNT_MAX),
    "fraction": Range(("decimal",), 0, 1),
    "time": Range(("long",), 0, TIME_END, note=YEARS),
    "later": Range(("long",), 0, LATER_END, note=YEARS),
    "reached": Range(("long",), BEFORE_FIRST, LATER_END, note=YEARS),
    "count": Range(("long", "int"), 0),
    "quotes": Range(("long",), 1),
    "revision": Range(("long",), 1),
    "duration": Range(("long",), 1, DURATION_MAX),
    "interval": Range(("int",), 1, INTERVAL_MAX_S),
    "ordinal": Range(("int",), 1),
    "attempts": Range(("int",), 1, ATTEMPTS_MAX),
    "percent": Range(("int",), 1, 100),
    "units": Range(("long",), 1, UNITS_MAX),
    "tokens": Range(("int",), 1, TOKENS_MAX),
    "deadline": Range(("long",), 1, DEADLINE_MAX_MS),
    "http_status": Range(("int",), *HTTP_STATUS),
    "temperature": Range(("double",), 0.0, TEMPERATURE_MAX),
    "factor": Range(("double",), 1.0, FACTOR_MAX),
    "name": Range(TEXT, 1, NAME_CHARACTERS),
    "label": Range(TEXT, 0, NAME_CHARACTERS),
    "key": Range(TEXT, 1, KEY_CHARACTERS),
    "words": Range(TEXT, 0, WORDS_CHARACTERS),
    "note": Range(TEXT, 0, NOTE_CHARACTERS),
}
"""Name -> range. Null is in the range of every field that may be null."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """One field is at most, or less than, another; the difference of both may have a limit."""

    text: str
    less: str
    more: str
    strict: bool = False
    apart: float | None = None
    """How much larger `more` may be at most; None where the rule is about their order."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it is about."""
        return self.less, self.more


@dataclass(frozen=True, slots=True)
class Present:
    """One field has a value exactly where another has a certain one; nothing is said where that is not known."""

    text: str
    field: str
    other: str
    value: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it is about."""
        return self.field, self.other


Rule: TypeAlias = Ordered | Present
_ORDERED = re.compile(r"^(\w+) (<=|<) (\w+)$")
_APART = re.compile(r"^(\w+) - (\w+) <= (\d[\d.e+]*)$")
_PRESENT = re.compile(r"^(\w+) exactly where (\w+) is (\w+)$")


def rule_of(text: str) -> Rule:
    """Parse a rule; raises `UnknownRange`."""
    if found := _ORDERED.match(text):
        return Ordered(text, found[1], found[3], strict=found[2] == "<")
    if found := _APART.match(text):
        return Ordered(text, found[2], found[1], apart=float(found[3]))
    if found := _PRESENT.match(text):
        return Present(text, *found.groups())
    raise UnknownRange(f"no rule: {text!r}; write `a <= b`, `a < b`, `b - a <= 5` or `a exactly where b is WORD`")


def range_of(name: object, kind: str) -> Range:
    """Return a range by its name, for a field of a type; raises `UnknownRange`."""
    fitting = [known for known, of in RANGES.items() if kind in of.kinds]
    if name not in fitting:
        raise UnknownRange(f"its range is {name!r}; ranges of a {kind} are {', '.join(fitting) or 'none'}")
    return RANGES[str(name)]
