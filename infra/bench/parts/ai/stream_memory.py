"""The memory of an answer that is shown while it comes: how much more each further one takes, in caller and reader.

Each number of streams has two new processes, so what they take without a stream does not count.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

import numpy as np

from tradewind.connectors.settings import RedisSettings, revealed
from tradewind.infra.bench.parts.ai.streams import FOLLOWING
from tradewind.infra.services.embedded.valkey import Valkey
from tradewind.infra.services.guard import temporary_folder
from tradewind.infra.services.place import Place
from tradewind.infra.services.ports import ports

MODULE = "tradewind.infra.bench.parts.ai.streams"
ROLES = ("caller", "reader")
TIMEOUT_S = 300.0


def measure(url: str, redis: RedisSettings, streams: int) -> dict[str, float]:
    """Return KiB of a stream in each process and in both, and how many streams were lost of `streams`."""
    sizes = [streams // 4, streams // 2, streams]
    told = [_at_once(url, redis, size) for size in sizes]
    found = {role: float(np.polyfit(sizes, [one[role]["kb"] for one in told], 1)[0]) for role in ROLES}
    return {
        "stream_memory_kb": sum(found.values()),
        **{f"stream_memory_kb_{role}": kb for role, kb in found.items()},
        "streams_lost": max(told[-1][role]["lost"] for role in ROLES),
    }


def _at_once(url: str, redis: RedisSettings, streams: int) -> dict[str, dict[str, float]]:
    """Run both processes; return what each says."""
    with _started("reader", url, redis, streams) as reader:
        assert reader.stdout is not None
        if reader.stdout.readline().strip() != FOLLOWING:
            raise RuntimeError("the reader of the streams ended before it followed any")
        with _started("caller", url, redis, streams) as caller:
            return {"caller": _told("caller", caller), "reader": _told("reader", reader)}


@contextmanager
def _started(role: str, url: str, redis: RedisSettings, streams: int) -> Iterator[subprocess.Popen[str]]:
    """Start a process, which does not outlive `TIMEOUT_S`."""
    command = [sys.executable, "-P", "-m", MODULE, role, url, str(streams)]
    process = subprocess.Popen(command, env=_environment(redis), stdout=subprocess.PIPE, text=True)
    late = Timer(TIMEOUT_S, process.kill)
    late.start()
    try:
        yield process
    finally:
        late.cancel()
        process.kill()
        process.wait()


def _told(role: str, process: subprocess.Popen[str]) -> dict[str, float]:
    """Return what a process says in its last line."""
    assert process.stdout is not None
    said = process.stdout.read()
    if process.wait():
        raise RuntimeError(f"the {role} of the streams ended with {process.returncode}, within {TIMEOUT_S:.0f} s")
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    return found


@contextmanager
def valkey() -> Iterator[RedisSettings]:
    """Give a Valkey of the bench's own."""
    with temporary_folder("tradewind-bench-") as data:
        own = Valkey(Place(data, ports(None)))
        for folder in ("run", "logs"):
            (data / folder).mkdir()
        own.start()
        try:
            yield RedisSettings(**own.endpoint())
        finally:
            for server in own.servers:
                server.stop()


def _environment(part: RedisSettings) -> dict[str, str]:
    """Return the variables by which a process finds a Valkey, and nothing of a stack of somebody's own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWIND_")}
    named = {"URL": str(part.url), "USER": part.user, "PASSWORD": revealed(part.password) or ""}
    return {**own, **{f"TRADEWIND_REDIS__{name}": value for name, value in named.items()}}
