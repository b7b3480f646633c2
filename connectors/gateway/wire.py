"""Events as browsers read them: as in `json_events`, but 64-bit integers are strings, which JavaScript would round."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from typing import Any

from tradewind.connectors.kafka.json_events import event_to_json, fields_of, strict_json
from tradewind.processors.money import shown
from tradewind.schemas.codec import MODELS
from tradewind.schemas.event import Event

LONGS = {'"long"', '["null", "long"]'}


def event_for_wire(event: Event) -> dict[str, Any]:
    """Return an event as JSON holds it, without its model's name; times are ISO 8601.

    Longs are strings. So are decimals, without zeros at their end.
    """
    found = event_to_json(event)
    del found["event"]
    for name in _longs(event.SCHEMA):
        if found[name] is not None:
            found[name] = str(found[name])
    for name in found:
        if isinstance(value := getattr(event, name), Decimal):
            found[name] = shown(value)
    return found


@cache
def _longs(schema: str) -> tuple[str, ...]:
    return tuple(name for name, field in fields_of(MODELS[schema]).items() if json.dumps(field["type"]) in LONGS)


def encoded(value: Any) -> bytes:
    """Return any value as JSON in UTF-8."""
    return strict_json(value).encode()
