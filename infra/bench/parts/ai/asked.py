"""Keeps a number of AI requests open: asks as soon as responses come, and knows which came how often."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.hops import sender
from tradewind.infra.cli.ai.request import new_request
from tradewind.schemas.ai import AiRequest, AiResponse
from tradewind.schemas.codec import Codec
from tradewind.topics import AI_REQUESTS, AI_RESPONSES

TENANTS = ("alpha", "beta")
DEADLINE_S = 1_800.0  # longer than faults of one request can last
MOST_CHARACTERS = 400
TWICE = 0.02  # of requests that are sent a second time, as clients do
PAUSE_S = 0.02
REPEATED_S = 5.0
MOST_S = 600.0


class Asked:
    """Asks from a thread of its own; a context."""

    def __init__(self, settings: Settings, codec: Codec, most: int, seed: int) -> None:
        self._settings, self._codec, self._most = settings, codec, most
        self._chance = random.Random(seed)  # noqa: S311 - so that a seed repeats the load
        self.requests: set[str] = set()
        self.responses: Counter[str] = Counter()
        self._stop, self._done = threading.Event(), threading.Event()
        self._failed: BaseException | None = None
        self._threads = [threading.Thread(target=of, daemon=True) for of in (self._ask, self._listen)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._done.set()
        for thread in self._threads:
            thread.join()

    @property
    def open(self) -> int:
        """How many requests have no response."""
        self.check()
        return len(self.requests) - len(self.responses)

    def check(self) -> None:
        """Raise what stopped a thread."""
        if self._failed is not None:
            raise RuntimeError("asking has stopped") from self._failed

    def stop(self) -> None:
        """Ask no more, and wait until all has been answered."""
        self._stop.set()
        deadline = time.monotonic() + MOST_S
        while self.open:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.open} requests have no response after {MOST_S:.0f} s")
            time.sleep(0.1)

    def _ask(self) -> None:
        try:
            with sender(self._settings, AI_REQUESTS, 1) as send:
                while not self._stop.wait(PAUSE_S):
                    for _ in range(self._most - (len(self.requests) - len(self.responses))):
                        request = self._new()
                        self.requests.add(request.event_id)
                        for _ in range(2 if self._chance.random() < TWICE else 1):
                            send(AI_REQUESTS.key(request).encode(), self._codec.encode(request))
        except BaseException as error:  # noqa: BLE001 - the bench's own thread raises it
            self._failed = error

    def _listen(self) -> None:
        name, partitions = self._settings.physical(AI_RESPONSES), range(AI_RESPONSES.partitions)
        try:
            for batch in raw_records(self._settings, name, partitions, "earliest", follow=True):
                for message in batch:
                    value = message.value()
                    event = None if value is None else self._codec.decode(value)
                    if isinstance(event, AiResponse):
                        self.responses[event.request_id] += 1
                if self._done.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - the bench's own thread raises it
            self._failed = error

    def _new(self) -> AiRequest:
        return new_request(
            "x" * self._chance.randint(1, MOST_CHARACTERS),
            tenant=self._chance.choice(TENANTS),
            request_type="general",
            provider=None,
            model=None,
            max_tokens=self._chance.randint(1, MOST_CHARACTERS),
            deadline_s=DEADLINE_S,
        )
