"""What providers do wrong, and what the caller calls it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from calls.provider import FOR_EVER_S, TEXT, Conversation, Fault, events

KEY = "sk-secret-0123456789"


def refusal(status: int, type_: str, message: str = "no", code: str | None = None, **headers: str) -> Fault:
    """Return the fault of a provider that refuses."""

    async def fault(one: Conversation) -> None:
        await one.whole({"error": {"type": type_, "code": code, "message": message}}, status, **headers)

    return fault


def answers(text: str = TEXT, **parts: Any) -> Fault:
    """Return what answers with some parts of an answer."""

    async def fault(one: Conversation) -> None:
        await one.answer(text, **parts)

    return fault


async def resets(one: Conversation) -> None:
    """Break the connection before the head."""
    one.reset()


async def says_nothing(one: Conversation) -> None:
    """Take the request, and no more."""
    await asyncio.sleep(FOR_EVER_S)


async def sends_a_head_alone(one: Conversation) -> None:
    """Send no token."""
    await one.stream()
    await asyncio.sleep(FOR_EVER_S)


async def stalls(one: Conversation) -> None:
    """Send some tokens, and no more."""
    await begins(one)
    await asyncio.sleep(FOR_EVER_S)


async def begins(one: Conversation) -> None:
    """Send the begin of an answer."""
    await one.stream()
    for payload in events(one.asked)[:-2][:5]:
        await one.event(payload)


async def is_cut(one: Conversation) -> None:
    """Break the connection in the middle."""
    await begins(one)
    one.reset()


async def ends_early(one: Conversation) -> None:
    """End the body in good order, in the middle of the answer."""
    await begins(one)
    await one.end()


async def drips(one: Conversation) -> None:
    """Send a comment each moment, so that bytes come for ever, and tokens do not."""
    await begins(one)
    while True:
        await one.chunk("\n" if one.asked.form == "ollama" else ": \n")
        await asyncio.sleep(0.05)


async def never_ends(one: Conversation) -> None:
    """Send tokens for ever."""
    await one.stream()
    first, *rest = events(one.asked)
    await one.event(first)
    if one.asked.form == "anthropic":
        await one.event(rest[0])
    while True:
        await one.event(rest[2])
        await asyncio.sleep(0.1)


async def sends_half_an_event(one: Conversation) -> None:
    """Send an event that is no JSON."""
    await begins(one)
    await one.event('{"choices": [{"delta"')
    await one.end()


async def is_overloaded_inside(one: Conversation) -> None:
    """Say it in the first event of a stream that began well."""
    await one.stream()
    await one.event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    await one.end()


async def sends_a_page(one: Conversation) -> None:
    """Send HTML."""
    await one.whole("<html><body>Welcome</body></html>", kind="text/html")


async def says_all_but_the_end(one: Conversation) -> None:
    """Cut the connection behind the reason to end."""
    await one.stream()
    for payload in events(one.asked, done=False):
        await one.event(payload)
    one.reset()


async def redirects(one: Conversation) -> None:
    """Name another place."""
    await one.whole({}, 307, location="http://127.0.0.1:9/v1/chat/completions")


FAULTS: Mapping[str, tuple[Fault, str]] = {
    "429 with retry-after": (refusal(429, "rate_limit_error", retry_after="2"), "BUSY"),
    "429 without credit": (refusal(429, "insufficient_quota", "You exceeded your current quota"), "NO_CREDIT"),
    "400 without credit": (refusal(400, "invalid_request_error", "Your credit balance is too low"), "NO_CREDIT"),
    "402": (refusal(402, "billing_error"), "NO_CREDIT"),
    "expired key": (refusal(401, "authentication_error", f"the key {KEY} has expired"), "BAD_KEY"),
    "403": (refusal(403, "permission_error"), "BAD_KEY"),
    "500": (refusal(500, "api_error"), "ERROR"),
    "502 with a page": (lambda one: one.whole("<html>Bad gateway</html>", 502, "text/html"), "ERROR"),
    "503": (refusal(503, "server_error"), "BUSY"),
    "529": (refusal(529, "overloaded_error"), "BUSY"),
    "context exceeded": (refusal(400, "invalid_request_error", "prompt is too long: 9 > 8"), "TOO_LONG"),
    "bad request": (refusal(400, "invalid_request_error", "temperature: not so high"), "BAD_REQUEST"),
    "no model": (refusal(404, "not_found_error", "model: none"), "NO_MODEL"),
    "filter of the prompt": (refusal(400, "invalid_request_error", "no", "content_policy_violation"), "FILTERED"),
    "reset before headers": (resets, "BROKEN"),
    "no response": (says_nothing, "TIMED_OUT FIRST_TOKEN"),
    "slow first token": (sends_a_head_alone, "TIMED_OUT FIRST_TOKEN"),
    "stream stalled": (stalls, "TIMED_OUT IDLE"),
    "bytes without tokens": (drips, "TIMED_OUT IDLE"),
    "endless answer": (never_ends, "TIMED_OUT TOTAL"),
    "stream cut": (is_cut, "BROKEN"),
    "stream ends early": (ends_early, "TRUNCATED"),
    "malformed chunk": (sends_half_an_event, "MALFORMED"),
    "overload inside a 200": (is_overloaded_inside, "BUSY"),
    "page as a 200": (sends_a_page, "MALFORMED"),
    "empty answer": (answers(""), "EMPTY"),
    "no [DONE]": (answers(done=False), "OK"),
    "cut behind the end": (says_all_but_the_end, "OK"),
    "no usage": (answers(usage=False), "OK"),
    "no reason to end": (answers(finish=None), "TRUNCATED"),
    "redirect": (redirects, "ERROR"),
}
