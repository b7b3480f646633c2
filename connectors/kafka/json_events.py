"""Events as JSON and back, without loss: what people and shells read and write.

Times are ISO 8601 in UTC with microseconds, decimals are strings, bytes are hex digits. Reading also takes times as
whole µs and decimals as numbers. `event` names the model where a topic carries several; `at` has a record's
coordinates, and is not read.

JSON is strict both ways (RFC 8259). NaN and the infinities, which it has no numbers for, are written as the strings
"NaN", "Infinity" and "-Infinity", as Protocol Buffers do, and are not read: no event should hold them. Reading refuses
numbers that a double cannot hold, keys that come twice, and text that is not Unicode.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import cache
from typing import Any

from tradewind.schemas.codec import SCHEMAS
from tradewind.schemas.event import UNKNOWN, Event
from tradewind.topics import Topic

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FRACTION_DIGITS = 6
MODEL, COORDINATES = "event", "at"
LIMITS = {"int": 31, "long": 63}  # bits beside the sign
DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")  # what JSON calls a number; leading zeros do no harm
MOST_DIGITS = 64  # more than any decimal of ours holds: 1e999999999 would otherwise be written out
HEX = re.compile(r"([0-9a-fA-F]{2})*")


class NotAnEvent(ValueError):
    """JSON that is no event of the topic; the message names the field."""


def fields_of(model: type[Event]) -> Mapping[str, Mapping[str, Any]]:
    """Return the fields of a model's schema by name."""
    return _fields(model.SCHEMA)


@cache
def _fields(schema: str) -> Mapping[str, Mapping[str, Any]]:
    return {field["name"]: field for field in json.loads(SCHEMAS[schema][-1])["fields"]}


def event_to_json(event: Event, at: str | None = None) -> dict[str, Any]:
    """Return an event as JSON holds it; `at` adds its coordinates."""
    record = event.to_dict()
    values = {name: _to_json(field["type"], record[name]) for name, field in fields_of(type(event)).items()}
    return {MODEL: type(event).__name__, **({} if at is None else {COORDINATES: at}), **values}


def parse_event(line: str, topic: Topic) -> Event:
    """Read an event of a topic from a line of JSON; raises `NotAnEvent`."""
    try:
        found = json.loads(line, parse_float=Decimal, parse_constant=_Constant, object_pairs_hook=_object)
    except NotAnEvent:
        raise
    except (ValueError, RecursionError) as error:
        raise NotAnEvent(f"not JSON: {error}") from error
    if not isinstance(found, dict):
        raise NotAnEvent("not a JSON object")
    return event_from_json(found, topic)


def event_from_json(found: Mapping[str, Any], topic: Topic) -> Event:
    """Build an event of a topic from a JSON object; raises `NotAnEvent`."""
    models = {model.__name__: model for model in topic.models}
    name = found.get(MODEL, topic.model.__name__)
    model = models.get(name) if isinstance(name, str) else None
    if model is None:
        raise NotAnEvent(f"{MODEL}: {topic.name} carries {' or '.join(models)}, not {name!r}")
    fields = fields_of(model)
    for given in found:
        if given not in fields and given not in {MODEL, COORDINATES}:
            close = get_close_matches(given, fields, n=1)
            raise NotAnEvent(f"{given}: {model.__name__} has no such field" + (f"; is it {close[0]}?" if close else ""))
    record = {}
    for field_name, field in fields.items():
        if field_name in found:
            record[field_name] = _from_json(field["type"], found[field_name], field_name)
        elif "default" in field:
            record[field_name] = field["default"]
        else:
            raise NotAnEvent(f"{field_name}: missing, and {model.__name__} needs it")
    return model.from_dict(record)


def time_to_json(ts: int) -> str | int:
    """Return µs as ISO 8601; as they are where no calendar has them."""
    try:
        return (EPOCH + ts * MICROSECOND).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except OverflowError:
        return ts


