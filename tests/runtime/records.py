"""Records, chunks and a codec for tests of the runtime: no broker, no registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tradewind.connectors.settings import KafkaSettings, Settings
from tradewind.processors.batch import Processor, Rows, rows_of
from tradewind.schemas.codec import MODELS, Codec
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.streams.runtime.lease import Lease
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.records import Records
from tradewind.topics import Topic

LEASE = Lease("group", 1, "member", frozenset())
INGEST_MS = 1_700_000_000_000
NO_PRICE = 1e-9
"""In range, so that processors are given it: what the runtime refuses by itself is tested with the ranges."""
NOWHERE = Settings(_env_file=None, namespace="t.", kafka=KafkaSettings(bootstrap="127.0.0.1:1"))


@dataclass(frozen=True, slots=True)
class Raw:
    """A record as the fetcher's parser yields it."""

    offset: int
    value: bytes | None
    key: bytes | None = b"key"
    timestamp: int = INGEST_MS
    headers: Sequence[tuple[str, bytes | None]] = ()


def offline_codec() -> Codec:
    """Return a codec with made-up ids, which asks nobody for others."""

    def nobody(schema_id: int) -> str:
        raise LookupError(schema_id)

    return Codec({name: number for number, name in enumerate(sorted(MODELS), 1)}, nobody)


CODEC = offline_codec()


def tick(ts_event: int, *, symbol: str = "EURUSD", seq: int = 0, bid: float = 1.0) -> Tick:
    """Return a quote."""
    return Tick(symbol=symbol, venue="OANDA", seq=seq, ts_event=ts_event, bid=bid, ask=bid + 0.0001)


def beat(ts_event: int, *, symbol: str = "EURUSD") -> Heartbeat:
    """Return a heartbeat."""
    return Heartbeat(symbol=symbol, venue="OANDA", ts_event=ts_event, ts_ingest=INGEST_MS * 1000)


def raws(values: Sequence[Event | bytes | None], first: int = 0) -> list[Raw]:
    """Return records of events, of bytes as they are, and of no value, at offsets from `first` on, 1 ms apart."""
    return [
        Raw(first + at, CODEC.encode(value) if isinstance(value, Event) else value, timestamp=INGEST_MS + at)
        for at, value in enumerate(values)
    ]


def chunk(topic: Topic, values: Sequence[Event | bytes | None], first: int = 0, partition: int = 0) -> Chunk:
    """Return a chunk of records as `raws` makes them."""
    records = Records.of(raws(values, first))
    return Chunk((NOWHERE.physical(topic), partition), LEASE, 1, first, records, first + len(records))


def by_rows(decide: Processor) -> Processor:
    """Return a processor that is given rows, whatever the topic."""
    return lambda state, segment: decide(state, rows_of(segment))


def sums(state: Mapping[str, int], rows: Rows) -> dict[str, int]:
    """Return the number of events by symbol, added to what it was."""
    found = dict(state)
    for event in rows.events:
        found[event.symbol] = found.get(event.symbol, 0) + 1  # type: ignore[attr-defined]
    return found
