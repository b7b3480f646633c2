"""What Tradewind adds to a call: a steady load, and a provider that takes 300 ms; two hops before and after it.

A request is published, decided, claimed, sent, answered, published, decided and answered: four transactions. Latency is
taken from the clock of the sender to the moment at which a read_committed consumer has the response.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event as Flag
from threading import Thread

import numpy as np
import numpy.typing as npt

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import PREFIX, Settings
from tradewind.infra.bench.parts.ai.asked import TENANTS
from tradewind.infra.bench.parts.ai.prepared import Double, prepare
from tradewind.infra.bench.parts.hops import LINGER_MS, STOP_S, Hops, latency_ms, sender, wait_for
from tradewind.infra.bench.parts.progress import Progress
from tradewind.infra.bench.parts.services import services, start
from tradewind.infra.cli.ai.request import new_request
from tradewind.schemas.ai import AiRequest, AiResponse
from tradewind.schemas.codec import Codec
from tradewind.topics import AI_REQUESTS, AI_RESPONSES

WAIT_S = 0.3  # of the provider
RATE = 100  # requests/s
HOPS_RATE = 200  # events/s of the two hops
WARM_UP_S = 10.0
HOPS_WARM_UP_S = 30.0
DEADLINE_S = 300.0
CONCURRENT = 1_000
SETUP, HOPS_WARM, HOPS, CALLS = "services", "two hops, warming up", f"two hops at {HOPS_RATE}/s", f"calls at {RATE}/s"
KEY_ID = "MOCK"
PARTS = {"p50": 50, "p95": 95}
Runs = dict[str, list[float]]


def plan() -> list[str]:
    """Return the kind of each run, in order."""
    return [SETUP, HOPS_WARM, HOPS, CALLS, HOPS]


def known_s(seconds: float) -> dict[str, float]:
    """Return how long runs take whose length is asked for, seconds."""
    return {HOPS_WARM: HOPS_WARM_UP_S, HOPS: seconds, CALLS: WARM_UP_S + seconds}


def measure(url: str, seconds: float, progress: Progress) -> Runs:
    """Return the figures of a load of some seconds; `url` is that of a provider which takes `WAIT_S`."""
    found: Runs = {}
    progress.begin(SETUP)
    with services(optimise_java=True) as settings:
        codec = open_codec(settings)
        progress.begin(HOPS_WARM)
        latency_ms(settings, codec, Hops("warm-up"), HOPS_RATE, HOPS_WARM_UP_S)
        for name in ("before", "after"):
            progress.begin(HOPS)
            _note(found, "two_hops", latency_ms(settings, codec, Hops(f"hops-{name}"), HOPS_RATE, seconds))
            if name == "before":
                progress.begin(CALLS)
                prepare(settings, Double(url, "mock", "openai", KEY_ID, CONCURRENT))
                _note(found, "overhead", _calls_ms(settings, codec, seconds) - WAIT_S * 1_000)
    return found


def _note(found: Runs, name: str, times: npt.NDArray[np.float64]) -> None:
    for part, percent in PARTS.items():
        found.setdefault(f"{name}_ms_{part}", []).append(float(np.percentile(times, percent)))


def _calls_ms(settings: Settings, codec: Codec, seconds: float) -> npt.NDArray[np.float64]:
    """Return (n,) latencies of requests that come at a steady rate, ms, without the warm-up's."""
    load = _Load(settings, codec)
    with _running(settings) as alive:
        load.ask(1, alive)
        load.ask(int(RATE * (WARM_UP_S + seconds)), alive)
        load.done.set()
        load.reader.join()
    return load.latencies_ms()[1 + int(RATE * WARM_UP_S) :]


class _Load:
    """Requests, and when their responses came."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self._settings, self._codec = settings, codec
        self._asked: dict[str, int] = {}
        self._answered: dict[str, int] = {}
        self._failed: BaseException | None = None
        self.done = Flag()
        self.reader = Thread(target=self._listen, daemon=True)
        self.reader.start()

    def ask(self, count: int, alive: Callable[[], bool]) -> None:
        """Ask at the steady rate, and wait until all is answered."""
        with sender(self._settings, AI_REQUESTS, LINGER_MS) as send:
            begun = time.monotonic()
            for number in range(count):
                wait = begun + number / RATE - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                request = _request(TENANTS[number % len(TENANTS)])
                self._asked[request.event_id] = request.ts_event
                send(AI_REQUESTS.key(request).encode(), self._codec.encode(request))
        wait_for(lambda: self._all_answered(alive), f"{count:,} requests to be answered")

    def latencies_ms(self) -> npt.NDArray[np.float64]:
        """Return (n,) latencies in the order of asking, ms."""
        return np.array([(self._answered[id_] - asked) / 1_000 for id_, asked in self._asked.items()])

    def _all_answered(self, alive: Callable[[], bool]) -> bool:
        if self._failed is not None:
            raise RuntimeError(f"reading the responses has failed: {self._failed}") from self._failed
        if not alive():
            raise RuntimeError("the caller, or a worker, ended by itself")
        return self._asked.keys() <= self._answered.keys()

    def _listen(self) -> None:
        try:
            name, partitions = self._settings.physical(AI_RESPONSES), range(AI_RESPONSES.partitions)
            for batch in raw_records(self._settings, name, partitions, "earliest", follow=True):
                now = clock_us()
                for message in batch:
                    value = message.value()
                    event = None if value is None else self._codec.decode(value)
                    if isinstance(event, AiResponse):
                        self._take(event, now)
                if self.done.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - the bench's own thread raises it
            self._failed = error

    def _take(self, response: AiResponse, now: int) -> None:
        if response.status != "ANSWERED":
            raise RuntimeError(f"a request was not answered: {response.status} {response.code}, {response.reason}")
        self._answered[response.request_id] = now


def _request(tenant: str) -> AiRequest:
    return new_request(
        "Is EURUSD calm?",
        tenant=tenant,
        request_type="general",
        provider=None,
        model=None,
        max_tokens=64,
        deadline_s=DEADLINE_S,
    )


@contextmanager
def _running(settings: Settings) -> Iterator[Callable[[], bool]]:
    """Run the agents and a caller; gives what tells whether they still do."""
    environment = {**os.environ, "TRADEWIND_DATA": str(settings.data), f"{PREFIX}AI__KEYS__{KEY_ID}": "sk-test"}
    commands = {"tenancy": ["worker", "tenancy"], "ai": ["worker", "ai"], "caller": ["caller", "ai"]}
    processes = [
        start(settings, name, [sys.executable, "-P", "-m", "tradewind.infra.cli", *command], environment)
        for name, command in commands.items()
    ]
    try:
        yield lambda: all(process.poll() is None for process in processes)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(STOP_S)