def time_from_json(value: object) -> int:
    """Return µs from ISO 8601 with a time zone, or from whole µs; raises `ValueError`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise TypeError(f"expected a time, got {_shown(value)}")
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(f"{_shown(value)} has no time zone: end it in Z for UTC")
    if len(value.partition(".")[2].rstrip("Zz").split("+")[0].split("-")[0]) > FRACTION_DIGITS:
        raise ValueError(f"{_shown(value)} is finer than microseconds")
    return (moment - EPOCH) // MICROSECOND


def _to_json(schema: Any, value: Any) -> Any:
    match schema:
        case ["null", other]:
            return None if value is None else _to_json(other, value)
        case {"logicalType": "decimal"}:
            return format(value, "f")
        case {"logicalType": "timestamp-micros"}:
            return time_to_json(value)
        case "double":
            return value if math.isfinite(value) else _said(value)
        case {"type": "array", "items": items}:
            return [_to_json(items, item) for item in value]
        case {"type": "record", "fields": fields}:
            return {field["name"]: _to_json(field["type"], value[field["name"]]) for field in fields}
        case "bytes":
            return bytes(value).hex()
    return value


def _from_json(schema: Any, value: Any, where: str) -> Any:
    try:
        return _read(schema, value, where)
    except (ValueError, TypeError, InvalidOperation, OverflowError) as error:
        if isinstance(error, NotAnEvent):
            raise
        raise NotAnEvent(f"{where}: {error or 'not a number'}") from error


def _read(schema: Any, value: Any, where: str) -> Any:
    match schema:
        case ["null", other]:
            return None if value is None else _from_json(other, value, where)
        case {"logicalType": "decimal"}:
            return _decimal(value)
        case {"logicalType": "timestamp-micros"}:
            return _fitting("long", time_from_json(value))
        case {"type": "enum", "symbols": symbols}:
            if value not in symbols or value == UNKNOWN:
                known = ", ".join(symbol for symbol in symbols if symbol != UNKNOWN)
                raise ValueError(f"expected one of {known}, got {_shown(value)}")
            return value
        case {"type": "array", "items": items}:
            return [_from_json(items, item, f"{where}[{at}]") for at, item in enumerate(_typed(value, list, "a list"))]
        case {"type": "record", "fields": fields}:
            inner = _typed(value, dict, "an object")
            missing = [field["name"] for field in fields if field["name"] not in inner]
            if missing or len(inner) != len(fields):
                raise ValueError(f"expected the fields {', '.join(field['name'] for field in fields)}")
            return {f["name"]: _from_json(f["type"], inner[f["name"]], f"{where}.{f['name']}") for f in fields}
        case {"type": str(kind)}:
            return _plain(kind, value)
    return _plain(schema, value)


def _plain(kind: str, value: Any) -> Any:
    match kind:
        case "string":
            return _text(_typed(value, str, "a string"))
        case "boolean":
            return _typed(value, bool, "true or false")
        case "bytes":
            if not HEX.fullmatch(_typed(value, str, "hex digits")):
                raise ValueError(f"expected hex digits, got {_shown(value)}")
            return bytes.fromhex(value)
        case "double":
            if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
                raise TypeError(f"expected a number, got {_shown(value)}")
            return _double(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"expected a whole number, got {_shown(value)}")
    return _fitting(kind, value)


def _double(value: float | Decimal) -> float:
    """Return the double nearest to a number; raises where it is beyond the largest, or would become zero."""
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found) or (found == 0 and value != 0):
        raise ValueError(f"{_shown(value)} is too large or too small for a double")
    return found


def _fitting(kind: str, value: int) -> int:
    if not -(2 ** LIMITS[kind]) <= value < 2 ** LIMITS[kind]:
        raise ValueError(f"{_shown(value)} does not fit {LIMITS[kind] + 1} bits")
    return value


def _text(value: str) -> str:
    """Return text that UTF-8 can hold; a surrogate alone is half a character."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{value[error.start]!a} at character {error.start + 1} is half a character") from None
    return value


def _shown(value: object) -> str:
    """Return a number as it is said in a message, cut where it is long."""
    text = str(value) if isinstance(value, Decimal | float) else repr(value)
    return text if len(text) <= MOST_DIGITS else f"{text[:MOST_DIGITS]}..."


def _said(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def strict_json(value: Any, *, indent: int | None = None, encoding: str | None = "utf-8") -> str:
    """Return any value as JSON that every reader takes, and that an output of this encoding can hold.

    Numbers that JSON lacks become strings, as in events; what the encoding lacks becomes an escape.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    except ValueError:
        return strict_json(_finite(value), indent=indent, encoding=encoding)
    if not text.isascii():
        try:
            text.encode(encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return json.dumps(value, allow_nan=False, indent=indent)
    return text


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else _said(value)
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
    return value


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise TypeError(f"expected a decimal, as a string or a number, got {_shown(value)}")
    if isinstance(value, str) and not DECIMAL.fullmatch(value):
        raise ValueError(f"expected a decimal, got {_shown(value)}")
    try:
        found = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"expected a decimal, got {_shown(value)}") from None
    if found and not -MOST_DIGITS < found.adjusted() < MOST_DIGITS:
        raise ValueError(f"{_shown(value)} is too large or too small for a decimal of an event")
    return found


class _Constant:
    """NaN or an infinity, which Python's reader takes and JSON does not have."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's members; raises `NotAnEvent` where a key comes twice or JSON has no such value."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise NotAnEvent(f"{_shown(key)}: duplicate key")
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, _Constant):
                raise NotAnEvent(f"{key}: {one!r} is not a number in JSON")
        found[key] = value
    return found


def _typed(value: Any, kind: type, said: str) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"expected {said}, got {_shown(value)}")
    return value
