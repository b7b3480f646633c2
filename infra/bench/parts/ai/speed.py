"""What AI calls cost: decisions, calls and streams of the caller, beside the plain packages, on a mock provider.

And what the whole of agent, Kafka and caller adds to a call, and how many requests a kept answer saves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import tradewind
from tradewind.connectors.ai.cache.memory import SECONDS
from tradewind.infra.bench.parts.ai import hits, overhead, stream_memory
from tradewind.infra.bench.parts.ai.deciding import decide_us
from tradewind.infra.bench.parts.ai.mock import CHUNKS, WORD
from tradewind.infra.bench.parts.progress import Progress
from tradewind.infra.bench.parts.results import Result

PART = "tradewind.infra.bench.parts.ai"
CHECKOUT = Path(tradewind.__file__).resolve().parents[1]
PEER = str(CHECKOUT / "infra/bench/peers/ai_packages.py")
PEERS_PYTHON = str(CHECKOUT / ".venv-bench/bin/python")
CHARACTERS = len(WORD) * CHUNKS
CHUNK_S = 0.2  # between two chunks of the streams at once: the last begins long before the first ends
TIMEOUT_S = 600.0
DECIDING, KEPT, STREAMS = "decisions", "kept answers", "streams at once"
OVERHEAD_BOUND: Final = (1.5, 15.0)
"""What a request may take beside a provider's time: so much of two hops, and so many ms."""
PARTS: Final = ("decisions", "kept", "calls", "memory", "overhead")
Runs = dict[str, list[float]]
UNITS: Final = {"us": "µs", "ms": "ms", "kb": "KiB", "lost": "streams", "rate": "of 1", "hits": "pairs"}


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
    seconds: float
    """Of the steady load, and of each two hops beside it."""
    parts: Sequence[str] = PARTS
    """What is measured."""


def measure(size: Size) -> tuple[list[Result], list[str]]:
    """Run the bench; return figures and notes."""
    found: Runs = {}
    progress = Progress(plan(size), overhead.known_s(size.seconds))
    if "decisions" in size.parts:
        for _ in range(size.runs):
            progress.begin(DECIDING)
            found.setdefault("decide_us_p99", []).append(decide_us(size.decisions))
    if "kept" in size.parts:
        progress.begin(KEPT)
        _note(found, {**hits.rates(), "false_hits": hits.false_hits()})
    if "calls" in size.parts:
        _calls(size, progress, found)
    if "memory" in size.parts:
        with mock(0.0, CHUNK_S) as url, stream_memory.valkey() as valkey:
            for _ in range(size.runs):
                progress.begin(STREAMS)
                _note(found, stream_memory.measure(url, valkey, size.streams))
    if "overhead" in size.parts:
        with mock(overhead.WAIT_S, 0.0) as url:
            for name, runs in overhead.measure(url, size.seconds, progress).items():
                found[name] = runs
    return results(found), notes(size)


def _calls(size: Size, progress: Progress, found: Runs) -> None:
    with mock(0.0, 0.0) as url:
        for _ in range(size.runs):
            for what, streamed in (("call", "0"), ("stream", "1")):
                for name, command in drivers().items():
                    progress.begin(f"{what}s of {name}")
                    told = _told([*command, url, str(size.calls), str(CHARACTERS), streamed])
                    _note(found, {f"{what}_cpu_ms_{name}": told["cpu_ms"]})


def _note(found: Runs, figures: Mapping[str, float]) -> None:
    for name, figure in figures.items():
        found.setdefault(name, []).append(figure)


def drivers() -> dict[str, list[str]]:
    """Return how the caller and the peers are run, by name."""
    return {
        "caller": _ours("ours"),
        "openai_sdk": [sys.executable, PEER, "openai_sdk"],
        "litellm_router": [PEERS_PYTHON, PEER, "litellm_router"],
    }


def plan(size: Size) -> list[str]:
    """Return the kind of each run, in order."""
    turns = [f"{what}s of {name}" for what in ("call", "stream") for name in drivers()]
    kinds = {
        "decisions": [DECIDING] * size.runs,
        "kept": [KEPT],
        "calls": turns * size.runs,
        "memory": [STREAMS] * size.runs,
        "overhead": overhead.plan(),
    }
    return [kind for part in PARTS if part in size.parts for kind in kinds[part]]


def results(found: Runs) -> list[Result]:
    """Return the figures, the caller's in parts of the peers', and what a request may take by the two hops."""
    told = [
        Result(name, round(median(runs), 3), next(UNITS[part] for part in name.split("_") if part in UNITS),
               tuple(round(run, 3) for run in runs))
        for name, runs in found.items()
    ]  # fmt: skip
    for what in ("call", "stream"):
        for peer in ("openai_sdk", "litellm_router"):
            pairs = zip(found.get(f"{what}_cpu_ms_caller", ()), found.get(f"{what}_cpu_ms_{peer}", ()), strict=True)
            parts = tuple(round(ours / theirs, 3) for ours, theirs in pairs)
            told += [Result(f"{what}_of_{peer}", median(parts), "of 1", parts)] if parts else []
    times, more_ms = OVERHEAD_BOUND
    for part in overhead.PARTS:
        bounds = tuple(round(times * hops + more_ms, 3) for hops in found.get(f"two_hops_ms_{part}", ()))
        told += [Result(f"overhead_bound_ms_{part}", median(bounds), "ms", bounds)] if bounds else []
    return told


def notes(size: Size) -> list[str]:
    """Return what a reader of the figures should know."""
    wait_ms = overhead.WAIT_S * 1_000
    return [
        f"{size.calls} calls of each driver in a run, 16 at once, after 50; {CHUNKS} chunks of {len(WORD)} characters",
        f"{size.streams:,} streams at once of {CHUNKS} chunks, {CHUNK_S * 1_000:.0f} ms apart: KiB of each further one",
        f"kept answers: {hits.REQUESTS:,} requests for {hits.PROMPTS:,} prompts by Zipf ({hits.EXPONENT})",
        f"{hits.RATE:g} of these requests each second; an answer is kept for {SECONDS / 60:.0f} min",
        f"overhead: {overhead.RATE} requests/s for {size.seconds:.0f} s, less {wait_ms:.0f} ms of the provider",
        f"two hops of 4 partitions at {overhead.HOPS_RATE} events/s before and after the requests",
        f"load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
    ]


@contextmanager
def mock(wait_s: float, chunk_s: float) -> Iterator[str]:
    """Give the URL of a provider that takes its time for an answer, and for each chunk."""
    process = subprocess.Popen(_ours("mock", str(wait_s), str(chunk_s)), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()


def _ours(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", f"{PART}.{module}", *arguments]


def _told(command: Sequence[str]) -> dict[str, float]:
    """Run a driver to its end, and return what its last line says."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} failed: {done.stderr[-2_000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
