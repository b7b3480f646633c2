"""Two agents in a row that do what every agent does: decode, keep state, send on. Each runs in a process of its own.

    python -m tradewind.infra.bench.parts.hops NAME PARTITIONS 0|1...

Event latency is taken from a tick's `ts_event`, which the sender sets to its wall clock, to the moment at which a
read_committed consumer has the tick behind the second agent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from threading import Event as Flag
from threading import Thread

import numpy as np
import numpy.typing as npt
from confluent_kafka import Producer

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.kafka.client import options
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.registry import PATIENT_ATTEMPTS, open_codec
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.measured import GroupProgress, pace
from tradewind.infra.bench.parts.services import start
from tradewind.processors.batch import Output, Segment, State, rows_of
from tradewind.schemas.codec import Codec
from tradewind.schemas.market import Tick
from tradewind.streams.runtime import Agent, agent_topics, group_of, run_agents
from tradewind.streams.runtime.timings import USUAL, Timings
from tradewind.topics import LATE_TICKS, PARTITIONS, Topic
from tradewind.topics.partitioner import partition_of

SYMBOLS = tuple(f"S{number:02}" for number in range(12))
WARM_UP_S = 5.0
STOP_S = 20.0
TIMEOUT_S = 300.0
US = 1_000_000
MODULE = "tradewind.infra.bench.parts.hops"
QUEUED = 200_000
PACED = "paced"
"""In place of a number, on the command line of a worker whose agents pace themselves."""
LINGER_MS = 0  # the client's own 5 ms change nothing at 500 events/s, and show at 50


def hop(state: State, segment: Segment) -> list[Output]:
    """Count each symbol's ticks and pass them on."""
    sent: list[Output] = []
    for event in rows_of(segment).events:
        if isinstance(event, Tick):
            known = state.get(event.symbol, Tick)
            state.put(event.symbol, replace(event, seq=1 if known is None else known.seq + 1))
            sent.append(event)
    return sent


@dataclass(frozen=True, slots=True)
class Hops:
    """The topics and agents of one measurement, under a name of their own."""

    name: str
    partitions: int = PARTITIONS
    latency_s: float | None = None
    """From the begin of a transaction of an agent to that of the next; None lets the agents' own pacing decide."""

    def topic(self, number: int) -> Topic:
        """Return the topic before the first (0), between the two (1), and behind the second agent (2)."""
        return replace(LATE_TICKS, name=f"{self.name}.{number}", partitions=self.partitions)

    def agent(self, number: int) -> Agent:
        """Return the first (0) or the second (1) agent."""
        return Agent(
            name=f"{self.name}-{number}",
            inputs=(self.topic(number),),
            outputs=(self.topic(number + 1),),
            processor=hop,
            latency_s=self.latency_s,
        )

    def create(self, settings: Settings) -> None:
        """Create all topics."""
        of_agents = [topic for number in (0, 1) for topic in agent_topics(self.agent(number))]
        ensure(settings, [*(self.topic(number) for number in range(3)), *of_agents])

    def command(self, *numbers: int, module: str = MODULE) -> list[str]:
        """Return the command of a worker of the first (0), the second (1), or both agents."""
        latency = PACED if self.latency_s is None else str(self.latency_s)
        return [sys.executable, "-P", "-m", module, self.name, str(self.partitions), latency, *map(str, numbers)]

    @contextmanager
    def running(self, settings: Settings) -> Iterator[Callable[[], bool]]:
        """Run both agents; gives what tells whether they still do."""
        environment = {**os.environ, "TRADEWIND_DATA": str(settings.data)}
        workers = [start(settings, f"{self.name}-{number}", self.command(number), environment) for number in (0, 1)]
        try:
            yield lambda: all(worker.poll() is None for worker in workers)
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait(STOP_S)


