"""Ask a model: publish a request, and wait for its response."""

from __future__ import annotations

import time
from contextlib import closing

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


def ask(request: AiRequest, settings: Settings, codec: Codec) -> AiResponse:
    """Publish a request and return its response; raises `Unanswered` after its deadline and some seconds."""
    partition = partition_of(request.reply_key.encode(), AI_RESPONSES.partitions)
    with closing(
        raw_records(settings, settings.physical(AI_RESPONSES), [partition], "latest", follow=True)
    ) as responses:
        next(responses)  # it stands at the end now: what comes later is read
        publish(AI_REQUESTS, [request], settings)
        deadline = time.monotonic() + request.deadline_ms / 1_000 + GRACE_S
        while time.monotonic() < deadline:
            for message in next(responses):
                try:
                    event = codec.decode(message.value() or b"")
                except UndecodableRecord:
                    continue  # somebody else's
                if isinstance(event, AiResponse) and event.request_id == request.event_id:
                    return event
    raise Unanswered(
        f"request {request.event_id} is published, and no response has come within its deadline: are `usage` and "
        "`caller` up? See ./dev status; ./dev consume ai.responses shows what comes later"
    )
