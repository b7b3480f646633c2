"""Filters of records: a small typed grammar, such as `side = BUY and price > 1.1`. Nothing of it is ever executed.

    filter     := term ("or" term)*
    term       := factor ("and" factor)*
    factor     := "not" factor | "(" filter ")" | field condition
    condition  := ("=" | "!=" | "<" | "<=" | ">" | ">=") value | "~" text | "is" ["not"] "null"
    value      := number | word | 'text' | "text"

A field of no record, or without a value, makes a condition false. `~` is true where a text contains another, whatever
its case. Errors: `BadFilter`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, Final, Literal, TypeAlias

LONGEST: Final = 500
"""Characters of a filter; a person types under a hundred."""
DEEPEST: Final = 20
MOST_CONDITIONS: Final = 20
MOST_DIGITS: Final = 64
"""Of a number: more than any decimal of ours holds."""
TOKEN: Final = re.compile(
    r"""\s*(?:(?P<text>'[^']*'|"[^"]*")|(?P<op><=|>=|!=|=|<|>|~)|(?P<mark>[()])|(?P<word>[^\s()'"=<>!~]+))"""
)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Plain: TypeAlias = Literal["text", "integer", "decimal", "double", "boolean", "time"]
Match: TypeAlias = Callable[[Mapping[str, Any]], bool]
"""Takes a record's fields by name."""


