"""How dead letters are shown: groups as a table, letters whole, both as JSON for machines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from tradewind.connectors.dead_letters import Group
from tradewind.connectors.kafka.consumption import Record
from tradewind.connectors.kafka.json_events import event_to_json, strict_json, time_to_json
from tradewind.infra.cli.output import aligned
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.schemas.runtime import DeadLetter, Redriven

HEAD = ("agent", "error", "from", "attempt", "letters", "waiting", "redriven", "oldest", "newest", "reason")
NUMBERS = range(3, 7)
SECONDS_END = len("2026-01-31T09:00:00")


def table(groups: Sequence[Group]) -> str:
    """Return groups as lines: numbers to the right, and the sums below where there are several."""
    rows = [HEAD, *map(_cells, groups)]
    if len(groups) > 1:
        sums = (sum(group.letters for group in groups), sum(group.waiting for group in groups))
        oldest, newest = min(group.oldest for group in groups), max(group.newest for group in groups)
        rows.append(("all", "", "", "", *map(_count, (*sums, sums[0] - sums[1])), _second(oldest), _second(newest), ""))
    return aligned(rows, NUMBERS)


def group_to_json(group: Group) -> dict[str, Any]:
    """Return a group as JSON holds it."""
    return {
        "agent": group.agent,
        "error": group.error,
        "topic": group.topic,
        "attempt": group.attempt,
        "reason": group.reason,
        "letters": group.letters,
        "waiting": group.waiting,
        "redriven": group.redriven,
        "oldest": time_to_json(group.oldest),
        "newest": time_to_json(group.newest),
    }


def letter_to_json(record: Record, letter: DeadLetter, mark: Redriven | None, codec: Codec) -> dict[str, Any]:
    """Return a letter as JSON holds it: what can be read is readable, and what cannot is in hexadecimal."""
    return {
        "letter": record.at,
        "event_id": letter.event_id,
        "agent": letter.agent,
        "error": letter.error,
        "reason": letter.reason,
        "attempt": letter.attempt,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "ts_ingest": time_to_json(letter.ts_ingest),
        **_content("key", letter.key),
        "headers": [{"name": header["key"], **_content("value", header["value"])} for header in letter.headers],
        **_value(letter.value, codec),
        "redriven": None if mark is None else {"times": mark.times, "last": time_to_json(mark.ts_redriven)},
    }


def letter_to_text(shown: dict[str, Any]) -> str:
    """Return a letter, as `letter_to_json` gives it, as lines for people."""
    again = shown["redriven"]
    lines = [
        f"{shown['agent']}  {shown['error']}, attempt {shown['attempt']}: {shown['reason']}",
        f"  record    {shown['topic']}/{shown['partition']}@{shown['offset']}, arrived at {shown['ts_ingest']}",
        f"  letter    {shown['letter']}, {shown['event_id']}",
        "  redriven  " + ("no" if again is None else f"{again['times']} times, last at {again['last']}"),
        f"  key       {_text(shown, 'key')}",
        *(f"  header    {header['name']} = {_text(header, 'value')}" for header in shown["headers"]),
        f"  value     {_text(shown, 'value')}",
    ]
    return "\n".join(lines)


def _cells(group: Group) -> tuple[str, ...]:
    counts = map(_count, (group.letters, group.waiting, group.redriven))
    times = (_second(group.oldest), _second(group.newest))
    return (group.agent, group.error, group.topic, str(group.attempt), *counts, *times, group.reason)


def _count(number: int) -> str:
    return f"{number:,}"


def _second(ts: int) -> str:
    told = time_to_json(ts)
    return f"{told[:SECONDS_END]}Z" if isinstance(told, str) else str(told)


def _value(value: bytes | None, codec: Codec) -> dict[str, Any]:
    """Return the event where the value is one, else its bytes: poison is an event, garbage is not."""
    if value is not None:
        try:
            return {"value": event_to_json(codec.decode(value))}
        except UndecodableRecord:
            return {"value_hex": value.hex()}
    return {"value": None}


def _content(name: str, content: object) -> dict[str, str | None]:
    """Return bytes as text where they are readable text."""
    if not isinstance(content, bytes):
        return {name: None}
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return {f"{name}_hex": content.hex()}
    return {name: text} if text.isprintable() else {f"{name}_hex": content.hex()}


def _text(shown: dict[str, Any], name: str) -> str:
    if f"{name}_hex" in shown:
        return f"hex {shown[f'{name}_hex']}"
    content = shown[name]
    if content is None:
        return "none"
    return content if isinstance(content, str) else strict_json(content, encoding=sys.stdout.encoding)
