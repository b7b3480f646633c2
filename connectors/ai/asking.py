"""Ask a model: publish a request, and wait for its response."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import closing

from tradewind.connectors.ai.deltas.merging import Done, Shown
from tradewind.connectors.ai.deltas.reader import DeltaReader
from tradewind.connectors.ai.valkey import Link
from tradewind.connectors.kafka.publication import publish
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.settings import Settings
from tradewind.schemas.ai import AiRequest, AiResponse
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.topics import AI_REQUESTS, AI_RESPONSES
from tradewind.topics.partitioner import partition_of

GRACE_S = 5.0  # beyond the deadline: the caller reports at the deadline, and two transactions follow


class Unanswered(RuntimeError):
    """No response has come in time; the message says what to do."""


def ask(request: AiRequest, settings: Settings, codec: Codec, stopped: threading.Event | None = None) -> AiResponse:
    """Publish a request and return its response.

    Raises `Unanswered` after its deadline and some seconds, or once `stopped` is set.
    """
    partition = partition_of(request.reply_key.encode(), AI_RESPONSES.partitions)
    with closing(
        raw_records(settings, settings.physical(AI_RESPONSES), [partition], "latest", follow=True)
    ) as responses:
        next(responses)  # it stands at the end now: what comes later is read
        publish(AI_REQUESTS, [request], settings)
        deadline = time.monotonic() + request.deadline_ms / 1_000 + GRACE_S
        while time.monotonic() < deadline and not (stopped is not None and stopped.is_set()):
            for message in next(responses):
                try:
                    event = codec.decode(message.value() or b"")
                except UndecodableRecord:
                    continue  # somebody else's
                if isinstance(event, AiResponse) and event.request_id == request.event_id:
                    return event
    raise Unanswered(
        f"request {request.event_id} is published, and no response has come within its deadline. ./dev doctor says "
        "whether `usage` and `caller` are up, and ./dev retry starts one that was given up. ./dev consume ai.responses "
        "shows what comes later"
    )


def ask_live(request: AiRequest, settings: Settings, codec: Codec, show: Callable[[Shown], None]) -> AiResponse:
    """Publish a request, show its answer while it comes, and return its response; raises what both raise."""
    links = None if settings.redis.url is None else lambda: Link(settings.redis)

    async def follow() -> AiResponse:
        async with DeltaReader(links, settings.namespace) as reader:
            following, stopped = reader.follow(request.tenant_id, request.event_id), threading.Event()

            async def respond() -> None:
                following.answered(await asyncio.to_thread(ask, request, settings, codec, stopped))

            async def shown() -> AiResponse:
                async for one in following:
                    show(one)
                    if isinstance(one, Done):
                        return one.response
                raise AssertionError("an answer ends with its response")

            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(respond())
                    answer = tasks.create_task(shown())
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None  # the first that failed ends both
            finally:
                stopped.set()  # the thread ends soon after Ctrl-C
            return answer.result()

    return asyncio.run(follow())