class BadFilter(ValueError):
    """A filter that cannot be read; the message says where, and what would be right."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What values of a field are."""

    of: Plain
    symbols: tuple[str, ...] = ()
    """The only values of the field; none where any is allowed."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Literal["text", "op", "mark", "word"]
    text: str
    at: int
    """Where it begins, from 1 on."""


def filter_of(text: str, fields: Mapping[str, Kind]) -> Match:
    """Return what decides on a record; raises `BadFilter`."""
    if len(text) > LONGEST:
        raise BadFilter(f"a filter has at most {LONGEST} characters, and this one has {len(text)}")
    parser = _Parser(_tokens(text), fields, len(text) + 1)
    found = parser.filter(0)
    parser.end()
    return found


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    stripped = text.rstrip()
    while at < len(stripped):
        token = TOKEN.match(stripped, at)
        if token is None:
            cut = stripped[at : at + 10]
            raise BadFilter(f"character {at + 1}: {cut!r} is no part of a filter; a text needs both quotes")
        kind = str(token.lastgroup)
        found.append(_Token(kind, token[kind], token.start(kind) + 1))  # type: ignore[arg-type] # a group's name
        at = token.end()
    return found


class _Parser:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[_Token], fields: Mapping[str, Kind], end: int) -> None:
        self._tokens, self._fields, self._end = tokens, fields, end
        self._at = 0
        self._conditions = 0

    def filter(self, depth: int) -> Match:
        """Read terms that are joined by `or`."""
        if depth > DEEPEST:
            raise BadFilter(f"a filter has at most {DEEPEST} parentheses or `not` within each other")
        terms = [self._term(depth)]
        while self._took("or"):
            terms.append(self._term(depth))
        return terms[0] if len(terms) == 1 else lambda record: any(term(record) for term in terms)

    def end(self) -> None:
        """Raise unless all was read."""
        if self._at < len(self._tokens):
            token = self._tokens[self._at]
            raise BadFilter(f"character {token.at}: expected `and`, `or` or the end, got {token.text!r}")

    def _term(self, depth: int) -> Match:
        factors = [self._factor(depth)]
        while self._took("and"):
            factors.append(self._factor(depth))
        return factors[0] if len(factors) == 1 else lambda record: all(factor(record) for factor in factors)

    def _factor(self, depth: int) -> Match:
        if self._took("not"):
            if depth >= DEEPEST:
                raise BadFilter(f"a filter has at most {DEEPEST} parentheses or `not` within each other")
            inner = self._factor(depth + 1)
            return lambda record: not inner(record)
        if self._took("("):
            inner = self.filter(depth + 1)
            if not self._took(")"):
                raise BadFilter(f"character {self._here()}: expected `)`")
            return inner
        return self._condition()

    def _condition(self) -> Match:
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            raise BadFilter(f"a filter has at most {MOST_CONDITIONS} conditions")
        token = self._next("a field")
        kind = self._fields.get(token.text) if token.kind == "word" else None
        if kind is None:
            close = get_close_matches(token.text, self._fields, n=1)
            hint = f"did you mean {close[0]}?" if close else f"fields are {', '.join(sorted(self._fields))}"
            raise BadFilter(f"character {token.at}: no field is called {token.text!r}; {hint}")
        return self._compared(token.text, kind)

    def _compared(self, name: str, kind: Kind) -> Match:
        token = self._next("an operator")
        if token.kind == "word" and token.text.lower() == "is":
            wants = not self._took("not")
            if not self._took("null"):
                raise BadFilter(f"character {self._here()}: expected `null` after `is`")
            return lambda record: (record.get(name) is None) is wants
        if token.text == "~":
            return self._containing(name, kind, token)
        if token.kind != "op":
            raise BadFilter(f"character {token.at}: expected = != < <= > >= ~ or `is`, got {token.text!r}")
        compare, value = OPERATORS[token.text], _value(name, kind, self._next("a value"))

        def matches(record: Mapping[str, Any]) -> bool:
            found = record.get(name)
            return found is not None and compare(found, value)

        return matches

    def _containing(self, name: str, kind: Kind, token: _Token) -> Match:
        if kind.of != "text":
            raise BadFilter(f"character {token.at}: ~ is for texts, and {name} is a {kind.of}")
        wanted = _unquoted(self._next("a text")).lower()
        return lambda record: wanted in str(record.get(name) or "").lower()

    def _next(self, wanted: str) -> _Token:
        if self._at >= len(self._tokens):
            raise BadFilter(f"character {self._end}: expected {wanted}, and the filter ends")
        self._at += 1
        return self._tokens[self._at - 1]

    def _took(self, word: str) -> bool:
        if self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind in {"word", "mark"} and token.text.lower() == word:
                self._at += 1
                return True
        return False

    def _here(self) -> int:
        return self._tokens[self._at].at if self._at < len(self._tokens) else self._end


def _unquoted(token: _Token) -> str:
    if token.kind not in {"text", "word"}:
        raise BadFilter(f"character {token.at}: expected a value, got {token.text!r}")
    return token.text[1:-1] if token.kind == "text" else token.text


def _value(name: str, kind: Kind, token: _Token) -> Any:
    """Return a value as records hold it: an exact decimal, a double, an integer, µs, a text."""
    text = _unquoted(token)
    if kind.symbols and text not in kind.symbols:
        close = get_close_matches(text.upper(), kind.symbols, n=1)
        hint = f"did you mean {close[0]}?" if close else f"its values are {', '.join(kind.symbols)}"
        raise BadFilter(f"character {token.at}: {name} is never {text!r}; {hint}")
    if kind.of == "text":
        return text
    try:
        return READERS[kind.of](text)
    except (ValueError, InvalidOperation, OverflowError):
        raise BadFilter(f"character {token.at}: {name} is a {kind.of}, and {text!r} is none{HINTS[kind.of]}") from None


def _integer(text: str) -> int | Decimal:
    found = _decimal(text)
    return int(found) if found == found.to_integral_value() else found


def _decimal(text: str) -> Decimal:
    found = Decimal(text)
    if not found.is_finite() or (found and not -MOST_DIGITS < found.adjusted() < MOST_DIGITS):
        raise InvalidOperation
    return found


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError
    return text.lower() == "true"


def _time(text: str) -> int:
    if text.isdecimal():
        return int(text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return (moment - EPOCH) // timedelta(microseconds=1)


READERS: Final[Mapping[Plain, Callable[[str], Any]]] = {
    "integer": _integer,
    "decimal": _decimal,
    "double": lambda text: float(_decimal(text)),
    "boolean": _boolean,
    "time": _time,
}
HINTS: Final[Mapping[Plain, str]] = {
    "integer": "",
    "decimal": "",
    "double": "",
    "boolean": ": use true or false",
    "time": ": use such as 2026-01-31T09:00:00Z",
}
