"""A run of redriven records stands where the partition had it."""

from runtime.records import LEASE

from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.records import Records
from tradewind.streams.runtime.work.dead_letters import OriginRun, RedrivenRecord, as_read
from tradewind.topics import TICKS


def test_a_run_is_a_chunk_of_its_origin() -> None:
    """From its first offset to the one after its last, under the lease and the epoch that the letters came by."""
    records = [RedrivenRecord(offset, 1, None, b"", (), 2) for offset in (4, 7, 9)]
    letters = Chunk(("t.a.redrive", 3), LEASE, 5, 0, Records.of(()), 3)
    found = as_read(OriginRun(TICKS, records), letters, "t.market.ticks")
    assert found.source == ("t.market.ticks", 3)
    assert (found.lease, found.epoch) == (LEASE, 5)
    assert (found.start, list(found.records), found.next) == (4, records, 10)
