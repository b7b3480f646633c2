"""What the routes under `ai` answer: OpenAI's clients work against them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from tradewind.connectors.ai.deltas.merging import Delta, Done, Reset, Shown
from tradewind.connectors.ai.deltas.reader import Following
from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.gateway.ai.asker import Asker
from tradewind.connectors.gateway.ai.chat import Chunks, Sender, chat_request, completion_of, listed, names_of
from tradewind.connectors.gateway.ai.embeddings import embeddings_of, embeddings_request
from tradewind.connectors.gateway.ai.forms import ChatCompletion, Embeddings
from tradewind.connectors.gateway.ai.providers import models_json
from tradewind.connectors.gateway.ai.refusals import refusal_of
from tradewind.connectors.gateway.answers.basics import gateway_of, who_of, written
from tradewind.connectors.gateway.problems import Problem
from tradewind.schemas.ai import AiRequest, AiResponse
from tradewind.topics import AI_ATTEMPTS

HOURS: Final = 1
"""That calls are counted for."""


async def post_ai_chat_completions(body: ChatCompletion, request: Request) -> Any:
    """Answer a conversation: whole, or as server-sent events. The tenant of the token pays."""
    asker, sender = gateway_of(request).asker, _sender(request)
    asked = chat_request(body, sender, await asker.known())
    if not body.stream:
        return completion_of(_answered(await asker.ask(asked)), asked)
    following = await asker.begin(asked)
    shown = asker.shown(asked, following)
    try:
        first = await anext(shown)
        if isinstance(first, Done):
            _answered(first.response)  # a refusal is a status, and no stream
    except BaseException:
        asker.leave(asked, following)
        raise
    with_usage = body.stream_options is not None and body.stream_options.include_usage
    streaming = _Streaming(asker, asked, following, Chunks(asked, body.model, with_usage=with_usage))
    events = streaming.events(first, shown)
    return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def post_ai_embeddings(body: Embeddings, request: Request) -> Any:
    """Return the vectors of texts. The tenant of the token pays."""
    asker, sender = gateway_of(request).asker, _sender(request)
    asked = embeddings_request(body, sender, await asker.known())
    return embeddings_of(_answered(await asker.ask(asked)), body)


async def get_ai_providers(request: Request, response: Response) -> dict[str, Any]:
    """Return the models that a tenant may name, how calls ended in the last hour, and what today (UTC) has cost."""
    gateway, tenant_id = gateway_of(request), who_of(request).tenant_id
    known, now = await gateway.asker.known(), datetime.now(UTC)
    calls = await gateway.reads.calls(tenant_id, HOURS)
    models = models_json(known, tenant_id, calls, await gateway.reads.ended(), clock_us())
    costs = await gateway.reads.costs(tenant_id, now.replace(hour=0, minute=0, second=0, microsecond=0))
    as_of = written(gateway, response, AI_ATTEMPTS.name)
    return {
        **as_of,
        "revision": known.revision,
        "hours": HOURS,
        "models": models,
        "day": f"{now:%Y-%m-%d}",
        "costs": costs,
    }


async def get_ai_models(request: Request) -> dict[str, Any]:
    """Return the models and routes that the tenant may name."""
    routes, models = names_of(await gateway_of(request).asker.known(), who_of(request).tenant_id)
    return {"object": "list", "data": [*listed(models), *listed(routes, "tradewind")]}


@dataclass(frozen=True, slots=True)
class _Streaming:
    """An answer that goes to a client while it comes."""

    asker: Asker
    asked: AiRequest
    following: Following
    chunks: Chunks

    async def events(self, first: Shown, more: AsyncIterator[Shown]) -> AsyncIterator[bytes]:
        """Yield server-sent events. A client that goes away ends nothing: the request goes on, and costs the same."""
        try:
            yield _event(self.chunks.begin())
            async with aclosing(_joined(first, more)) as shown:
                async for one in shown:
                    for event in _shown(one, self.chunks):
                        yield event
        except Problem as problem:
            yield _failed(problem)
        finally:
            self.asker.leave(self.asked, self.following)


def _shown(one: Shown, chunks: Chunks) -> list[bytes]:
    match one:
        case Delta(text):
            return [_event(chunks.text(text))]
        case Reset(reason):
            if not chunks.shown:
                return []
            raise Problem(
                502,
                "RESET",
                f"the attempt whose text was shown has broken off ({reason}); another one goes on",
                "ask with tradewind.stream `sure` for text that is never taken back, or without stream",
            )
        case Done(response):
            return [*map(_event, chunks.end(_answered(response))), b"data: [DONE]\n\n"]
    raise AssertionError(one)


async def _joined(first: Shown, more: AsyncIterator[Shown]) -> AsyncGenerator[Shown, None]:
    yield first
    if not isinstance(first, Done):
        async for one in more:
            yield one


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def _failed(problem: Problem) -> bytes:
    """Return a problem in a stream, where there is no status any more."""
    return _event({"error": problem.to_dict()})


def _answered(response: AiResponse) -> AiResponse:
    if response.status != "ANSWERED":
        raise refusal_of(response)
    return response


def _sender(request: Request) -> Sender:
    return Sender(_tenant(request), uuid4().hex, clock_us(), gateway_of(request).asker.reply_key)


def _tenant(request: Request) -> str:
    tenant_id = who_of(request).tenant_id
    if tenant_id is None:
        raise Problem(
            403,
            "NO_TENANT",
            "an operator belongs to no tenant that would pay",
            "sign in as a user of a tenant: ./dev users add NAME --role trader --tenant TENANT",
        )
    return tenant_id
