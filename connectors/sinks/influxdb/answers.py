"""What InfluxDB's answers to a write mean. Nothing here asks it anything.

| status | body (InfluxDB 2.8: `http/write_handler.go`, `models/points.go`, `tsdb/shard.go`) | what follows |
|---|---|---|
| 400 | each bad line: `unable to parse 'LINE': REASON`, one below the other; nothing was written | those lines alone |
| 422 | `partial write: field type conflict: input field "F" on measurement "M" ...`; the other lines were written | see `Conflict` |
| 422 | `partial write: dropped N points outside retention policy of duration ...`; the others were written | `Outside` |
| 422 | `partial write: ...` otherwise, such as a text of over 1 MiB | the line is looked for |
| 413 | `points batch is too large` | smaller requests |
| 401, 403 | `unauthorized access`, `insufficient permissions for write` | again, until the token is mended |
| 404 | `bucket "B" not found`, `organization name "O" not found` | the bucket is made again |
| 429, 5xx | InfluxDB Cloud and proxies add `Retry-After` | again, not before that |

On the endpoint that it shares with InfluxDB 2, InfluxDB 3 writes a request whole or not at all (`influxdb3_types/src/
http.rs`). It answers 400 with the reason of the first bad line, and names no line. Partial writes of its own endpoint,
which a proxy may choose, name each line by its number (`influxdb3_server/src/http.rs`).
"""  # noqa: E501 - a table

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tradewind.connectors.sinks.sink import PoisonBatch, StoreUnavailable

SHOWN = 300  # characters of an answer in a message
UNPARSED = re.compile(r"^unable to parse '(.*)': (.*)$")
CONFLICT = re.compile(
    r'input field \\?"(.+?)\\?" on measurement \\?".+?\\?" is type \w+, already exists as type \w+'
    r"|invalid column type for column '(.+?)', expected"  # InfluxDB 3: `influxdb3_catalog/src/error.rs`
)
BOUND = re.compile(r"Retention Policy Lower Bound at (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z")
PARTIAL = ("partial write", "partial write of line protocol occurred")
TOO_LARGE, NOT_FOUND, REFUSED = 413, 404, (400, 422)
TOKEN = (401, 403)


class TooLarge(Exception):
    """The request has more bytes than the server takes."""


class NotFound(Exception):
    """The bucket or the organisation is not there."""


class Outside(Exception):
    """Lines before `bound_us` (µs) are older than what the bucket keeps; the others were written."""

    def __init__(self, reason: str, bound_us: int) -> None:
        super().__init__(reason)
        self.bound_us = bound_us


class Conflict(Exception):
    """A field has another type in the bucket. Lines without that field are not to blame."""

    def __init__(self, reason: str, field: str) -> None:
        super().__init__(reason)
        self.field = field


def meaning(status: int, body: str, headers: Mapping[str, str], sent: bytes) -> Exception:
    """Return what is to be raised for an answer to a write of the lines `sent`."""
    answer = _json(body)
    text = str(answer.get("message") or answer.get("error") or body)[:SHOWN]
    whole = str(answer.get("message") or body)
    if status == TOO_LARGE:
        return TooLarge(text)
    if status == NOT_FOUND:
        return NotFound(text)
    if status in TOKEN:
        return StoreUnavailable(
            f"refuses the token ({status}: {text}): set TRADEWIND_INFLUX__TOKEN to one that may write"
        )
    if (match := CONFLICT.search(whole)) is not None:
        return Conflict(whole[:SHOWN], match[1] or match[2])
    if any(words in whole or words == answer.get("error") for words in PARTIAL):
        return _partial(answer, whole)
    if status in REFUSED:
        return _unparsed(whole, sent)
    return StoreUnavailable(f"answers {status}: {text}", _seconds(headers.get("Retry-After")))


def _partial(answer: Mapping[str, Any], whole: str) -> Exception:
    """Return what a partial write means: everything else was written."""
    if (match := BOUND.search(whole)) is not None:
        return Outside(whole[:SHOWN], _us(match))
    named = [one for one in answer.get("data") or () if isinstance(one, dict)]
    places = [one["line_number"] - 1 for one in named if isinstance(one.get("line_number"), int)]
    reason = str(named[0].get("error_message", whole)) if named else whole
    return PoisonBatch(reason[:SHOWN], named=places if len(places) == len(named) else ())


def _unparsed(whole: str, sent: bytes) -> PoisonBatch:
    """Return which lines could not be parsed: all of them are named, by their text."""
    found = [match for match in map(UNPARSED.match, whole.split("\n")) if match is not None]
    if not found:
        return PoisonBatch(whole[:SHOWN])
    places = {line: place for place, line in reversed(list(enumerate(sent.decode().split("\n"))))}
    named = [places[match[1]] for match in found if match[1] in places]
    return PoisonBatch(found[0][2][:SHOWN], named=named if len(named) == len(found) else ())


def _us(match: re.Match[str]) -> int:
    seconds = int(datetime.fromisoformat(f"{match[1]}+00:00").timestamp())
    return seconds * 1_000_000 + int((match[2] or "").ljust(6, "0")[:6])


def _seconds(text: str | None) -> float:
    """Return what `Retry-After` asks for; a date, which neither InfluxDB nor its proxies send, counts as nothing."""
    return float(text) if text is not None and text.strip().isdecimal() else 0.0


def _json(body: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
