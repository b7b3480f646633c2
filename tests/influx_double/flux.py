"""The part of Flux that our reader uses, and nothing else: whatever it does not know is an error of the query.

Tables, their group keys and what each function does to them are those of Flux's specification; the answer is annotated
CSV as `flux/csv` writes it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from influx_double.lines import Unsigned
from influx_double.store import Bucket, rfc3339

Row = dict[str, Any]
Key = tuple[tuple[str, Any], ...]
Tables = list[tuple[Key, list[Row]]]
TEXT = r'"((?:[^"\\$]|\\.)*)"'
STAGE = re.compile(r"\s*(\w+)\(((?:[^()\"]|\"(?:[^\"\\]|\\.)*\"|\((?:[^()\"]|\"(?:[^\"\\]|\\.)*\")*\))*)\)\s*(\|>|$)")
CONDITION = re.compile(rf"\s*r(?:\.(\w+)|\[{TEXT}\]) == {TEXT}\s*(and|$)")
TIMES = re.compile(r"start: (\S+?(?:\(v: -?\d+\))?), stop: (\S+?(?:\(v: -?\d+\))?)$")
SORT = re.compile(rf"columns: \[{TEXT}\](, desc: true)?$")


class FluxError(Exception):
    """The query is none that InfluxDB, or this part of it, knows."""


class NoBucket(Exception):
    """The bucket of the query is not there."""


def run(flux: str, bucket: Callable[[str], Bucket | None]) -> str:
    """Return the answer to a query as annotated CSV."""
    stages = list(_stages(flux))
    names = [name for name, _ in stages[:3]]
    if names != ["from", "range", "filter"]:
        raise FluxError(f"compilation failed: a query begins with from, range and filter, not with {names}")
    name = _match(rf"bucket: {TEXT}$", stages[0][1])
    found = bucket(_text(name[1]))
    if found is None:
        raise NoBucket(_text(name[1]))
    where, rest = {}, stages[2:]
    while rest and rest[0][0] == "filter":  # InfluxDB, too, reads no more than what all of them let through
        where.update(_conditions(rest.pop(0)[1]))
    tables = _read(found, *_range(stages[1][1]), where)
    for stage, arguments in rest:
        if stage not in FUNCTIONS:
            raise FluxError(f"compilation failed: error @1:1: undefined identifier {stage}")
        tables = FUNCTIONS[stage](tables, arguments)
    return _csv(tables, {name: KINDS[kind] for (_, _, name), kind in found.types.items()})


def _stages(flux: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(flux):
        stage = STAGE.match(flux, at)
        if stage is None:
            raise FluxError(f"compilation failed: error @1:{at + 1}: invalid statement: {flux[at : at + 20]}")
        yield stage[1], stage[2].strip()
        at = stage.end()


def _match(pattern: str | re.Pattern[str], arguments: str) -> re.Match[str]:
    found = re.match(pattern, arguments)
    if found is None:
        raise FluxError(f"compilation failed: invalid arguments: {arguments}")
    return found


def _text(literal: str) -> str:
    return re.sub(r"\\(.)", r"\1", literal)


def _range(arguments: str) -> tuple[int, int]:
    found = _match(TIMES, arguments)
    return _time(found[1]), _time(found[2])


def _time(text: str) -> int:
    number = re.match(r"time\(v: (-?\d+)\)$", text)
    if number is not None:
        return int(number[1])
    return int(datetime.fromisoformat(text).timestamp()) * 10**9


def _conditions(arguments: str) -> dict[str, str]:
    body = _match(r"fn: \(r\) => (.*)$", arguments)[1]
    found, at = {}, 0
    while at < len(body):
        condition = CONDITION.match(body, at)
        if condition is None:
            raise FluxError(f"compilation failed: this double knows no condition {body[at:]}")
        found[condition[1] or _text(condition[2])] = _text(condition[3])
        at = condition.end()
    return found


def _read(bucket: Bucket, start: int, stop: int, where: dict[str, str]) -> Tables:
    """Return a table for each series and field, with a row for each point; the columns of the key go without saying."""
    found: dict[Key, list[Row]] = {}
    for (measurement, tags), times in bucket.series.items():
        known = {"_measurement": measurement, **dict(tags)}
        if any(known.get(name) != value for name, value in where.items() if name != "_field"):
            continue
        for time in sorted(times):
            if start <= time < stop:
                for name, value in times[time].items():
                    if where.get("_field", name) == name:
                        key = tuple(sorted({**known, "_start": start, "_stop": stop, "_field": name}.items()))
                        found.setdefault(key, []).append({"_time": time, "_value": value})
    return sorted(found.items(), key=lambda one: repr(one[0]))


def _count(tables: Tables, arguments: str) -> Tables:
    _match(r"$", arguments)
    return [(key, [{"_value": len(rows)}]) for key, rows in tables]


def _sum(tables: Tables, arguments: str) -> Tables:
    _match(r"$", arguments)
    return [(key, [{"_value": sum(row["_value"] for row in rows)}]) for key, rows in tables]


def _last(tables: Tables, arguments: str) -> Tables:
    _match(r"$", arguments)
    return [(key, rows[-1:]) for key, rows in tables]


def _group(tables: Tables, arguments: str) -> Tables:
    _match(r"$", arguments)
    rows = [{**dict(key), **row} for key, own in tables for row in own]
    return [((), rows)] if rows else []


def _pivot(tables: Tables, arguments: str) -> Tables:
    """Return a row for each time, with a column for each field: `_field` and `_value` leave the group key."""
    _match(r'rowKey: \["_time"\], columnKey: \["_field"\], valueColumn: "_value"$', arguments)
    found: dict[Key, dict[int, Row]] = {}
    names = sorted({dict(key)["_field"] for key, _ in tables})
    for key, rows in tables:
        own = tuple(pair for pair in key if pair[0] != "_field")
        into, name = found.setdefault(own, {}), dict(key)["_field"]
        for row in rows:
            if row["_time"] not in into:
                into[row["_time"]] = {"_time": row["_time"], **dict.fromkeys(names)}
            into[row["_time"]][name] = row["_value"]
    return [(key, [rows[time] for time in sorted(rows)]) for key, rows in found.items()]


def _sort(tables: Tables, arguments: str) -> Tables:
    found = _match(SORT, arguments)
    column, down = _text(found[1]), found[2] is not None
    return [(key, sorted(rows, key=lambda row: row[column], reverse=down)) for key, rows in tables]


def _limit(tables: Tables, arguments: str) -> Tables:
    most = int(_match(r"n: (\d+)$", arguments)[1])
    return [(key, rows[:most]) for key, rows in tables]


FUNCTIONS: dict[str, Callable[[Tables, str], Tables]] = {
    "count": _count,
    "sum": _sum,
    "last": _last,
    "group": _group,
    "pivot": _pivot,
    "sort": _sort,
    "limit": _limit,
}


KINDS = {"integer": "long", "float": "double", "string": "string", "boolean": "boolean", "unsigned": "unsignedLong"}


def _csv(tables: Tables, fields: Mapping[str, str]) -> str:
    """Return annotated CSV: types and names again where the columns change, lines ending in CRLF."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    before: list[str] = []
    for number, (key, of) in enumerate(tables):
        rows = [{**dict(key), **row} for row in of]
        columns = list(rows[0])
        kinds = [fields.get(column) or _kind(column, rows[0][column]) for column in columns]
        if columns != before:
            if before:
                out.write("\r\n")
            writer.writerow(["#datatype", "string", "long", *kinds])
            writer.writerow(["", "result", "table", *columns])
            before = columns
        for row in rows:
            shown = (_shown(column, row[column]) for column in columns)
            writer.writerow(["", "_result" if number == 0 else "", number, *shown])
    out.write("\r\n")
    return out.getvalue()


def _kind(column: str, value: Any) -> str:
    if column in ("_time", "_start", "_stop"):
        return "dateTime:RFC3339"
    if isinstance(value, Unsigned):
        return "unsignedLong"
    return {bool: "boolean", int: "long", float: "double"}.get(type(value), "string")


def _shown(column: str, value: Any) -> str:
    if value is None:
        return ""
    if column in ("_time", "_start", "_stop"):
        return rfc3339(value)
    if isinstance(value, bool):
        return str(value).lower()
    return format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)
