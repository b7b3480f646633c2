"""The book of a caller: what it may claim, what it has in flight, and what it must publish. Pure, without I/O.

    read ──> waiting ──plan──> claiming ──committed──> in flight ──ended──> ended ──plan, committed──> published
      │                            └──refused, or in doubt: read again under the next lease
      └── claimed by a caller that is gone, without an attempt ──> ended as LOST

The loop (`loop.py`) opens the book at each assignment, writes each `Step` in one transaction and says what became of
it. Between a plan and its outcome the book may be told of a revocation, but it is not opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from tradewind.connectors.calls.call import At, Call, Ending, Unsent
from tradewind.connectors.calls.claims import Mark
from tradewind.connectors.calls.lease import Lease
from tradewind.connectors.calls.marks import Marks
from tradewind.connectors.calls.turns import Turns
from tradewind.connectors.kafka.offsets import Place
from tradewind.schemas.event import Event


@dataclass(slots=True)
class Window:
    """A partition under the lease: its marks, and how far it was read."""

    marks: Marks
    position: int
    """The next offset to read; all before it are known."""
    committed: Marks
    """What the group has."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction writes."""

    lease: Lease | None
    marks: Mapping[Place, Mark]
    claims: Sequence[Call]
    endings: Sequence[Ending]

    def __bool__(self) -> bool:
        return bool(self.claims or self.endings or self.marks)


class Book:
    """Of one caller. For one thread at a time."""

    def __init__(self, most: int, tenant_most: int, step_endings: int) -> None:
        """Let `most` calls be in flight, `tenant_most` of one tenant, and write `step_endings` at most at once."""
        self.lease: Lease | None = None
        self.windows: dict[Place, Window] = {}
        self.turns = Turns(most, tenant_most)
        self.flying: dict[At, Call] = {}
        self.stopping = False
        self._step_endings = step_endings
        self._ended: dict[At, Ending] = {}
        self._doubt: Step | None = None
        """A step that may have been written: its claims were not sent."""
        self._unsent: set[At] = set()
        """Claims of such a step, until they are read again under the same lease."""

    # -- assignments --------------------------------------------------------------------------------------------------

    def open(self, lease: Lease, marks: Mapping[Place, Marks]) -> None:
        """Begin under a lease, with what the group's stable offsets say. Each partition is read from its floor on."""
        self.close()
        self.windows = {place: Window(found, found.floor, found) for place, found in marks.items()}
        self._unsent = set()
        if self._doubt is not None and lease is self._doubt.lease:  # if it holds, nobody else had them since
            self._unsent = {call.at for call in self._doubt.claims}
        self.lease, self._doubt = lease, None

    def close(self) -> None:
        """Give up the lease: nothing is claimed any more, and what is in flight goes on."""
        self.lease = None
        self.windows = {}
        self.turns.clear()
        self._ended = {at: ending for at, ending in self._ended.items() if ending.claimed}

    def stop(self) -> None:
        """Claim nothing any more; what waits is for whoever comes next."""
        self.stopping = True
        self.turns.clear()

    # -- reading ------------------------------------------------------------------------------------------------------

    def read(self, call: Call) -> bool:
        """Take the next call of a partition; return False if it lies beyond the window, to be read again later."""
        window, at = self.windows[call.place], call.at
        if not self.reached(call.place, call.offset) or call.offset >= window.marks.end:
            return False
        window.position = call.offset + 1
        if at in self.flying or at in self._ended or window.marks.is_done(call.offset):
            return True
        if window.marks.is_claimed(call.offset):
            self._end(Ending(call, Unsent.RETURNED if at in self._unsent else Unsent.LOST, claimed=False))
        elif not self.stopping:
            self.turns.add(call)
        return True

    def reached(self, place: Place, offset: int) -> bool:
        """Note that there are no calls from the position up to an offset; return False if the window ends before."""
        window = self.windows[place]
        while (end := min(offset, window.marks.end)) > window.position:
            window.marks = window.marks.finish(range(window.position, end))
            window.position = end
        return window.position >= offset

    # -- transactions -------------------------------------------------------------------------------------------------

    def plan(self, now_us: int, *, tidy: bool = False, hold: bool = False, claim: bool = True) -> Step:
        """Return what to write now; nothing where it is empty. The calls to claim count as in flight from now on.

        `tidy` writes the marks of partitions, too, of which nothing but offsets without calls was read. `hold` leaves
        out the endings of partitions that the lease lacks: a lease that is about to come may have them. Without `claim`
        no call is claimed.
        """
        for call in self.turns.expired(now_us):
            self._end(Ending(call, Unsent.EXPIRED, claimed=False))
        may_claim = claim and self.lease is not None and not self.stopping
        claims = self.turns.take(now_us) if may_claim else []
        ended = (one for one in self._ended.values() if not hold or one.call.place in self.windows)
        endings = list(islice(ended, self._step_endings))
        marks: dict[Place, Mark] = {}
        if claims or endings or tidy:
            for place, window in self.windows.items():
                after = _after(window, place, claims, endings)
                if after != window.committed:
                    marks[place] = Mark(after.offset, after.encode())
        return Step(self.lease if marks else None, marks, claims, endings)

    def committed(self, step: Step) -> list[Call]:
        """Take a step as written; return the calls to send at once."""
        for ending in step.endings:
            self._ended.pop(ending.call.at, None)
        if step.lease is self.lease:
            for place in step.marks:
                window = self.windows[place]
                window.marks = window.committed = _after(window, place, step.claims, step.endings)
        if step.lease is self.lease and not self.stopping:
            self.flying.update({call.at: call for call in step.claims})
            return list(step.claims)
        for call in step.claims:  # claimed, while the lease ended or the caller was told to stop
            self.turns.landed(call)
            self._end(Ending(call, Unsent.RETURNED))
        return []

    def failed(self, step: Step, *, in_doubt: bool) -> None:
        """Take a step as not written; `in_doubt` if that is not known, whereupon the book must be opened again.

        The endings of a step in doubt are published again. An attempt that comes twice has the same id.
        """
        if in_doubt:
            self._doubt = step
        for call in step.claims:
            self.turns.landed(call)
            if not in_doubt and step.lease is self.lease and not self.stopping:
                self.turns.add(call)

    # -- calls --------------------------------------------------------------------------------------------------------

    def ended(self, call: Call, how: Event | Unsent) -> None:
        """Take the attempt at a call in flight."""
        del self.flying[call.at]
        self.turns.landed(call)
        self._end(Ending(call, how))

    @property
    def unpublished(self) -> int:
        """How many endings wait for their transaction."""
        return len(self._ended)

    def _end(self, ending: Ending) -> None:
        self._ended[ending.call.at] = ending


def _after(window: Window, place: Place, claims: Sequence[Call], endings: Sequence[Ending]) -> Marks:
    """Return a window's marks after a step. What is done already was ended by a successor: the ending is late."""
    marks = window.marks
    claimed = [call.offset for call in claims if call.place == place]
    ended = [ending.call.offset for ending in endings if ending.call.place == place]
    return marks.claim(claimed).finish(ended)
