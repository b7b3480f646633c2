"""Events as JSON and back, without loss: what people and shells read and write.

Times are ISO 8601 in UTC with microseconds, decimals are strings, bytes are hex digits. Reading also takes times as
whole µs and decimals as numbers. `event` names the model where a topic carries several; `at` has a record's
coordinates, and is not read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import cache
from typing import Any

from tradewind.schemas.codec import SCHEMAS
from tradewind.schemas.event import Event
from tradewind.topics import Topic

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FRACTION_DIGITS = 6
MODEL, COORDINATES = "event", "at"
LIMITS = {"int": 31, "long": 63}  # bits beside the sign


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
        found = json.loads(line, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise NotAnEvent(f"no JSON: {error}") from error
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
        raise TypeError(f"expected a time, got {value!r}")
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone: end it in Z for UTC")
    if len(value.partition(".")[2].rstrip("Zz").split("+")[0].split("-")[0]) > FRACTION_DIGITS:
        raise ValueError(f"{value!r} is finer than microseconds")
    return (moment - EPOCH) // MICROSECOND


def _to_json(schema: Any, value: Any) -> Any:
    match schema:
        case ["null", other]:
            return None if value is None else _to_json(other, value)
        case {"logicalType": "decimal"}:
            return format(value, "f")
        case {"logicalType": "timestamp-micros"}:
            return time_to_json(value)
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
            return time_from_json(value)
        case {"type": "enum", "symbols": symbols}:
            if value not in symbols:
                raise ValueError(f"expected one of {', '.join(symbols)}, got {value!r}")
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
            return _typed(value, str, "a string")
        case "boolean":
            return _typed(value, bool, "true or false")
        case "bytes":
            return bytes.fromhex(_typed(value, str, "hex digits"))
        case "double":
            if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
                raise TypeError(f"expected a number, got {value!r}")
            return float(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"expected a whole number, got {value!r}")
    if not -(2 ** LIMITS[kind]) <= value < 2 ** LIMITS[kind]:
        raise ValueError(f"{value} does not fit {LIMITS[kind] + 1} bits")
    return value


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise TypeError(f"expected a decimal, as a string or a number, got {value!r}")
    try:
        return Decimal(value)
    except InvalidOperation:
        raise ValueError(f"expected a decimal, got {value!r}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of an event")


def _typed(value: Any, kind: type, said: str) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"expected {said}, got {value!r}")
    return value
