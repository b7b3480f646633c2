"""Models that answer a gateway without Kafka: a request is answered by what it says, as the agent would answer it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from concurrent.futures import Future
from decimal import Decimal
from hashlib import sha256
from typing import Any, cast

from asking import provider, route

from tradewind.connectors.ai.deltas.entries import TEXT
from tradewind.connectors.ai.deltas.reader import Following
from tradewind.connectors.ai.in_force import InForce
from tradewind.connectors.gateway.ai.asker import Asker
from tradewind.processors.ai.seed import revised
from tradewind.processors.ai.settings import take
from tradewind.schemas.ai import AiRequest, AiResponse

SEEN_S = 0.2
"""Until a client has certainly taken the text that will be void."""
VECTOR = struct.pack("<2f", 0.25, -1.5)
CODES = {"RATE": "REFUSED", "BUDGET": "REFUSED", "NO_ROUTE": "REFUSED", "EXHAUSTED": "FAILED", "EXPIRED": "EXPIRED"}
"""A question that is one of these is answered by it."""


class Heard:
    """Stands for the thread that follows responses."""

    name = "responses"
    reply_key = "gateway/test"
    trouble: str | None = None
    answered: Callable[[AiResponse], None]

    def start(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Model:
    """Stands for Kafka, the agent and the caller: it answers a request once it is written."""

    name = "sending"

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self.asked: list[AiRequest] = []
        self.deltas: Streams | None = None

    def start(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def put(self, request: AiRequest) -> Future[None]:
        """Answer, unless the question is not to be answered."""
        self.asked.append(request)
        done: Future[None] = Future()
        done.set_result(None)
        last = request.messages[-1]["content"] if request.messages else ""
        if request.stream != "NONE" and last not in CODES and self.deltas is not None:
            self.deltas.come(request, last)
        if last.startswith("breaks"):
            asyncio.get_running_loop().call_later(SEEN_S, self._heard.answered, answer(request, last))
        elif last != "silence":
            self._heard.answered(answer(request, last))
        return done


def answer(request: AiRequest, last: str) -> AiResponse:
    """Return the answer to a question: its words upside down, a call of the first tool, or a refusal."""
    code = last if last in CODES else None
    text = "" if code or request.tools else " ".join(reversed(last.split()))
    calls = ({"id": "call-1", "name": request.tools[0]["name"], "arguments": "{}"},) if request.tools else ()
    answered = code is None
    return AiResponse(
        event_id="e" * 32,
        tenant_id=request.tenant_id,
        ts_event=request.ts_event + 1_000,
        ts_ingest=request.ts_ingest + 1_000,
        correlation_id=request.event_id,
        causation_id=request.event_id,
        request_id=request.event_id,
        kind=request.kind,
        request_type=request.request_type,
        reply_key=request.reply_key,
        status="ANSWERED" if answered else CODES[last],  # type: ignore[arg-type] # one of its symbols
        code=code,  # type: ignore[arg-type] # one of its symbols
        reason="" if answered else f"{code} in words",
        retry_after_ms=2_500 if code == "RATE" else None,
        text=text,
        tool_calls=calls,
        embeddings=(VECTOR,) * len(request.inputs),
        finish=None if not answered else "TOOL_CALLS" if calls else "STOP",
        provider="paper" if answered else None,
        model=(request.model or "paper-1") if answered else None,
        call_id="c" * 32 if answered else None,
        attempts=1,
        input_tokens=10,
        cache_read_tokens=4,
        cache_write_tokens=1,
        output_tokens=5,
        cost=Decimal("0.000021"),
        suspense=Decimal(0),
        currency="USD",
        source="PROVIDER" if answered else None,
        text_sha256=sha256(text.encode()).hexdigest(),
        latency_us=1_000,
        makes_orders=request.makes_orders,
    )


class Streams:
    """Stands for deltas in Valkey: the words of an answer one by one; `breaks` breaks off after two of them."""

    def __init__(self) -> None:
        self._following: dict[str, Following] = {}

    def follow(self, tenant_id: str, request_id: str) -> Following:
        """Begin to follow an answer."""
        found = self._following[request_id] = Following("", tenant_id, request_id, 1_000_000)
        return found

    def leave(self, following: Following) -> None:
        """Stop following it."""
        self._following = {name: one for name, one in self._following.items() if one is not following}

    def come(self, request: AiRequest, last: str) -> None:
        """Show words of the answer."""
        following = self._following[request.event_id]
        words = last.split()[::-1]
        if words[-1:] == ["breaks"]:
            following.take(b"1-1", [TEXT, b"something else"])
        elif len(words) > 1:
            following.take(b"1-1", [TEXT, words[0].encode()])

    async def __aexit__(self, *_: object) -> None:
        """Do nothing."""


def settings_in_force() -> InForce:
    """Return a provider of all tenants, one of beta, and a route."""
    found = InForce()
    own = provider("betas", "secret-1", tenant_id="beta")
    shared = (
        provider("paper", "paper-1", "paper-2"),
        route("paper/paper-1", request_type="scalping"),
        route("paper/paper-1"),
    )
    for one in revised((*shared, own), 1, 1):
        take(found, one)
    return found


def model_asker() -> Asker:
    """Return an asker whose models answer at once; to be called on its event loop."""
    heard = Heard()
    model, streams = Model(heard), Streams()
    model.deltas = streams
    made: Any = Asker(cast("Any", heard), cast("Any", model), cast("Any", streams), settings_in_force)
    return cast("Asker", made)
