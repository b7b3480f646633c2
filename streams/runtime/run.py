"""Run several agents in one process: each with its own Faust app, consumer group and transactional producer."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Sequence

from tradewind.connectors.settings import Settings
from tradewind.connectors.telemetry.process import Telemetry
from tradewind.connectors.watchdogs.watch import watched
from tradewind.schemas.codec import Codec
from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.errors import AgentMisdeclared
from tradewind.streams.runtime.sizes import AS_USUAL, Sizes
from tradewind.streams.runtime.timings import USUAL, Timings
from tradewind.streams.runtime.watch.observer import Observer
from tradewind.streams.runtime.worker import Worker

SLOT_BYTES = 4  # of a random slot: no two of a group's few workers share one
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
log = logging.getLogger(__name__)


async def run_agents(
    agents: Sequence[Agent],
    settings: Settings,
    codec: Codec,
    *,
    on_ready: Callable[[], None] | None = None,
    stop: asyncio.Event | None = None,
    slot: str | None = None,
    telemetry: Telemetry | None = None,
    timings: Timings = USUAL,
    sizes: Sizes = AS_USUAL,
) -> None:
    """Run agents until SIGTERM, SIGINT or `stop`. Their topics must exist, including those of `agent_topics`.

    Returns once the transactions in flight are committed or aborted. If an agent cannot continue, stops the others and
    raises `RuntimeStopped`. `on_ready` is called once, when all agents have restored their tasks. `slot` names this
    worker; no two running workers of a group may share a slot. If the successor of a dead worker has the same slot, it
    aborts the pending transaction at once. Without `slot`, each worker gets a random one. The agents record to
    `telemetry`. `timings` holds their timeouts and intervals, `sizes` how much they
    read and write at once.
    """
    if not agents or len({agent.name for agent in agents}) < len(agents):
        raise AgentMisdeclared(f"a worker runs agents of different names, not {[agent.name for agent in agents]}")
    stop = stop or asyncio.Event()
    telemetry = telemetry or Telemetry()
    observers = [Observer(agent, settings, telemetry) for agent in agents]
    slots = [slot or secrets.token_hex(SLOT_BYTES) for _ in observers]
    workers = [
        Worker(of.agent, settings, codec, own, of, timings=timings, sizes=sizes)
        for of, own in zip(observers, slots, strict=True)
    ]
    with _signals(stop), _freeze_loaded(), watched(observers, settings, codec, telemetry.health):
        beating = asyncio.ensure_future(_beat(telemetry, timings))
        running = [asyncio.ensure_future(worker.run()) for worker in workers]
        stopped = asyncio.ensure_future(stop.wait())
        ready = asyncio.ensure_future(_when_ready(workers, on_ready))
        try:
            await asyncio.wait({*running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*running, stopped, ready, beating):
                task.cancel()
            results = await asyncio.gather(*running, return_exceptions=True)
            await asyncio.gather(stopped, ready, beating, return_exceptions=True)
    for worker, result in zip(workers, results, strict=True):
        if isinstance(result, Exception):
            log.error("agent %s stopped: %s", worker.agent.name, result)
            raise result


async def _beat(telemetry: Telemetry, timings: Timings) -> None:
    """Record a beat of the event loop each `beat_s`, so that `/live` notices a loop that hangs."""
    beat = time.monotonic()
    telemetry.health.must_live(
        "event loop",
        lambda: [f"it has stood for {s:.0f} s"] if (s := time.monotonic() - beat) > timings.standing_s else [],
    )
    while True:
        await asyncio.sleep(timings.beat_s)
        beat = time.monotonic()


async def _when_ready(workers: Sequence[Worker], on_ready: Callable[[], None] | None) -> None:
    for worker in workers:
        await worker.ready.wait()
    log.info("ready: %s", ", ".join(worker.agent.name for worker in workers))
    if on_ready is not None:
        on_ready()


@contextlib.contextmanager
def _freeze_loaded() -> Iterator[None]:
    """Keep what is loaded out of the garbage collector: it looked at all of it for every few thousand records parsed.

    Measured with a million ticks on a busy machine: 156,000 a second without, 258,000 with.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """Have signals set `stop`, where this is the main thread, which alone may."""
    loop = asyncio.get_running_loop()
    handled = []
    for number in STOP_SIGNALS:
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue  # `nohup`
        with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
            loop.add_signal_handler(number, stop.set)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
