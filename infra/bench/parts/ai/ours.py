"""The caller's part of a call, without Kafka: decode the call, ask by the adapter `openai`, encode the attempt.

python -m tradewind.infra.bench.parts.ai.ours URL CALLS CHARACTERS 0|1
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from decimal import Decimal
from itertools import count

from pydantic import SecretStr

from tradewind.connectors.ai.calls import AiCalls
from tradewind.connectors.ai.keys.keys import Keys
from tradewind.connectors.calls.kind import Sending
from tradewind.connectors.clock.wall import clock_us
from tradewind.infra.bench.peers.ai_driven import MAX_TOKENS, MESSAGES, MODEL, drive
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiAttempt, AiCall
from tradewind.schemas.codec import MODELS, Codec

LONG_US = 600_000_000
CODEC = Codec({model: id_ for id_, model in enumerate(sorted(MODELS), 1)}, lambda _: "")


def call(url: str, number: int, *, streamed: bool) -> AiCall:
    """Return a call that asks what the peers ask."""
    now, id_ = clock_us(), derive_id("bench ai", number)
    body = json.dumps({"max_tokens": MAX_TOKENS, "messages": MESSAGES}, sort_keys=True, separators=(",", ":"))
    return AiCall(
        event_id=id_, tenant_id="alpha", ts_event=now, ts_ingest=now, correlation_id=id_, causation_id=id_,
        call_id=id_, request_id=id_, attempt=1, kind="CHAT", request_type="bench", reply_key="bench",
        provider="mock", provider_revision=1, adapter="openai", base_url=url, allow_private=True, model=MODEL,
        key_id="main", concurrent=0, body=body, digest=id_, max_tokens=MAX_TOKENS, input_bound=1_000,
        stream="LIVE" if streamed else "NONE", cache="OFF", cache_only=False, probe=False, reserved=Decimal(1),
        currency="USD", price_id="bench", not_before=0, deadline=now + LONG_US, connect_timeout_ms=30_000,
        first_token_timeout_ms=300_000, idle_timeout_ms=300_000, total_timeout_ms=300_000,
    )  # fmt: skip


async def main() -> None:
    """Measure."""
    url, calls, characters, streamed = sys.argv[1:]
    kind, codec, numbers = AiCalls(Keys({"main": SecretStr("sk-test")})), CODEC, count()
    encoded = codec.encode(call(url, 0, streamed=streamed == "1"))

    async def ask() -> int:
        asked = codec.decode(encoded)
        assert isinstance(asked, AiCall)
        attempt = await kind.perform(replace(asked, call_id=str(next(numbers))), Sending())
        codec.encode(attempt)
        assert isinstance(attempt, AiAttempt)
        assert attempt.outcome == "OK", attempt.error
        return len(attempt.text)

    try:
        await drive(ask, int(calls), int(characters))
    finally:
        await kind.close()


if __name__ == "__main__":
    asyncio.run(main())
