"""What an answer of InfluxDB means, from its status and its body: those of the versions that are out there."""

from __future__ import annotations

import json

import pytest

from tradewind.connectors.sinks.influxdb.answers import Conflict, NotFound, Outside, TooLarge, meaning
from tradewind.connectors.sinks.sink import PoisonBatch, StoreUnavailable, is_transient

SENT = b"a v=1 1\nb v=x 2\nc v=3 3\nd v= 4\n"


def body(code: str, message: str) -> str:
    """Return an answer of InfluxDB 2 (`kit/transport/http/error_handler.go`)."""
    return json.dumps({"code": code, "message": message})


def test_a_400_names_every_line_that_could_not_be_parsed() -> None:
    """`ParsePointsWithPrecision` lists them one below the other."""
    message = "unable to parse 'b v=x 2': invalid boolean\nunable to parse 'd v= 4': missing field value"
    found = meaning(400, body("invalid", message), {}, SENT)
    assert isinstance(found, PoisonBatch)
    assert (found.named, found.index, found.reason) == ((1, 3), 1, "invalid boolean")


@pytest.mark.parametrize(
    "message", ["unable to parse 'z v=1': what was not sent", "something else", "unable to parse 'b v=x 2': a\nother"]
)
def test_a_line_that_is_not_known_again_is_looked_for(message: str) -> None:
    """The batch is cut until it is found; what the store says is not trusted further than that."""
    found = meaning(400, body("invalid", message), {}, SENT)
    assert isinstance(found, PoisonBatch)
    assert not is_transient(found)
    assert found.named in ((), (1,))


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (
            422,
            body(
                "unprocessable entity",
                'failure writing points to database: partial write: key contains invalid unicode: "x" dropped=1',
            ),
        ),
        (
            500,
            body("internal error", "unexpected error writing points to database: partial write: bad points dropped=1"),
        ),
        (500, body("internal error", "partial write of line protocol occurred")),
    ],
    ids=["2.1 and later", "2.0", "3"],
)
def test_a_partial_write_that_names_no_line_is_looked_for(status: int, text: str) -> None:
    """InfluxDB 2.0 answers 500 to it, and so does InfluxDB 3 on this endpoint."""
    found = meaning(status, text, {}, SENT)
    assert isinstance(found, PoisonBatch)
    assert (found.index, found.named) == (None, ())


def test_a_partial_write_of_influxdb_3_names_its_lines() -> None:
    """They are numbered from 1."""
    data = [{"original_line": "b v=x 2", "line_number": 2, "error_message": "invalid column type"}]
    found = meaning(400, json.dumps({"error": "partial write of line protocol occurred", "data": data}), {}, SENT)
    assert isinstance(found, PoisonBatch)
    assert (found.named, found.reason) == ((1,), "invalid column type")


def test_influxdb_3_names_no_line_on_the_endpoint_of_influxdb_2() -> None:
    """It writes nothing of such a request; a conflict of types is told by its column."""
    said = "write buffer error: line protocol parse failed: No fields were provided"
    found = meaning(400, body("invalid", said), {}, SENT)
    assert isinstance(found, PoisonBatch)
    assert (found.named, found.reason) == ((), said)
    column = (
        "write buffer error: line protocol parse failed: invalid column type for column 'bid', expected "
        "iox::column_type::field::integer, got iox::column_type::field::float"
    )
    found = meaning(400, body("invalid", column), {}, SENT)
    assert isinstance(found, Conflict)
    assert found.field == "bid"


def test_a_conflict_and_a_retention_are_told_apart() -> None:
    """Both are partial writes."""
    conflict = (
        'partial write: field type conflict: input field "bid" on measurement "ticks" is type float, already exists as '
        "type integer dropped=2"
    )
    found = meaning(422, body("unprocessable entity", f"failure writing points to database: {conflict}"), {}, SENT)
    assert isinstance(found, Conflict)
    assert found.field == "bid"
    old = (
        "partial write: dropped 2 points outside retention policy of duration 1h0m0s - oldest point m at "
        "2014-05-01T00:00:00Z dropped because it violates a Retention Policy Lower Bound at "
        "2026-01-02T03:04:05.678901234Z, newest point m at 2014-05-01T00:00:00Z dropped because it violates a "
        "Retention Policy Lower Bound at "
        "2026-01-02T03:04:05.678901234Z dropped=2 for database: 1 for retention policy: autogen"
    )
    found = meaning(422, body("unprocessable entity", old), {}, SENT)
    assert isinstance(found, Outside)
    assert found.bound_us == 1_767_323_045_678_901
    assert isinstance(
        meaning(422, body("x", "partial write: points beyond retention policy dropped=2"), {}, SENT), PoisonBatch
    )


@pytest.mark.parametrize(
    ("status", "text", "kind", "said"),
    [
        (
            413,
            body("request too large", "unable to read data: points batch is too large"),
            TooLarge,
            "points batch is too large",
        ),
        (413, "<html>nginx", TooLarge, "nginx"),
        (404, body("not found", 'bucket "b" not found'), NotFound, 'bucket "b" not found'),
        (
            401,
            body("unauthorized", "unauthorized access"),
            StoreUnavailable,
            "refuses the token (401: unauthorized access)",
        ),
        (403, body("forbidden", "insufficient permissions for write"), StoreUnavailable, "refuses the token (403"),
        (401, '{"error": "the request was not authenticated"}', StoreUnavailable, "the request was not authenticated"),
        (500, body("internal error", "timeout"), StoreUnavailable, "answers 500: timeout"),
        (502, "<html>", StoreUnavailable, "answers 502: <html>"),
    ],
)
def test_every_other_status_says_what_is_wrong(status: int, text: str, kind: type[Exception], said: str) -> None:
    """In the store's own words."""
    found = meaning(status, text, {}, SENT)
    assert isinstance(found, kind)
    assert said in str(found)


@pytest.mark.parametrize(("asked", "wait_s"), [("30", 30.0), (None, 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0)])
def test_a_pause_that_is_asked_for_is_taken_up(asked: str | None, wait_s: float) -> None:
    """In seconds, as InfluxDB Cloud sends it."""
    found = meaning(429, body("too many requests", "over quota"), {} if asked is None else {"Retry-After": asked}, SENT)
    assert isinstance(found, StoreUnavailable)
    assert found.wait_s == wait_s
