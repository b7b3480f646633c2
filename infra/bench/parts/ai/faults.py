"""Kills and freezes the caller at four points of its work, and the agent between a call and its response."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from types import TracebackType
from typing import Final, Self, cast

from tradewind.connectors.calls.limits import Limits
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.ai import held_caller, worker
from tradewind.infra.bench.parts.ai.asked import Asked
from tradewind.infra.bench.parts.ai.orders import POINTS, Orders, Point, Seen, Way
from tradewind.infra.bench.parts.ai.provider import Provider
from tradewind.infra.bench.parts.services import start
from tradewind.streams.runtime import Timings

AGENT: Final = "agent between call and response"
KINDS: Final = tuple((point, way) for way in ("kill", "freeze") for point in (*POINTS, AGENT))
SESSION_S = 3.0
LIMITS = Limits(session_s=SESSION_S, transaction_s=3.0)
TIMINGS = Timings(session_s=SESSION_S, transaction_s=3.0)
FEWEST = 20  # requests that are answered before and after each fault: all goes on
NEWEST = 100  # calls in the provider's log that are looked at
STILL_S = 120.0
STOP_S = 40.0
LOOK_S = 0.05


class Faults:
    """Owns the processes; a context that leaves none running."""

    def __init__(self, settings: Settings, provider: Provider, asked: Asked, seed: int) -> None:
        self._settings, self._provider, self._asked = settings, provider, asked
        self._chance = random.Random(seed)  # noqa: S311 - so that a seed repeats the faults
        self._orders = Orders(settings.data / "orders")
        self._orders.folder.mkdir()
        self._started = 0
        self._processes: list[subprocess.Popen[bytes]] = []
        """Those that must run."""
        self._victims: list[subprocess.Popen[bytes]] = []
        self.done: Counter[tuple[str, str]] = Counter()
        self.claimed: set[str] = set()
        """Calls that a process had claimed when it died or froze."""
        self.waiting = 0
        """Calls that waited unclaimed in a process that died or froze, over all faults."""

    def __enter__(self) -> Self:
        self._start(worker.MODULE, json.dumps(asdict(TIMINGS)), "tenancy", "rating")
        self._run("sink", "postgres")
        self._agent, self._caller = self._start_agent(), self._start_caller()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (*self._processes, *self._victims):
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()

    @property
    def kills(self) -> int:
        """How many faults there were."""
        return self.done.total()

    def next(self) -> str:
        """Do the kind of fault that came least often, at a moment of chance; return what was seen."""
        self._wait_for_responses(FEWEST)
        time.sleep(self._chance.uniform(0.0, 1.0))
        fewest = min(self.done[kind] for kind in KINDS)
        kind = self._chance.choice([kind for kind in KINDS if self.done[kind] == fewest])
        point, way = kind
        if point == AGENT:
            said = self._fault_of_agent(cast("Way", way))
        else:
            said = self._fault_of_caller(cast("Point", point), cast("Way", way))
        self.done[kind] += 1
        return f"{way}, {point}: {said}"

    def stop(self) -> None:
        """End caller and agent in order."""
        for process in (self._caller, self._agent):
            self._end(self._victim(process))

    def _fault_of_caller(self, point: Point, way: Way) -> str:
        victim = self._victim(self._caller)
        self._orders.give(victim.pid, point, way)
        self._until(lambda: self._orders.seen(victim.pid) is not None, f"a caller to come to the point {point!r}")
        seen = self._orders.seen(victim.pid)
        assert isinstance(seen, Seen)
        self.claimed |= seen.claimed
        self.waiting += len(seen.waiting)
        if way == "kill":
            self._until(lambda: victim.poll() is not None, "a caller to be dead")
        self._caller = self._start_caller()
        successor = self._caller.pid
        self._until(
            lambda: any(one.pid == successor for one in self._provider.log[-500:]), "its successor to send calls"
        )
        if way == "freeze":
            victim.send_signal(signal.SIGCONT)
            self._wait_for_responses(FEWEST)
            self._end(victim)
        return f"{len(seen.claimed)} claimed, {len(seen.waiting)} waited"

    def _fault_of_agent(self, way: Way) -> str:
        victim, open_ = self._victim(self._agent), self._asked.open
        victim.send_signal(signal.SIGKILL if way == "kill" else signal.SIGSTOP)
        if way == "kill":
            victim.wait()
        self._agent = self._start_agent()
        self._wait_for_responses(2 * FEWEST)
        if way == "freeze":
            victim.send_signal(signal.SIGCONT)
            self._wait_for_responses(FEWEST)
            self._end(victim)
        return f"{open_} requests were open"

    def _victim(self, process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        self._processes.remove(process)
        self._victims.append(process)
        return process

    def _wait_for_responses(self, count: int) -> None:
        target = len(self._asked.responses) + count
        self._until(lambda: len(self._asked.responses) >= target, f"{count} responses")

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + STILL_S
        while not holds():
            self._asked.check()
            if ended := [process.args for process in self._processes if process.poll() is not None]:
                raise RuntimeError(f"a process ended by itself while the bench waited for {what}: {ended}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"waited {STILL_S:.0f} s for {what}; {self._asked.open} requests are open")
            time.sleep(LOOK_S)

    def _start_agent(self) -> subprocess.Popen[bytes]:
        return self._start(worker.MODULE, json.dumps(asdict(TIMINGS)), "ai")

    def _start_caller(self) -> subprocess.Popen[bytes]:
        return self._start(held_caller.MODULE, str(self._orders.folder), json.dumps(asdict(LIMITS)))

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        return self._begin(module.rpartition(".")[2], [sys.executable, "-P", "-m", module, *arguments])

    def _run(self, *arguments: str) -> subprocess.Popen[bytes]:
        return self._begin(arguments[0], [sys.executable, "-P", "-m", "tradewind.infra.cli", *arguments])

    def _begin(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        self._started += 1
        environment = {**os.environ, "TRADEWIND_DATA": str(self._settings.data), held_caller.KEY: "none"}
        process = start(self._settings, f"{self._started:03}-{name}", command, environment)
        self._processes.append(process)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        code = process.wait(STOP_S)
        if code not in (0, 1, -signal.SIGTERM):  # 1 where it had found itself expelled
            raise RuntimeError(f"a process that was asked to stop ended with {code}")
