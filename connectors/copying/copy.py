"""Copy a slice of topics into a namespace: keys, values, partitions, order, headers and record times stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Event

from tradewind.connectors.copying.errors import CopyRefused
from tradewind.connectors.copying.log import GROUP, CopyLog, Position
from tradewind.connectors.copying.merging import LOWEST, Timed, blocks, rising
from tradewind.connectors.copying.slice import Slice, times_of
from tradewind.connectors.copying.source import Origin, Source
from tradewind.connectors.feeds.publishing.pace import Pace
from tradewind.connectors.kafka.admin import ensure, partition_counts
from tradewind.connectors.kafka.json_events import time_to_json
from tradewind.connectors.kafka.offsets import Offsets
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec

STEP_S = 0.2  # how soon a wait sees that the copy is stopped
SHOWN = 3


@dataclass(slots=True)
class Copied:
    """What a copy has done so far."""

    topics: dict[str, int] = field(default_factory=dict)
    """Topic -> records of this run."""
    resumed: bool = False
    """Whether an earlier run of the same copy had written some."""
    reached: int | None = None
    """Time of the last block, µs."""
    finished: bool = False

    @property
    def count(self) -> int:
        """Records of this run."""
        return sum(self.topics.values())


@dataclass(slots=True)
class Copying:
    """One copy. `into` are the settings of the target's namespace."""

    source: Source
    slice: Slice
    into: Settings
    codec: Codec
    speed: float | None = None
    """How many times faster than the time that counts; None is as fast as it goes."""
    name: str = GROUP
    shared: bool = False
    """Whether the target's topics may hold other records, too."""
    done: Copied = field(default_factory=Copied, init=False)
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict, init=False)
    """Topic -> the least and the greatest time that it has."""

    def run(self, stop: Event, on_progress: Callable[[Copied], None] = lambda _: None) -> Copied:
        """Copy until the source ends or `stop` is set.

        Raises `CopyRefused` before anything is written, `ArchiveError`, `FeedError` for the speed, and `StreamError`;
        what was copied until then stays, and the next run goes on after it.
        """
        pace = Pace(self.speed, live=False)
        low = self.source.partitions()
        ensure(self.into, self.slice.topics)
        identity = self.slice.identity(self.source.name)
        with CopyLog(self.into, identity, self.name) as log:
            known = log.positions(low)
            self._refuse(known, low, identity)
            self.done.resumed = bool(known)
            streams = {at: self._timed(at, first, known.get(at)) for at, first in low.items()}
            for block in blocks(streams, pace.bounds.span_us):
                if not self._waited(pace, block.reached, stop):
                    return self.done
                log.write_block(block)
                for (topic, _), rows in block.parts.items():
                    self.done.topics[topic] = self.done.topics.get(topic, 0) + rows.height
                self.done.reached = block.reached
                on_progress(self.done)
        if not self.done.count and not known:
            raise CopyRefused(f"there is no record in the range: {self._there()}")
        self.done.finished = True
        return self.done

    def _waited(self, pace: Pace, reached: int, stop: Event) -> bool:
        """Wait until a block is due; False if the copy was stopped before."""
        while (wait_s := pace.wait_s(reached)) > 0:
            if stop.wait(min(wait_s, STEP_S)):
                return False
        return not stop.is_set()

    def _timed(self, origin: Origin, low: int, known: Position | None) -> Iterator[Timed]:
        """Yield the records of a partition that count."""
        topic = next(topic for topic in self.slice.topics if topic.name == origin[0])
        reached, begun = LOWEST, False
        for rows in self.source.pieces(origin, low if known is None else max(low, known.next)):
            times = times_of(rows, topic, self.slice.by, self.codec)
            if not begun:
                begun = True
                self._refuse_gone(origin, int(rows["offset"][0]), int(times[0]), low, known)
            least, most = self._seen.get(topic.name, (int(times[0]), int(times[0])))
            self._seen[topic.name] = (min(least, int(times.min())), max(most, int(times.max())))
            inside = self.slice.holds(times)
            if inside.any():
                own = rising(times[inside], reached)
                reached = int(own[-1])
                yield Timed(rows.filter(inside), own)

    def _refuse_gone(self, origin: Origin, offset: int, ts: int, low: int, known: Position | None) -> None:
        """Refuse a slice whose beginning is gone."""
        start = self.slice.start
        if low == 0 or start is None or ts <= start:
            return
        if known is not None and known.next >= low:
            return
        raise CopyRefused(
            f"{origin[0]}/{origin[1]} begins at offset {offset}, {time_to_json(ts)}, in {self.source.name}: what was "
            f"before is removed, and --from is {time_to_json(start)}. Begin later, or copy from where it is kept "
            "(--source archive)"
        )

    def _refuse(self, known: Mapping[Origin, Position], low: Mapping[Origin, int], identity: str) -> None:
        """Refuse a target that holds something else."""
        other = next((at for at, position in known.items() if position.identity != identity), None)
        if other is not None:
            raise CopyRefused(
                f"{self.into.physical(other[0])}/{other[1]} holds a copy of another slice or source: use another "
                "namespace, or remove this one (--drop)"
            )
        gone = next((at for at, position in known.items() if position.next < low[at]), None)
        if gone is not None:
            raise CopyRefused(
                f"{gone[0]}/{gone[1]} begins at offset {low[gone]} by now, and the copy has to go on at "
                f"{known[gone].next}: retention was faster. Remove the namespace (--drop), and copy what is left"
            )
        if self.shared:
            return
        there = partition_counts(self.into)
        places = {
            (self.into.physical(topic), number): (topic, number)
            for topic, number in low
            if (topic, number) not in known and number < there.get(self.into.physical(topic), 0)
        }
        offsets = Offsets(self.into, "read_uncommitted")
        try:
            ends = offsets.listed(places, "latest")
        finally:
            offsets.close()
        for name, number in sorted(at for at, end in ends.items() if end > 0):
            # What ends there may be a transaction of a killed copy, which was aborted.
            if next(raw_records(self.into, name, (number,), "earliest"), None) is not None:
                raise CopyRefused(
                    f"{name}/{number} holds records that are of no copy: the namespace is in use. Choose another"
                )

    def _there(self) -> str:
        found = [
            f"{topic} has {time_to_json(least)} to {time_to_json(most)}" for topic, (least, most) in self._seen.items()
        ]
        return "; ".join(found[:SHOWN]) or "the topics are empty"
