"""Many answers at once, each shown while it comes: one of the two processes that share the work, and its memory.

    python -m tradewind.infra.bench.parts.ai.streams caller URL STREAMS
    python -m tradewind.infra.bench.parts.ai.streams reader URL STREAMS

The reader says that it follows all answers, before the caller begins. The variables TRADEWIND_REDIS__* name the Valkey
between the two.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from collections.abc import Awaitable
from hashlib import sha256

from pydantic import SecretStr

from tradewind.connectors.ai.calls import AiCalls
from tradewind.connectors.ai.deltas.merging import Delta
from tradewind.connectors.ai.deltas.reader import DeltaReader, Following
from tradewind.connectors.ai.deltas.writer import DeltaWriter
from tradewind.connectors.ai.keys.keys import Keys
from tradewind.connectors.ai.valkey import Link
from tradewind.connectors.calls.kind import Sending
from tradewind.connectors.settings import RedisSettings, Settings
from tradewind.infra.bench.parts.ai.mock import CHUNKS, WORD
from tradewind.infra.bench.parts.ai.ours import call
from tradewind.infra.bench.parts.measured import peak_rss_mb
from tradewind.schemas.ai import AiAttempt

SHOWN_S = 60.0
TEXT = WORD * CHUNKS
FOLLOWING = "following"


async def caller(redis: RedisSettings, url: str, streams: int) -> list[bool]:
    """Make all calls at once; return whether each attempt was whole."""
    kind = AiCalls(Keys({"main": SecretStr("sk-test")}), deltas=DeltaWriter(Link(redis)))

    async def whole(number: int) -> bool:
        attempt = await kind.perform(call(url, number, streamed=True), Sending())
        return isinstance(attempt, AiAttempt) and attempt.text == TEXT

    found = await asyncio.gather(*(whole(number) for number in range(streams)))
    await kind.close()
    return found


async def reader(redis: RedisSettings, url: str, streams: int) -> list[bool]:
    """Follow the answers to all calls; return whether each was shown whole."""
    async with DeltaReader(lambda: Link(redis)) as deltas:

        async def whole(following: Following) -> bool:
            digest, characters = sha256(), 0
            async for one in following:
                if isinstance(one, Delta):
                    digest.update(one.text.encode())
                    characters += len(one.text)
                if characters >= len(TEXT):
                    break
            deltas.leave(following)
            return digest.digest() == sha256(TEXT.encode()).digest()

        asked = [call(url, number, streamed=True) for number in range(streams)]
        followings = [deltas.follow(one.tenant_id, one.request_id) for one in asked]
        del asked
        print(FOLLOWING, flush=True)
        return await asyncio.gather(*(_in_time(whole(one)) for one in followings))


async def _in_time(shown: Awaitable[bool]) -> bool:
    try:
        async with asyncio.timeout(SHOWN_S):
            return await shown
    except TimeoutError:
        return False


async def main() -> None:
    """Do one process's work, and print its memory at the most, KiB, and how many streams were not whole."""
    role, url, streams = sys.argv[1:]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    whole = await {"caller": caller, "reader": reader}[role](Settings().redis, url, int(streams))
    print(json.dumps({"kb": peak_rss_mb(os.getpid()) * 1_024, "lost": whole.count(False)}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
