"""The double refuses what InfluxDB refuses, in InfluxDB's words: else tests against it prove nothing.

The errors are those of `models/points.go` and `tsdb/` of v2.8.0, and so are the status codes of `http/`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_double import Double
from influx_double.lines import PLAIN, LineError, Unsigned, parse, parse_point, value_of
from influx_double.store import Bucket

REFUSED = [
    ("cpu", "missing fields"),
    ("cpu,host=a", "missing fields"),
    (",host=a value=1", "missing measurement"),
    ("cpu, value=1", "missing tag key"),
    ("cpu,=a value=1", "missing tag key"),
    ("cpu,host value=1", "missing tag value"),
    ("cpu,host= value=1", "missing tag value"),
    ("cpu,host=a=b value=1", "invalid tag format"),
    ("cpu,host=a,host=b value=1", "duplicate tags"),
    ("cpu,time=a value=1", 'cannot use reserved tag key "time"'),
    ("cpu value", "invalid field format"),
    ("cpu =1", "missing field key"),
    ("cpu a=1,=2", "missing field key"),
    ("cpu value=", "missing field value"),
    ("cpu a=,b=2", "missing field value"),
    ("cpu a=1,b", "invalid field format"),
    ("cpu value=1.1.1", "invalid number"),
    ("cpu value=1x", "invalid number"),
    ("cpu value=-", "invalid number"),
    ("cpu value=10.1i", "invalid number"),
    ("cpu value=NaN 1", "invalid number"),
    ("cpu value=inf", "invalid boolean"),
    ("cpu value=trUE", "invalid boolean"),
    ("cpu value=1e999", "invalid float"),
    ("cpu value=1 x", "bad timestamp"),
    ("cpu value=1 1 2", "point is invalid"),
    ("cpu value=1 9223372036854775807", "time outside range -9223372036854775806 - 9223372036854775806"),
    (
        f"cpu value={2**63}i",
        f'unable to parse integer {2**63}: strconv.ParseInt: parsing "{2**63}": value out of range',
    ),
]


@pytest.mark.parametrize(("line", "why"), REFUSED)
def test_a_line_is_refused_in_influxdbs_words(line: str, why: str) -> None:
    """And the lines around it are parsed."""
    points, failed = parse(f"good v=1 1\n{line}\ngood v=2 2\n", "ns", 0)
    assert failed == [f"unable to parse '{line}': {why}"]
    assert [point.time_ns for point in points] == [1, 2]


def test_a_quote_that_is_not_closed_takes_all_that_follows() -> None:
    """An end of line between quotes belongs to the text."""
    points, failed = parse('good v=1 1\ncpu value="a\ngood v=2 2\n', "ns", 0)
    assert failed == ["unable to parse 'cpu value=\"a\ngood v=2 2': unbalanced quotes"]
    assert len(points) == 1


@pytest.mark.parametrize(
    ("line", "tags", "fields"),
    [
        (r"cpu,host=a\,b\ c\=d v=1", (("host", "a,b c=d"),), {"v": 1.0}),
        (r"cpu,host=a\b v=1", (("host", r"a\b"),), {"v": 1.0}),
        (r'cpu v="x\"y\\z"', (), {"v": r'x"y\z'}),
        ('cpu v="a,b=c d"', (), {"v": "a,b=c d"}),
        ('cpu v="two\nlines"', (), {"v": "two\nlines"}),
        ("cpu a=1i,b=2u,c=t,d=FALSE,e=-1.5e-3", (), {"a": 1, "b": Unsigned(2), "c": True, "d": False, "e": -0.0015}),
        ("cpu,b=2,a=1 v=1", (("a", "1"), ("b", "2")), {"v": 1.0}),
    ],
)
def test_escapes_and_types_are_read(line: str, tags: tuple[tuple[str, str], ...], fields: Mapping[str, Any]) -> None:
    """Of tags in the order of their names."""
    (point,), failed = parse(f"{line} 5\n# a comment\n\n", "us", 0)
    assert (point.tags, point.fields, point.time_ns, failed) == (tags, fields, 5_000, [])
    assert [type(value) for value in point.fields.values()] == [type(value) for value in fields.values()]


@given(st.text('abz01,= \\"\n\t-.eEiuNTtf#_', max_size=40))
def test_the_fast_way_and_the_slow_way_agree(line: str) -> None:
    """Whatever the one expression matches, the scan letter by letter takes too, and as the same point."""
    match = PLAIN.fullmatch(line)
    if match is None:
        return
    try:
        slow: object = parse_point(line, "ns", 0)
    except LineError as error:
        slow = f"unable to parse '{line}': {error}"
    points, failed = parse(line, "ns", 0)
    assert [*points, *failed] == [slow]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_is_a_number(value: float) -> None:
    """As Python writes it."""
    assert value_of(repr(value)) == value


def test_a_field_keeps_its_type_within_a_week() -> None:
    """The first one that was written counts, the others of a request are kept, and only the first reason is told."""
    bucket = Bucket("b", "1")
    points, _ = parse("m v=1i 1\nm v=2 2\nm v=3 3\nm v=4i 4", "ns", 0)
    assert bucket.write(points, 10) == (
        'partial write: field type conflict: input field "v" on measurement "m" is type float, already exists as type '
        "integer dropped=2"
    )
    assert bucket.points("m") == 2
    assert bucket.write(parse("m v=1.5 999999999999999", "ns", 0)[0], 10) is None


def test_what_is_older_than_the_retention_is_dropped() -> None:
    """With the bound in the message."""
    bucket = Bucket("b", "1", retention_s=3600)
    points, _ = parse("m v=1 1\nm v=2 2\nm v=3 3600000000005", "ns", 0)
    error = bucket.write(points, 2 * 3600 * 10**9 + 5)
    assert error is not None
    assert error.startswith(
        "partial write: dropped 2 points outside retention policy of duration 1h0m0s - oldest point m at"
    )
    assert "violates a Retention Policy Lower Bound at 1970-01-01T01:00:00.000000005Z" in error
    assert bucket.points("m") == 1


def test_errors_have_influxdbs_status_and_body() -> None:
    """Each check in its order: token, organisation, bucket, permission, body."""
    with Double(tokens={"reader": frozenset({"read"})}) as double:
        double.add_bucket("b")

        def write(body: str, token: str = "all-access", **changes: str) -> tuple[int, Any]:
            query = {"org": "trading", "bucket": "b", "precision": "ns"} | changes
            answer = httpx.post(
                f"{double.url}/api/v2/write", params=query, content=body, headers={"Authorization": f"Token {token}"}
            )
            return answer.status_code, answer.json() if answer.content else None

        assert write("m v=1 1") == (204, None)
        assert write("m v=1 1", "nobody") == (401, {"code": "unauthorized", "message": "unauthorized access"})
        assert write("m v=1 1", "reader") == (
            403,
            {"code": "forbidden", "message": "insufficient permissions for write"},
        )
        assert write("m v=1 1", bucket="c") == (404, {"code": "not found", "message": 'bucket "c" not found'})
        assert write("m v=1 1", org="o") == (404, {"code": "not found", "message": 'organization name "o" not found'})
        assert write("invalid") == (400, {"code": "invalid", "message": "unable to parse 'invalid': missing fields"})
        assert write("") == (400, {"code": "invalid", "message": "writing requires points"})
        status, body = write("m v=1i 1")
        assert (status, body["code"]) == (422, "unprocessable entity")
        assert body["message"].startswith("failure writing points to database: partial write: field type conflict: ")
        double.most_bytes = 3
        assert write("m v=1 1")[1]["message"] == "unable to read data: points batch is too large"
        double.most_bytes = 0
        double.fail("too many requests", "over quota", 1, Retry_After="7")
        answer = httpx.post(f"{double.url}/api/v2/write", headers={"Authorization": "Token all-access"})
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
        assert json.loads(answer.text)["code"] == answer.headers["X-Platform-Error-Code"] == "too many requests"