def ticks(codec: Codec, count: int, first: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """Yield (key, value) of ticks that are made now, symbol after symbol."""
    for number in range(first, first + count):
        symbol = SYMBOLS[number % len(SYMBOLS)]
        now = clock_us()
        tick = Tick(symbol=symbol, venue="T", seq=number, ts_event=now, bid=1.0, ask=1.0001)
        yield f"{symbol}.T".encode(), codec.encode(tick)


def capacity(settings: Settings, codec: Codec, hops: Hops, count: int) -> float:
    """Return the events per second that pass both agents, which start at once before a filled topic."""
    hops.create(settings)
    with sender(settings, hops.topic(0), linger_ms=50) as send:
        for key, value in ticks(codec, count):
            send(key, value)
    second, topic = group_of(hops.agent(1), settings), hops.topic(1)
    with hops.running(settings) as alive, ExitStack() as stack:
        progress = stack.enter_context(GroupProgress(settings, second, settings.physical(topic), topic.partitions))
        return pace(progress.records, count // 10, count, alive, TIMEOUT_S).per_s


def latency_ms(settings: Settings, codec: Codec, hops: Hops, rate: int, seconds: float) -> npt.NDArray[np.float64]:
    """Send at a steady rate once both agents work; return (n,) latencies over both, ms, without the warm-up's."""
    hops.create(settings)
    found: list[tuple[int, int]] = []
    done = Flag()
    with hops.running(settings) as alive:
        reader = Thread(target=_read, args=(settings, codec, hops.topic(2), found, done), daemon=True)
        reader.start()
        _send_steadily(settings, codec, hops.topic(0), (1, 1.0), alive)
        wait_for(lambda: bool(found), "both agents to work")
        found.clear()
        begin = clock_us()
        count = _send_steadily(settings, codec, hops.topic(0), (rate, WARM_UP_S + seconds), alive)
        wait_for(lambda: len(found) >= count, f"{count:,} events to come through two hops")
        done.set()
        reader.join()
    after = begin + WARM_UP_S * US
    return np.array([(got - sent) / 1000 for sent, got in found if sent >= after])


def wait_for(until: Callable[[], bool], what: str) -> None:
    """Wait until something holds; raises `RuntimeError` where it takes too long."""
    deadline = time.monotonic() + TIMEOUT_S
    while not until():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {TIMEOUT_S:.0f} s for {what}")
        time.sleep(0.05)


def _send_steadily(
    settings: Settings, codec: Codec, topic: Topic, load: tuple[int, float], alive: Callable[[], bool]
) -> int:
    rate, seconds = load
    total = int(rate * seconds)
    with sender(settings, topic, linger_ms=LINGER_MS) as send:
        begun = time.monotonic()
        for number, (key, value) in enumerate(_on_time(codec, total, rate, begun)):
            send(key, value)
            if number % rate == 0 and not alive():
                raise RuntimeError("an agent ended")
    return total


def _on_time(codec: Codec, total: int, rate: int, begun: float) -> Iterator[tuple[bytes, bytes]]:
    for number in range(total):
        wait = begun + number / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        yield from ticks(codec, 1, number)


@contextmanager
def sender(settings: Settings, topic: Topic, linger_ms: int) -> Iterator[Callable[[bytes, bytes], None]]:
    """Give what sends a key and a value to a topic; all are delivered when the context ends."""
    producer = Producer({**options(settings), "linger.ms": linger_ms, "queue.buffering.max.messages": QUEUED})
    name = settings.physical(topic)

    def send(key: bytes, value: bytes) -> None:
        while True:
            try:
                producer.produce(name, value, key, partition_of(key, topic.partitions))
            except BufferError:
                producer.poll(0.05)
            else:
                producer.poll(0)
                return

    yield send
    if producer.flush(TIMEOUT_S):
        raise RuntimeError(f"{topic.name}: not all events were delivered")


def _read(settings: Settings, codec: Codec, topic: Topic, found: list[tuple[int, int]], done: Flag) -> None:
    name = settings.physical(topic)
    for batch in raw_records(settings, name, range(topic.partitions), "earliest", follow=True):
        now = clock_us()
        for message in batch:
            value = message.value()
            event = None if value is None else codec.decode(value)
            if isinstance(event, Tick):
                found.append((event.ts_event, now))
        if done.is_set():
            return


def main(timings: Timings = USUAL) -> None:
    """Run agents until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    name, partitions, latency, *numbers = sys.argv[1:]
    hops = Hops(name, int(partitions), None if latency == PACED else float(latency))
    settings = Settings()
    codec = open_codec(settings, PATIENT_ATTEMPTS)
    asyncio.run(run_agents([hops.agent(int(number)) for number in numbers], settings, codec, timings=timings))


if __name__ == "__main__":
    main()
