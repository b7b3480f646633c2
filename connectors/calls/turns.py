"""Whose turn it is: calls that wait for their time, their lane or a slot, chosen fairly between tenants. Pure.

A call that waits is not claimed, so whoever comes next can send it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count

from tradewind.connectors.calls.call import At, Call


class Turns:
    """Calls in lines: for later, ready by tenant, parked by lane, by deadline. A call leaves all of them at once."""

    def __init__(self, most: int, tenant_most: int) -> None:
        """Let at most `most` calls be in flight, and of one tenant at most `tenant_most`."""
        self._most, self._tenant_most = most, tenant_most
        self._waiting: dict[At, Call] = {}
        self._later: list[tuple[int, int, Call]] = []
        self._ready: dict[str, deque[Call]] = {}
        self._parked: dict[str, deque[Call]] = {}
        """Calls that are ready, of lanes that are full. One returns for each call of its lane that lands."""
        self._deadlines: list[tuple[int, int, Call]] = []
        self._flying: Counter[str] = Counter()
        self._lanes: Counter[str] = Counter()
        self._served: Counter[str] = Counter()
        self._numbers: Iterator[int] = count(1)
        self.size = 0
        """Encoded bytes of the calls that wait."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, call: Call) -> None:
        """Let a call wait."""
        number = next(self._numbers)
        self._waiting[call.at] = call
        self.size += call.size
        heappush(self._later, (call.not_before_us, number, call))
        heappush(self._deadlines, (call.deadline_us, number, call))

    def take(self, now_us: int) -> list[Call]:
        """Return the calls whose turn it is: of the tenant with the fewest in flight first. They count as in flight."""
        self._mature(now_us)
        free = self._most - self._flying.total()
        lines = [(self._flying[tenant], self._served[tenant], tenant) for tenant in self._ready]
        heapify(lines)
        taken: list[Call] = []
        while free > len(taken) and lines:
            flying, _, tenant = heappop(lines)
            if flying >= self._tenant_most or (call := self._next(tenant)) is None:
                continue
            taken.append(call)
            self._flying[tenant] += 1
            self._lanes[call.lane] += 1
            self._served[tenant] = next(self._numbers)
            heappush(lines, (flying + 1, self._served[tenant], tenant))
        return taken

    def expired(self, now_us: int) -> list[Call]:
        """Return the calls whose deadline has passed; they wait no more."""
        return [
            found
            for _, _, call in _popped(self._deadlines, lambda deadline: deadline <= now_us)
            if (found := self._leave(call)) is not None
        ]

    def landed(self, call: Call) -> None:
        """Note that a call is in flight no more, or never was."""
        self._flying[call.tenant] -= 1
        if not self._flying[call.tenant]:
            del self._flying[call.tenant]
            if call.tenant not in self._ready:
                self._served.pop(call.tenant, None)
        self._lanes[call.lane] -= 1
        if not self._lanes[call.lane]:
            del self._lanes[call.lane]
        self._unpark(call.lane)

    def next_us(self) -> int | None:
        """Return when a call is ready or expires at the earliest; None if none waits for a time."""
        times = [line[0][0] for line in (self._later, self._deadlines) if line]
        return min(times, default=None)

    def clear(self) -> None:
        """Let nothing wait any more; what is in flight stays so."""
        self._waiting.clear()
        self.size = 0
        self._later.clear()
        self._ready.clear()
        self._parked.clear()
        self._deadlines.clear()

    def _mature(self, now_us: int) -> None:
        for _, _, call in _popped(self._later, lambda not_before: not_before <= now_us):
            if self._is_waiting(call):
                self._ready.setdefault(call.tenant, deque()).append(call)

    def _next(self, tenant: str) -> Call | None:
        line = self._ready.get(tenant)
        while line:
            call = line.popleft()
            if 0 < call.lane_most <= self._lanes[call.lane]:
                self._parked.setdefault(call.lane, deque()).append(call)
            elif (found := self._leave(call)) is not None:
                return found
        self._ready.pop(tenant, None)
        return None

    def _unpark(self, lane: str) -> None:
        """Let the call that was parked first in a lane be ready again, before all others of its tenant."""
        line = self._parked.get(lane)
        while line:
            call = line.popleft()
            if self._is_waiting(call):
                self._ready.setdefault(call.tenant, deque()).appendleft(call)
                break
        if not line:
            self._parked.pop(lane, None)

    def _is_waiting(self, call: Call) -> bool:
        return self._waiting.get(call.at) is call

    def _leave(self, call: Call) -> Call | None:
        """Return the call if it was waiting; it is not afterwards."""
        if not self._is_waiting(call):
            return None
        self.size -= call.size
        return self._waiting.pop(call.at)


def _popped(line: list[tuple[int, int, Call]], due: Callable[[int], bool]) -> Iterator[tuple[int, int, Call]]:
    while line and due(line[0][0]):
        yield heappop(line)
