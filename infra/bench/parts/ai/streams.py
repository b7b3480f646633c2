"""Many answers at once, each shown while it comes: the memory of one, and how many are not shown whole.

    python -m tradewind.infra.bench.parts.ai.streams URL STREAMS CHARACTERS

Caller and reader are one process. The variables TRADEWIND_REDIS__* name the Valkey between them.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from dataclasses import replace
from hashlib import sha256

import psutil
from pydantic import SecretStr

from tradewind.connectors.ai.calls import AiCalls
from tradewind.connectors.ai.deltas.merging import Delta
from tradewind.connectors.ai.deltas.reader import DeltaReader
from tradewind.connectors.ai.deltas.writer import DeltaWriter
from tradewind.connectors.ai.keys.keys import Keys
from tradewind.connectors.ai.valkey import Link
from tradewind.connectors.calls.kind import Sending
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.ai.mock import CHUNKS, WORD
from tradewind.infra.bench.parts.ai.ours import call
from tradewind.schemas.ai import AiAttempt

WARM_UP = 20
LOOK_S = 0.02
SHOWN_S = 120.0
WHOLE = sha256((WORD * CHUNKS).encode()).digest()


async def main() -> None:
    """Measure."""
    url, streams, _ = sys.argv[1:]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    redis = Settings().redis
    kind = AiCalls(Keys({"main": SecretStr("sk-test")}), deltas=DeltaWriter(Link(redis)))
    async with DeltaReader(lambda: Link(redis)) as reader:

        async def shown(number: int) -> bool:
            """Ask, and return whether both the deltas and the attempt were whole."""
            asked = replace(call(url, number, streamed=True))
            following, digest, characters = reader.follow(asked.tenant_id, asked.request_id), sha256(), 0
            performing = asyncio.create_task(kind.perform(asked, Sending()))
            async for one in following:
                if isinstance(one, Delta):
                    digest.update(one.text.encode())
                    characters += len(one.text)
                if characters >= len(WORD) * CHUNKS:
                    break
            reader.leave(following)
            attempt = await performing
            assert isinstance(attempt, AiAttempt)
            return digest.digest() == sha256(attempt.text.encode()).digest() == WHOLE

        async def in_time(number: int) -> bool:
            try:
                async with asyncio.timeout(SHOWN_S):
                    return await shown(number)
            except TimeoutError:
                return False

        await asyncio.gather(*(in_time(number) for number in range(WARM_UP)))
        process = psutil.Process()
        before = peak = process.memory_info().rss
        asking = asyncio.gather(*(in_time(WARM_UP + number) for number in range(int(streams))))
        while not asking.done():
            await asyncio.sleep(LOOK_S)
            peak = max(peak, process.memory_info().rss)
        whole = asking.result()
    await kind.close()
    print(json.dumps({"kb": (peak - before) / 1024 / len(whole), "lost": whole.count(False)}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
