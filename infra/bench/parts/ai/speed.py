"""What AI calls cost: decisions, calls and streams of the caller, beside the plain packages, on a mock provider."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import tradewind
from tradewind.connectors.settings import RedisSettings, revealed
from tradewind.infra.bench.parts.ai.deciding import decide_us
from tradewind.infra.bench.parts.ai.mock import CHUNKS, WORD
from tradewind.infra.bench.parts.progress import Progress
from tradewind.infra.bench.parts.results import Result
from tradewind.infra.services.embedded.valkey import Valkey
from tradewind.infra.services.guard import temporary_folder
from tradewind.infra.services.place import Place
from tradewind.infra.services.ports import ports

PART = "tradewind.infra.bench.parts.ai"
CHECKOUT = Path(tradewind.__file__).resolve().parents[1]
PEER = str(CHECKOUT / "infra/bench/peers/ai_packages.py")
PEERS_PYTHON = str(CHECKOUT / ".venv-bench/bin/python")
CHARACTERS = len(WORD) * CHUNKS
CHUNK_S = 0.05  # between two chunks of the streams at once: they last 3 s
TIMEOUT_S = 600.0
DECIDING, STREAMS = "decisions", "streams at once"
Runs = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    calls: int
    """Of each driver in a run."""
    decisions: int
    """Requests, each with an attempt."""
    streams: int
    """At once."""
    runs: int


def measure(size: Size) -> tuple[list[Result], list[str]]:
    """Run the bench; return figures and notes."""
    found: Runs = {}
    progress = Progress(plan(size.runs), {})
    for _ in range(size.runs):
        progress.begin(DECIDING)
        found.setdefault("decide_us_p99", []).append(decide_us(size.decisions))
    with mock(0.0) as url:
        for _ in range(size.runs):
            for what, streamed in (("call", "0"), ("stream", "1")):
                for name, command in drivers().items():
                    progress.begin(f"{what}s of {name}")
                    told = _told([*command, url, str(size.calls), str(CHARACTERS), streamed])
                    found.setdefault(f"{what}_cpu_ms_{name}", []).append(told["cpu_ms"])
    with mock(CHUNK_S) as url, valkey() as part:
        for _ in range(size.runs):
            progress.begin(STREAMS)
            told = _told(_ours("streams", url, str(size.streams), str(CHARACTERS)), environment(part))
            found.setdefault("stream_memory_kb", []).append(told["kb"])
            found.setdefault("streams_lost", []).append(told["lost"])
    return results(found), notes(size)


def drivers() -> dict[str, list[str]]:
    """Return how the caller and the peers are run, by name."""
    return {
        "caller": _ours("ours"),
        "openai_sdk": [sys.executable, PEER, "openai_sdk"],
        "litellm_router": [PEERS_PYTHON, PEER, "litellm_router"],
    }


def plan(runs: int) -> list[str]:
    """Return the kind of each run, in order."""
    turns = [f"{what}s of {name}" for what in ("call", "stream") for name in drivers()]
    return [*[DECIDING] * runs, *turns * runs, *[STREAMS] * runs]


def results(found: Runs) -> list[Result]:
    """Return the figures, and the caller's in parts of the peers'."""
    units = {"us": "µs", "ms": "ms", "kb": "KiB", "lost": "streams"}
    told = [
        Result(name, round(median(runs), 3), next(units[part] for part in name.split("_") if part in units),
               tuple(round(run, 3) for run in runs))
        for name, runs in found.items()
    ]  # fmt: skip
    for what in ("call", "stream"):
        for peer in ("openai_sdk", "litellm_router"):
            pairs = zip(found[f"{what}_cpu_ms_caller"], found[f"{what}_cpu_ms_{peer}"], strict=True)
            parts = tuple(round(ours / theirs, 3) for ours, theirs in pairs)
            told.append(Result(f"{what}_of_{peer}", median(parts), "of 1", parts))
    return told


def notes(size: Size) -> list[str]:
    """Return what a reader of the figures should know."""
    return [
        f"{size.calls} calls of each driver in a run, 16 at once, after 50; {CHUNKS} chunks of {len(WORD)} characters",
        f"{size.streams:,} streams at once of {CHUNKS} chunks, {CHUNK_S * 1_000:.0f} ms apart",
        f"load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
    ]


@contextmanager
def mock(chunk_s: float) -> Iterator[str]:
    """Give the URL of a provider."""
    process = subprocess.Popen(_ours("mock", "0", str(chunk_s)), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()


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


def environment(part: RedisSettings) -> dict[str, str]:
    """Return the variables by which a process finds a Valkey, and nothing of a stack of somebody's own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWIND_")}
    named = {"URL": str(part.url), "USER": part.user, "PASSWORD": revealed(part.password) or ""}
    return {**own, **{f"TRADEWIND_REDIS__{name}": value for name, value in named.items()}}


def _ours(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", f"{PART}.{module}", *arguments]


def _told(command: Sequence[str], env: dict[str, str] | None = None) -> dict[str, float]:
    """Run a driver to its end, and return what its last line says."""
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} failed: {done.stderr[-2_000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
