"""What providers do wrong, and what the caller calls it: each fault once, by each adapter, against a local server.

The waits of the calls are a twentieth of what a provider is given.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from calls.calling import call
from calls.faults import FAULTS, KEY
from calls.provider import TEXT, Conversation, Provider, whole
from pydantic import SecretStr

from tradewind.connectors.ai.calls import AiCalls
from tradewind.connectors.ai.keys.keys import HIDDEN, Keys
from tradewind.connectors.calls.kind import Sending
from tradewind.connectors.clock.wall import clock_us
from tradewind.schemas.ai import AiAttempt

WAITS = {
    "connect_timeout_ms": 3_000,
    "first_token_timeout_ms": 1_500,
    "idle_timeout_ms": 800,
    "total_timeout_ms": 4_000,
}
PATIENT_MS = 30_000
"""For each wait that a fault is not about: on a busy machine it must not end a call before the one that is meant."""
SLACK_S = 20.0
"""Of a busy machine; less than the patient waits."""
TOGETHER = 8
"""Faults at once: more would wait for each other on a busy machine."""
LOGGERS = ("tradewind", "openai", "anthropic", "httpx2", "httpcore2", "aiohttp")
BASES = {"openai": "/v1", "anthropic": "", "openai-compatible": "/v1", "gemini": "/v1beta", "ollama": ""}
"""Adapter -> what its base URL ends in."""
ADAPTERS = tuple(BASES)
PUBLIC_ADDRESS = "8.8.8.8"


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """Give a server with all faults; models that it has no fault for are answered well."""
    async with Provider({name: fault for name, (fault, _) in FAULTS.items()}) as found:
        yield found


@pytest.fixture
async def kind() -> AsyncIterator[AiCalls]:
    """Give the adapters, with a key."""
    found = AiCalls(Keys({"main": SecretStr(KEY)}))
    yield found
    await found.close()


async def ask(kind: AiCalls, url: str, adapter: str, model: str, **changes: Any) -> AiAttempt:
    """Call a model once; what comes of it has no key in it."""
    base = f"{url}{BASES[adapter]}"
    asked = {"stream": "SURE", "key_id": "main", "base_url": base, **WAITS, **changes}
    attempt = await kind.perform(call(adapter=adapter, model=model, **asked), Sending())
    assert isinstance(attempt, AiAttempt)
    assert KEY not in str(attempt)
    return attempt


def waits_of(outcome: str) -> dict[str, int]:
    """Return the waits of a call that ends by the one which its outcome names, if any."""
    meant = f"{outcome.partition(' ')[2].lower()}_timeout_ms"
    return {name: wait if name == meant else PATIENT_MS for name, wait in WAITS.items()}


def said(attempt: AiAttempt) -> str:
    """Return the outcome, with the wait that ended the call."""
    return " ".join(part for part in (attempt.outcome, attempt.timeout) if part)


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_each_fault_has_its_outcome_after_one_request(
    adapter: str, kind: AiCalls, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    """No package tries again, no short answer is passed on, and no log has a key."""
    for name in LOGGERS:
        caplog.set_level(logging.DEBUG, name)
    slots = asyncio.Semaphore(TOGETHER)

    async def one(model: str) -> AiAttempt:
        async with slots:
            return await ask(kind, provider.url, adapter, model, **waits_of(FAULTS[model][1]))

    attempts = await asyncio.gather(*map(one, FAULTS))
    found = {model: said(attempt) for model, attempt in zip(FAULTS, attempts, strict=True)}
    assert found == {model: outcome for model, (_, outcome) in FAULTS.items()}
    assert sorted(asked.model for asked in provider.requests) == sorted(FAULTS)
    for attempt in attempts:
        assert (attempt.text == TEXT) == (attempt.outcome == "OK")
        assert 0 < attempt.total_us < 1_000 * WAITS["total_timeout_ms"] + 1_000_000 * SLACK_S
    by_model = dict(zip(FAULTS, attempts, strict=True))
    assert by_model["429 with retry-after"].retry_after_ms == 2_000
    assert not by_model["no usage"].counted
    assert HIDDEN in str(by_model["expired key"].error)
    assert KEY not in caplog.text


@pytest.mark.parametrize("stream", ["NONE", "SURE"])
@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_an_answer_has_its_tokens_by_disjoint_classes(
    adapter: str, stream: str, kind: AiCalls, provider: Provider
) -> None:
    """Whatever the provider counts into which: OpenAI's prompt tokens hold those of the cache, Ollama tells none."""
    attempt = await ask(kind, provider.url, adapter, "m-1", stream=stream)
    cached = 0 if adapter == "ollama" else 5
    assert (attempt.outcome, attempt.text, attempt.finish, attempt.model) == ("OK", TEXT, "STOP", "m-1")
    assert (attempt.input_tokens, attempt.cache_read_tokens, attempt.output_tokens) == (20, cached, 7)
    assert attempt.counted
    assert attempt.http_status == 200
    assert attempt.first_token_us is not None


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_what_cannot_be_reached_was_not_sent(adapter: str, kind: AiCalls) -> None:
    """Refused, without an address, and without TLS where there should be some."""

    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for url in ("http://127.0.0.1:9", "http://nowhere.invalid", f"https://127.0.0.1:{port}"):
            attempt = await ask(kind, url, adapter, "m-1", first_token_timeout_ms=5_000, total_timeout_ms=5_000)
            assert (attempt.outcome, attempt.total_us) == ("UNREACHABLE", 0), attempt.error


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_a_private_address_is_called_only_where_that_is_allowed(
    adapter: str, kind: AiCalls, provider: Provider
) -> None:
    """A tenant's settings could reach the services inside otherwise."""
    for url in (provider.url, provider.url.replace("http:", "https:"), "https://localhost:1", "file:///etc/passwd"):
        attempt = await ask(kind, url, adapter, "m-1", allow_private=False)
        assert attempt.outcome == "UNREACHABLE", attempt.error
    assert not provider.requests


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_a_name_that_leads_inside_once_it_is_called_is_not_connected_to(
    adapter: str, kind: AiCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name server answers with a public address at first."""
    real, asked, connected = socket.getaddrinfo, [], []

    def rebound(host: Any, *rest: Any, **more: Any) -> Any:
        if host != "rebound.example":
            return real(host, *rest, **more)
        asked.append(host)
        return real(PUBLIC_ADDRESS if len(asked) == 1 else "127.0.0.1", *rest, **more)

    async def connection(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer)
        writer.close()

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    url = f"https://rebound.example:{server.sockets[0].getsockname()[1]}"
    async with server:
        attempt = await ask(kind, url, adapter, "m-1", allow_private=False)
    assert (attempt.outcome, attempt.total_us, connected) == ("UNREACHABLE", 0, [])
    assert "private address 127.0.0.1" in str(attempt.error)
    assert len(asked) > 1


async def test_a_key_that_the_caller_lacks_is_named_and_nothing_is_sent(kind: AiCalls, provider: Provider) -> None:
    """The message says which variable is missing."""
    attempt = await ask(kind, provider.url, "openai", "m-1", key_id="other")
    assert attempt.outcome == "BAD_KEY"
    assert "TRADEWIND_AI__KEYS__OTHER" in str(attempt.error)
    assert (await ask(kind, provider.url, "openai", "m-1", key_id=None)).outcome == "BAD_KEY"
    assert not provider.requests


async def test_a_provider_that_takes_no_connection_is_given_up_by_its_own_wait(kind: AiCalls) -> None:
    """Its backlog is full: the first token's wait is not over by then."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fill = [socket.socket() for _ in range(4)]
        for one in fill:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        waits = {"connect_timeout_ms": 300, "first_token_timeout_ms": 5_000, "total_timeout_ms": 6_000}
        attempt = await ask(kind, f"http://127.0.0.1:{port}", "openai", "m-1", **waits)
        for one in fill:
            one.close()
    assert said(attempt) == "TIMED_OUT CONNECT"
    assert attempt.total_us == 0


async def test_the_deadline_ends_a_call_that_has_longer_waits(kind: AiCalls, provider: Provider) -> None:
    """Whoever asked has given up by then."""
    begun = time.monotonic()
    attempt = await ask(
        kind,
        provider.url,
        "openai",
        "no response",
        deadline=clock_us() + 300_000,
        first_token_timeout_ms=PATIENT_MS,
        total_timeout_ms=PATIENT_MS,
    )
    assert said(attempt) == "TIMED_OUT TOTAL"
    assert time.monotonic() - begun < 0.3 + SLACK_S


async def test_three_hundred_calls_are_in_flight_at_once(kind: AiCalls) -> None:
    """More than the packages' own limit of 100 connections."""
    together = asyncio.Event()
    waiting = 0

    async def waits(one: Conversation) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 300:
            together.set()
        await together.wait()
        await one.whole(whole(one.asked))

    async with Provider({"m-1": waits}) as provider:
        waits_ms = {**WAITS, "total_timeout_ms": 60_000, "connect_timeout_ms": 30_000}
        asked = [ask(kind, provider.url, "openai", "m-1", stream="NONE", **waits_ms) for _ in range(300)]
        outcomes = {attempt.outcome for attempt in await asyncio.gather(*asked)}
    assert outcomes == {"OK"}
