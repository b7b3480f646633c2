"""Does to workers and brokers what happens to them in years, in minutes; a seed chooses what and when.

A fault counts where it is known to have happened as it is named: docs/test-evidence.md says how.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from tradewind.connectors.kafka.client import options
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.faults import held_worker
from tradewind.infra.bench.parts.faults.holding import Bounds, Holding, Missed
from tradewind.infra.bench.parts.hops import Hops
from tradewind.infra.services.embedded.kafka import Kafka
from tradewind.infra.services.stack import Stack
from tradewind.streams.runtime import Agent, group_of
from tradewind.streams.runtime.read.positions import GroupPositions
from tradewind.streams.runtime.timings import USUAL, Timings

MOST_WORKERS = 4
AWAY_S = (0.5, 6.0)  # a stopped broker
ATTEMPTS = 4  # in a row that a fault may come to nothing: a rebalance or a broker that comes back can spoil some
GAP_S = (0.2, 3.0)  # between faults: from before a rebalance is over to well after it
STILL_S = 150.0  # without any progress; how long catching up takes is the machine's matter
STOP_S = 60.0  # a worker stops one agent after the other, each of which waits up to 15 s for a broker that is away
TOLD = 20_000  # characters of a log that an error quotes


class Chaos:
    """Owns the workers of two agents; a context that leaves none running."""

    def __init__(
        self,
        stack: Stack,
        settings: Settings,
        hops: Hops,
        chance: random.Random,
        timings: Timings = USUAL,
        *,
        once: bool = False,
    ) -> None:
        """Choose faults by their weights, or each kind `once` before any comes again. Workers have `timings`."""
        kafka = stack.service("kafka")
        assert isinstance(kafka, Kafka)
        self._kafka, self._settings, self._hops, self._chance = kafka, settings, hops, chance
        self._environment = {**os.environ, "TRADEWIND_DATA": str(settings.data), **held_worker.variables(timings)}
        self._workers: list[subprocess.Popen[bytes]] = []
        self._logs = settings.data / held_worker.FOLDER
        self._logs.mkdir()
        self._holding = Holding(settings, self._logs, Bounds.of(timings))
        self._started = 0
        self._faults: dict[str, tuple[int, Callable[[], str | None]]] = {
            "killed a worker": (8, self._kill_worker),
            "added a worker": (2, self._add),
            "stopped a worker": (2, self._leave),
            "froze a worker between its offsets and its commit": (1, self._freeze),
            "let a transaction time out": (1, self._overstay),
            "killed a broker": (2, self._kill_broker),
            "stopped a broker for a while": (1, self._stop_broker),
            "let the groups' offsets expire": (1, self._expire),
        }
        self._gap_s = GAP_S
        self._once = once
        self._done: Counter[str] = Counter()
        self._missed: dict[str, list[str]] = {what: [] for what in self._faults}
        """What was seen instead of each kind since it last came."""
        self.kills = 0

    def __enter__(self) -> Self:
        self._add()
        self._add()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.send_signal(signal.SIGCONT)
            worker.kill()
            worker.wait()
        self._holding.close()

    @property
    def done(self) -> dict[str, int]:
        """How often each kind of fault has come."""
        return {what: self._done[what] for what in self._faults}

    @property
    def missing(self) -> list[str]:
        """Kinds of faults that have not come yet."""
        return [what for what in self._faults if what not in self._done]

    def next(self) -> str:
        """Do one thing at a moment of chance; returns what, and what was seen. Kinds that are missing come sooner.

        One that did not happen as it is named is not counted, and raises `RuntimeError` after `ATTEMPTS` in a row.
        """
        time.sleep(self._chance.uniform(*self._gap_s))
        self._alive()
        new = self.missing
        weights = [weight for weight, _ in self._faults.values()]
        chosen = self._chance.choices(list(self._faults), weights)[0]
        if new and (self._once or self._chance.random() < len(new) / len(self._faults)):
            chosen = self._chance.choice(new)
        try:
            seen = self._faults[chosen][1]()
        except Missed as instead:
            return self._note_missed(chosen, str(instead))
        self._done[chosen] += 1
        self._missed[chosen].clear()
        return chosen if seen is None else f"{chosen}: {seen}"

    def _note_missed(self, chosen: str, instead: str) -> str:
        missed = self._missed[chosen]
        missed.append(instead)
        if len(missed) >= ATTEMPTS:
            seen = "\n".join(missed)
            raise RuntimeError(f"it never came to this in {len(missed)} attempts: {chosen}. Seen instead:\n{seen}")
        return f"not: {chosen}; seen instead: {instead}"

    def settle(self) -> None:
        """Wait until both agents have processed all there is."""
        before, moved = None, time.monotonic()
        while any(left := [self._left(self._hops.agent(number)) for number in (0, 1)]):
            self._alive()
            if left != before:
                before, moved = left, time.monotonic()
            elif time.monotonic() - moved > STILL_S:
                raise TimeoutError(f"the agents have stood still for {STILL_S:.0f} s, {left} records before their ends")
            time.sleep(1.0)
        while self._workers:
            self._remove()

    def _alive(self) -> None:
        for worker in self._workers:
            if worker.poll() is not None:
                said = self._log_of(worker.pid).read_text("utf-8", "replace")
                raise RuntimeError(f"a worker ended by itself with {worker.returncode}:\n{said[-TOLD:]}")

    def _log_of(self, pid: int) -> Path:
        return self._logs / f"{pid}.log"

    def _left(self, agent: Agent) -> int:
        """Return how far an agent's committed positions are from the end of its input, markers included."""
        name = self._settings.physical(agent.inputs[0])
        at = [(name, partition) for partition in range(agent.partitions)]
        positions = GroupPositions(self._settings, group_of(agent, self._settings))
        try:
            stable, bounds = positions.stable(at, lambda: False), positions.bounds(at, lambda: False)
            return sum(end - (stable[where] or 0) for where, (_, end) in bounds.items())
        finally:
            positions.close()

    def _add(self) -> None:
        if len(self._workers) >= MOST_WORKERS:
            self._remove()
        command = self._hops.command(0, 1, module=held_worker.MODULE)
        self._started += 1
        draft = self._logs / f"{self._started}.starting"
        with draft.open("wb") as log:
            worker = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        draft.rename(self._log_of(worker.pid))
        self._workers.append(worker)

    def _pick(self) -> subprocess.Popen[bytes]:
        return self._workers.pop(self._chance.randrange(len(self._workers)))

    def _kill_worker(self) -> None:
        worker = self._pick()
        worker.kill()
        worker.wait()
        self.kills += 1
        self._add()

    def _remove(self) -> None:
        worker = self._pick()
        worker.terminate()
        code = worker.wait(STOP_S)
        if code not in (0, -signal.SIGTERM):  # the latter where it had not come as far as its handlers
            raise RuntimeError(f"a worker that was asked to stop ended with {code}")

    def _leave(self) -> None:
        """Stop a worker; another one stays."""
        if len(self._workers) == 1:
            self._add()
        self._remove()

    def _freeze(self) -> str:
        """Freeze a worker between its offsets and its commit until others have taken over, then let it go on."""
        if len(self._workers) == 1:
            self._add()
        worker = self._chance.choice(self._workers)
        return self._holding.freeze(worker.pid, self._log_of(worker.pid))

    def _overstay(self) -> str:
        """Have a worker that lives leave a transaction uncommitted until the coordinator has aborted it."""
        worker = self._chance.choice(self._workers)
        return self._holding.overstay(worker.pid, self._log_of(worker.pid))

    def _kill_broker(self) -> None:
        node = self._chance.randrange(self._kafka.nodes)
        self._kafka.servers[node].kill()
        self.kills += 1
        time.sleep(self._chance.uniform(*AWAY_S))
        self._kafka.start_node(node + 1)
        self._kafka.wait_ready()

    def _stop_broker(self) -> None:
        node = self._chance.randrange(self._kafka.nodes)
        self._kafka.servers[node].stop()
        time.sleep(self._chance.uniform(*AWAY_S))
        self._kafka.start_node(node + 1)
        self._kafka.wait_ready()

    def _expire(self) -> None:
        """Stop all workers, delete what the groups committed, as a broker does after a week, and start again."""
        count = len(self._workers)
        while self._workers:
            self._remove()
        admin = AdminClient(options(self._settings))
        for number in (0, 1):
            _forget(admin, group_of(self._hops.agent(number), self._settings))
        for _ in range(count):
            self._add()


def _forget(admin: AdminClient, group: str) -> None:
    """Delete a group once the members that were killed are out of it: their sessions end first."""
    deadline = time.monotonic() + STOP_S
    while True:
        try:
            admin.delete_consumer_groups([group])[group].result(STOP_S)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return
            if time.monotonic() > deadline:
                raise
            time.sleep(1.0)
        else:
            return
