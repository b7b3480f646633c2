"""What the journal costs a worker, without a broker: digests of inputs, outputs and state, by the record.

It reports the best of many rounds, because other load on the machine can only make a round longer.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.progress import Progress
from tradewind.infra.bench.parts.results import Result, report
from tradewind.schemas.codec import MODELS, Codec
from tradewind.streams.market import market
from tradewind.streams.runtime.commit.digest import digest_of_outputs, digest_of_records
from tradewind.streams.runtime.commit.journal import Journal, JournalPosition, TaskJournal
from tradewind.streams.runtime.commit.outbox import Draft, Outgoing
from tradewind.streams.runtime.lease import Lease
from tradewind.streams.runtime.read.chunk import CHUNK_RECORDS, Chunk
from tradewind.streams.runtime.read.record_batches import FetchedBatches, read
from tradewind.streams.runtime.read.records import Records
from tradewind.streams.runtime.work.encoded_state import EncodedState
from tradewind.topics import TICKS

VALUE_BYTES = 60  # of a tick
BAR_BYTES = 280
STATE_KEYS = 1_000  # changed by one batch
ROUNDS = 200
BATCH_BYTES = 1 << 22  # of the batch that is parsed


def main(argv: Sequence[str]) -> int:
    """Run the bench; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench journal", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    works = _works()
    progress, results = Progress([*works]), []
    for name, (work, count) in works.items():
        progress.begin(name)
        results.append(Result.of(f"{name}_ns", "ns", [best_ns(work, asked.rounds) / count]))
    report(results, ["each: one record, change of state, value or entry"], as_json=asked.json)
    return 0


def best_ns(work: Callable[[], object], rounds: int) -> float:
    """Return the shortest time that a piece of work took."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter_ns()
        work()
        best = min(best, time.perf_counter_ns() - begun)
    return best


def _works() -> dict[str, tuple[Callable[[], object], int]]:
    """Return what is measured: name -> (work, how many things it is about)."""
    chance = Random(1)  # noqa: S311 - bytes to hash, not a secret
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, BATCH_BYTES)
    for at in range(CHUNK_RECORDS):
        builder.append(at, 1_700_000_000_000 + at, b"EURUSD.OANDA", chance.randbytes(VALUE_BYTES), [])
    batch = bytes(builder.build())
    columns = _fetched(batch)
    bars = [Outgoing("market.bars", 0, b"EURUSD.OANDA", chance.randbytes(BAR_BYTES), at) for at in range(CHUNK_RECORDS)]
    state = EncodedState({f"key/{at}": chance.randbytes(BAR_BYTES) for at in range(STATE_KEYS)})
    changes = [(f"key/{at}", chance.randbytes(BAR_BYTES)) for at in range(STATE_KEYS)]
    return {
        "record_of_fetched_batch": (lambda: _fetched(batch), CHUNK_RECORDS),
        "digest_of_input_60_bytes": (lambda: digest_of_records(columns), CHUNK_RECORDS),
        "digest_of_output_280_bytes": (lambda: digest_of_outputs(bars, ""), CHUNK_RECORDS),
        "digest_of_state_change": (lambda: state.stage(changes), STATE_KEYS),
        "snapshot_of_value": (state.dump, STATE_KEYS),
        "entry_of_smallest_batch": (_entry(), 1),
    }


def _fetched(batch: bytes) -> Records:
    """Return the records of a batch, read as the consumer's thread does."""
    batches = FetchedBatches(batch)
    batches.as_blocks = True
    return read(list(batches.next_batch()))


def _entry() -> Callable[[], None]:
    """Return the work of writing an entry for the smallest batch."""
    codec = Codec({name: number for number, name in enumerate(sorted(MODELS), 1)}, dict[int, str]().__getitem__)
    settings = Settings(data=Path("nowhere"))
    shared = Journal(market(settings), settings, codec, snapshots=False)
    task = TaskJournal(shared, 0, EncodedState(), JournalPosition(1, 0))
    record = Outgoing("market.bars", 0, b"EURUSD.OANDA", bytes(BAR_BYTES), 1)
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, BATCH_BYTES)
    builder.append(0, 1_700_000_000_000, b"EURUSD.OANDA", bytes(VALUE_BYTES), [])
    records = _fetched(bytes(builder.build()))
    chunk = Chunk((TICKS.name, 0), Lease("bench", 0, "bench", frozenset()), 0, 0, records, 1)

    def work() -> None:
        draft = Draft()
        task.begin(draft)
        task.note_chunk(TICKS.name, chunk)
        draft.messages.append(record)
        task.close(draft, [("key", bytes(BAR_BYTES))], {TICKS.name: 0}, 0)
        task.keep()

    return work
