"""Events as browsers read them: as in `json_events`, but 64-bit integers are strings, which JavaScript would round."""

from __future__ import annotations

import json
from typing import Any

from tradewind.connectors.kafka.json_events import event_to_json, fields_of, strict_json
from tradewind.schemas.event import Event

LONGS = {'"long"', '["null", "long"]'}


def event_for_wire(event: Event) -> dict[str, Any]:
    """Return an event as JSON holds it, without its model's name; times are ISO 8601, decimals and longs strings."""
    found = event_to_json(event)
    del found["event"]
    for name, field in fields_of(type(event)).items():
        if json.dumps(field["type"]) in LONGS and found[name] is not None:
            found[name] = str(found[name])
    return found


def encoded(value: Any) -> bytes:
    """Return any value as JSON in UTF-8."""
    return strict_json(value).encode()
