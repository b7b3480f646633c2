"""What every peer of the AI bench does: ask so many times, some at once, and tell the CPU time of a call."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

AT_ONCE = 16
WARM_UP = 50
MESSAGES = [{"role": "system", "content": "You watch a market."}, {"role": "user", "content": "Is EURUSD calm?"}]
MODEL, MAX_TOKENS = "gpt-5-mini", 64


async def drive(ask: Callable[[], Awaitable[int]], calls: int, characters: int) -> None:
    """Print the CPU time of a call, ms; `ask` returns how many characters the answer had, which must be these."""

    async def some(count: int) -> None:
        for _ in range(count):
            assert await ask() == characters

    await some(WARM_UP)
    begun = time.process_time()
    await asyncio.gather(*(some(calls // AT_ONCE) for _ in range(AT_ONCE)))
    used = time.process_time() - begun
    print(json.dumps({"cpu_ms": 1_000 * used / (calls // AT_ONCE * AT_ONCE)}), flush=True)
