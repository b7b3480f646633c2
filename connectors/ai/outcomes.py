"""What an error of a provider means: one table for statuses, one for the words that providers use. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from tradewind.connectors.ai.answer import Answer, Outcome

STATUSES: Mapping[int, Outcome] = {
    400: "BAD_REQUEST",
    401: "BAD_KEY",
    402: "NO_CREDIT",
    403: "BAD_KEY",
    404: "NO_MODEL",
    413: "TOO_LONG",
    422: "BAD_REQUEST",
    429: "BUSY",
    503: "BUSY",
    529: "BUSY",
}
"""A status alone. Others below 500 are `BAD_REQUEST`, but 408 and 409; all others are `ERROR`."""
PASSING_STATUSES = frozenset({408, 409})
WORDS: tuple[tuple[str, Outcome], ...] = (
    ("insufficient_quota", "NO_CREDIT"),
    ("billing", "NO_CREDIT"),
    ("credit balance", "NO_CREDIT"),
    ("insufficient credit", "NO_CREDIT"),
    ("exceeded your current quota", "NO_CREDIT"),
    ("invalid_api_key", "BAD_KEY"),
    ("incorrect api key", "BAD_KEY"),
    ("api key not valid", "BAD_KEY"),
    ("api key expired", "BAD_KEY"),
    ("authentication_error", "BAD_KEY"),
    ("permission_error", "BAD_KEY"),
    ("context_length_exceeded", "TOO_LONG"),
    ("maximum context length", "TOO_LONG"),
    ("prompt is too long", "TOO_LONG"),
    ("exceeds the context length", "TOO_LONG"),
    ("exceed_context_size", "TOO_LONG"),
    ("exceeds the maximum number of tokens", "TOO_LONG"),
    ("request_too_large", "TOO_LONG"),
    ("content_policy", "FILTERED"),
    ("content_filter", "FILTERED"),
    ("content management policy", "FILTERED"),
    ("model_not_found", "NO_MODEL"),
    ("not_found_error", "NO_MODEL"),
    ("rate_limit", "BUSY"),
    ("overloaded", "BUSY"),
    ("resource_exhausted", "BUSY"),
    ("unavailable", "BUSY"),
    ("invalid_request_error", "BAD_REQUEST"),
)
"""Words of an error's type, code and message -> what they mean; the first that is found counts."""
DECIDED_BY_WORDS = frozenset({400, 403, 404, 422, 429, 200})
"""Statuses that stand for several things. 200 is an error inside a stream that had begun well."""
SHOWN = 500
"""Characters of an answer that is no JSON."""
LONGEST_WAIT_MS = 24 * 3600 * 1000
"""Of Retry-After: a provider that asks for more than a day is asked again after one."""


def refused(status: int, headers: Mapping[str, str], content: bytes, now: datetime | None = None) -> Answer:
    """Return the answer that an HTTP status other than 200 stands for."""
    error = _error_in(content)
    said = said_in(content) if error is None else _words_of(error)
    wait_ms, google_ms = retry_after_ms(headers, now), _google_wait_ms(error)
    outcome = STATUSES.get(status) or ("BAD_REQUEST" if 400 <= status < 500 else "ERROR")
    if status in PASSING_STATUSES:
        outcome = "ERROR"
    if status in DECIDED_BY_WORDS and google_ms is None:  # Google's limits of a minute speak of quota and billing, too
        outcome = by_words(said) or outcome
    wait_ms = google_ms if wait_ms is None else wait_ms
    return Answer(outcome, f"HTTP {status}: {said}", http_status=status, retry_after_ms=wait_ms)


def inside(error: object, status: int = 200) -> Answer:
    """Return the answer that an error inside a stream stands for."""
    said = _words_of(error)
    code = error.get("code") if isinstance(error, dict) else None
    known = STATUSES.get(code) if isinstance(code, int) else None
    return Answer(by_words(said) or known or "ERROR", f"in the answer: {said}", http_status=status)


def by_words(said: str) -> Outcome | None:
    """Return what words of an error mean; None if none of them is known."""
    lower = said.lower()
    return next((outcome for words, outcome in WORDS if words in lower), None)


def said_in(content: bytes) -> str:
    """Return what an error says: its type, code and message, or the begin of what is no JSON."""
    error = _error_in(content)
    return content[:SHOWN].decode("utf-8", "replace").strip() or "nothing" if error is None else _words_of(error)


def _error_in(content: bytes) -> Any:
    """Return the error in an answer; None if the answer is no JSON."""
    try:
        payload = json.loads(content)
    except (ValueError, RecursionError):
        return None
    found = payload[0] if isinstance(payload, list) and payload else payload
    return found.get("error", found) if isinstance(found, dict) else found


def _google_wait_ms(error: Any) -> int | None:
    """Return how long Google asks to wait, ms: it says so in the details of an error, as `"retryDelay": "13.5s"`."""
    details = error.get("details") if isinstance(error, dict) else None
    for one in details if isinstance(details, list) else ():
        delay = one.get("retryDelay") if isinstance(one, dict) else None
        if isinstance(delay, str) and (wait := _number(delay.removesuffix("s"))) is not None:
            return _bounded(1000 * wait)
    return None


def _words_of(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)[:SHOWN]
    parts = (error.get(name) for name in ("type", "code", "status", "message"))
    return ": ".join(str(part) for part in parts if part not in (None, "")) or json.dumps(error)[:SHOWN]


def retry_after_ms(headers: Mapping[str, str], now: datetime | None = None) -> int | None:
    """Return how long a provider asks to wait, ms; None if it does not say. Names of headers are in lower case."""
    if (text := headers.get("retry-after-ms")) is not None and (wait := _number(text)) is not None:
        return _bounded(wait)
    text = headers.get("retry-after")
    if text is None:
        return None
    if (wait := _number(text)) is not None:
        return _bounded(1000 * wait)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return _bounded(1000 * (until - (now or datetime.now(UTC))).total_seconds())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number == number else None  # noqa: PLR0124 - which NaN is not


def _bounded(wait_ms: float) -> int:
    return round(min(max(0.0, wait_ms), LONGEST_WAIT_MS))
